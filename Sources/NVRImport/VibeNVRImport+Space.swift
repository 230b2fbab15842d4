import NVRBase
import NVRModel
package import NVRRecording
import NVRStore

/// What the files take that an import has to write, beside what is free, looked at before anything is changed.
package struct ImportSpace: Sendable, Hashable {
    /// Files that are there and that no earlier run brought, and their bytes.
    package var files = 0
    package var bytes: Int64 = 0
    /// Recordings that can be given a further name: where they play as they are, they take nothing.
    package var linkable = 0
    /// Why others cannot, as far as links were wanted, and how many.
    package var obstacles: [FootageImporter.LinkObstacle: Int] = [:]
    /// Bytes that may be taken, without what stays free.
    package var usable: Int64 = 0

    package init() {}

    package var isEnough: Bool { bytes <= usable }
}

extension VibeNVRImport {
    /// Goes through all events once. What cannot be opened is passed over: it is told when it is to be brought. Of recordings of the same
    /// time an import keeps one; which ones these are is known only when they are read, so that this is the most it may take.
    func measure() throws -> ImportSpace {
        var space = ImportSpace()
        // Events of one file come one after another, so that no list of all files is needed.
        var last: (file: String, thumbnail: String?)?
        let order = try tables.order(of: "events", by: ["file_path", "id"])
        let (store, source) = (store, source)
        for start in stride(from: 0, to: order.count, by: Self.measured) {
            let rows = try tables.rows(
                "events", order[start..<min(start + Self.measured, order.count)], longest: ReferenceEvent.longest)
            let events = rows.compactMap { try? ReferenceEvent.read(ReferenceRow(values: $0)).get() }
            let keys = events.map { "\($0.id)" }
            let known = try blockingWait { try await store.imports.known(keys, .event, of: source) }
            for event in events where !known.contains("\(event.id)") {
                let isVideo = event.medium == .video
                if files[event.file] == nil, event.file != last?.file { add(event.file, isVideo: isVideo, to: &space) }
                if isVideo, let thumbnail = event.thumbnail, thumbnail != last?.thumbnail { add(thumbnail, isVideo: false, to: &space) }
                last = (event.file, event.thumbnail)
            }
            progress("\(start + rows.count) of \(order.count) events looked at")
        }
        space.usable = try importer.usableSpace()
        return space
    }

    private static let measured = 500

    private func add(_ path: String, isVideo: Bool, to space: inout ImportSpace) {
        // Told when it is to be brought.
        guard let file = try? paths.open(path), let length = try? file.length() else { return }
        if isVideo, options.links {
            guard let obstacle = importer.linkObstacle(file) else {
                space.linkable += 1
                return
            }
            space.obstacles[obstacle, default: 0] += 1
        }
        space.files += 1
        space.bytes += length
    }
}
