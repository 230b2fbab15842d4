#if canImport(Glibc)
    import Glibc
#endif
import ISOBMFF
package import NVRBase
import NVRModel
package import NVRStore

/// Compares the rows of footage with the files on the disk, and mends what differs when asked to. Reads files on `thread` when it has one;
/// without, it blocks, which is for the shell.
package struct IntegrityCheck: Sendable {
    /// One difference between rows and files.
    package enum Problem: Sendable, Equatable, CustomStringConvertible {
        case missingFile(path: String)
        /// The file holds fewer bytes than its row says.
        case shortFile(path: String, bytes: Int64, expected: Int64)
        case unreadable(path: String, why: String)
        /// A file of ours that no row knows.
        case unlisted(path: String)
        case database(String)

        package var description: String {
            switch self {
            case .missingFile(let path): "\(path): the row has no file"
            case .shortFile(let path, let bytes, let expected): "\(path): \(bytes) of \(expected) bytes are left"
            case .unreadable(let path, let why): "\(path): \(why)"
            case .unlisted(let path): "\(path): footage that is not listed"
            case .database(let text): "database: \(text)"
            }
        }
    }

    package struct Report: Sendable {
        package var segments = 0
        package var files = 0
        package var problems: [Problem] = []
        package var repaired = 0
    }

    private let layout: RecordingLayout
    private let store: Store
    private let thread: BlockingThread?

    /// With a thread the check may run while the server records: what is being written, and files that were touched within
    /// `youngest` seconds, are left alone.
    package init(layout: RecordingLayout, store: Store, thread: BlockingThread? = nil) {
        self.layout = layout
        self.store = store
        self.thread = thread
    }

    /// Seconds after which nobody writes to a file any more: a segment lasts 300 at most.
    private static let youngest: Int64 = 900

    private func onDisk<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        guard let thread else { return try body() }
        return try await thread.run(body)
    }

    /// `repairs`: missing files lose their rows, short files get rows of what is left, unlisted footage is listed.
    /// `progress` hears how many rows were looked at.
    package func run(repairs: Bool, progress: @Sendable (Int) -> Void) async throws -> Report {
        var report = Report()
        // Reading the whole database takes minutes at times, and holds what was deleted meanwhile.
        if thread == nil { report.problems += try await store.problems().map(Problem.database) }
        // On which volume each path lies: paths are unique among all of them.
        var known: [String: VolumeID] = [:]
        let volumes = try await onDisk { [layout] in layout.volumes.confirmed() }
        var after: ID<Segment>?
        while true {
            let page = try await store.segments.entries(after: after, limit: 1000)
            guard let last = page.last else { break }
            after = last.id
            for entry in page {
                known[entry.path] = entry.volume
                guard volumes.contains(entry.volume) else { continue }
                guard entry.state == .finished || entry.state == .growing && thread == nil else { continue }
                report.segments += 1
                if let problem = try await check(entry), try await isStill(entry) {
                    report.problems.append(problem)
                    if repairs, try await repair(entry, problem) { report.repaired += 1 }
                }
            }
            progress(report.segments)
        }
        for volume in volumes.sorted() {
            let files = try await onDisk { [layout] in
                var files: [String] = []
                if let root = layout.volumes.root(of: volume) { Self.walk(root, "") { files.append($0) } }
                return files
            }
            report.files += files.count
            // A path that is known on another volume is the copy or the original of footage that is being moved.
            for path in files where path.hasSuffix(".mp4") && known[path] == nil {
                let place = FootagePlace(volume, path)
                if thread != nil, try await isYoung(place) { continue }
                report.problems.append(.unlisted(path: path))
                if repairs, try await adopt(place) { report.repaired += 1 }
            }
        }
        return report
    }

    /// Whether an entry is as it was: while the server runs, it may have been deleted after it was read.
    private func isStill(_ entry: SegmentEntry) async throws -> Bool {
        guard thread != nil else { return true }
        return try await store.segments.get(entry.id)?.state == entry.state
    }

    /// Whether a file that no row knew is one that a row may know by now.
    private func isYoung(_ place: FootagePlace) async throws -> Bool {
        if try await store.segments.byPath(place.path) != nil { return true }
        return try await onDisk { [layout] in
            var status = stat()
            guard stat(try layout.absolute(place), &status) == 0 else { return true }
            return Int64(time(nil)) - Int64(status.st_mtim.tv_sec) < Self.youngest
        }
    }

    private func check(_ entry: SegmentEntry) async throws -> Problem? {
        do {
            let length = try await onDisk { [layout] in try StartupRecovery.scan(try layout.absolute(entry.place)).file.completeLength }
            if entry.state == .finished, length < entry.bytes {
                return .shortFile(path: entry.path, bytes: length, expected: entry.bytes)
            }
            return nil
        } catch let error as FileError where error.isMissing {
            // With its volume, not by itself.
            guard try await onDisk({ [layout] in layout.volumes.confirm(entry.volume) }) else { return nil }
            return .missingFile(path: entry.path)
        } catch let error as NVRError where error.kind == .unavailable {
            return nil
        } catch {
            guard try await onDisk({ [layout] in layout.volumes.confirm(entry.volume) }) else { return nil }
            return .unreadable(path: entry.path, why: "\(error)")
        }
    }

    private func repair(_ entry: SegmentEntry, _ problem: Problem) async throws -> Bool {
        switch problem {
        // Out of descriptors, a disk that was pulled: while the server runs, nothing is deleted for what may pass.
        case .unreadable where thread != nil: return false
        case .missingFile, .unreadable:
            // What is held stays as it is: its file may come back, and what is left of it may be read by somebody.
            let garbage = try await store.segments.markGarbage([entry.id])
            guard !garbage.isEmpty else { return false }
            let isGone = try await onDisk { [layout] in
                for item in garbage { try POSIXFile.remove(try layout.absolute(item.place)) }
                return layout.volumes.confirm(entry.volume)
            }
            // Lost in this very moment: what is to go waits for its return.
            guard isGone else { return false }
            try await store.segments.removeGarbage(garbage.map(\.id))
            return true
        case .shortFile:
            guard let segment = try await store.segments.get(entry.id),
                let closing = try await onDisk({ [layout] in try StartupRecovery.scan(try layout.absolute(entry.place)).closing(of: segment) })
            else { return false }
            try await store.segments.finish(entry.id, closing)
            return true
        case .unlisted, .database: return false
        }
    }

    /// Lists a file by what it says of itself.
    private func adopt(_ place: FootagePlace) async throws -> Bool {
        let scan: StartupRecovery.Scan
        do {
            scan = try await onDisk { [layout] in try StartupRecovery.scan(try layout.absolute(place)) }
        } catch is ISOBMFFError {
            return false
        } catch let error as FileError where error.isMissing {
            return false
        }
        guard let box = scan.file.identification, box.type == SegmentIdentity.boxType,
            let identity = SegmentIdentity(payload: box.payload), let track = scan.file.indexedTrack,
            case .video(let entry) = track.kind
        else { return false }
        let segment = Segment(
            id: ID(0), cameraID: identity.cameraID, role: identity.role, run: identity.run, volume: place.volume, path: place.path,
            start: identity.start,
            end: identity.start, bytes: 0, state: .intended, width: entry.width, height: entry.height,
            codecs: scan.file.tracks.map(\.codecString).joined(separator: ","), initLength: scan.file.initRange.upperBound,
            timescale: Int(track.timescale), index: [])
        guard let closing = scan.closing(of: segment) else { return false }
        let id = try await store.segments.intend(segment, isContinuous: true)
        try await store.segments.finish(id, closing)
        return true
    }

    /// Calls `visit` with every ordinary file below a folder, as a path relative to the root. Links are not followed.
    private static func walk(_ root: String, _ relative: String, _ visit: (String) -> Void) {
        guard let folder = opendir(relative.isEmpty ? root : "\(root)/\(relative)") else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            let path = relative.isEmpty ? name : "\(relative)/\(name)"
            switch Int32(entry.pointee.d_type) {
            case Int32(DT_DIR): walk(root, path, visit)
            case Int32(DT_REG): visit(path)
            default: continue
            }
        }
    }
}
