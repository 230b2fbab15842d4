#if canImport(Glibc)
    import Glibc
#endif
package import Logging
import NVRBase
package import NVRMedia
package import NVRModel
package import NVRStore
import Zlib

/// Puts footage and pictures of another installation among those of this one: every file is whole and on the disk before its row is
/// finished, and its row announced before the file is made, as the recorder does it. What a crash leaves is put in order by the next start.
///
/// Used on one thread made for blocking; the server must not use the data folder meanwhile.
package final class FootageImporter {
    /// A segment that is listed now.
    package struct Made: Sendable, Equatable {
        package var range: TimeRange
        package var bytes: Int64
        /// It shares its bytes with the original.
        package var isLinked: Bool
    }

    /// Bytes of the largest picture.
    package static let largestPicture = 32 << 20
    /// What is left free, bytes, or a twentieth of a small volume.
    private static let reserve: Int64 = 512 << 20

    private let layout: RecordingLayout
    var cipher: FootageCipher { layout.cipher }
    private let store: Store
    let logger: Logger
    /// Pictures that were given out, some to events that are not stored yet.
    private var pictures: Set<String> = []

    package init(layout: RecordingLayout, store: Store, logger: Logger) {
        self.layout = layout
        self.store = store
        self.logger = logger
    }

    /// What is to be known of the camera whose footage it is.
    package struct Target: Sendable {
        package var camera: ID<Camera>
        /// `movie_file_name`, or `picture_file_name` for pictures.
        package var fileName: String
        /// Whether each segment is listed as an event of continuous recording.
        package var listsSegments: Bool

        package init(camera: ID<Camera>, fileName: String, listsSegments: Bool) {
            self.camera = camera
            self.fileName = fileName
            self.listsSegments = listsSegments
        }
    }

    /// Puts in order what the last process that used the data folder left. `afterImport`: it was an import that was killed; then what it had
    /// begun goes, to be brought whole.
    package func recover(afterImport: Bool, now: WallTime) throws {
        let (layout, store, logger) = (layout, store, logger)
        if afterImport {
            for segment in try blockingWait({ try await store.segments.unfinished() }) where segment.state == .intended && segment.volume == .standard
            {
                try discard(segment.id, layout.absolute(segment.path))
            }
        }
        _ = try blockingWait { try await StartupRecovery(layout: layout, store: store, logger: logger).run(now: now) }
    }

    // MARK: Footage

    /// Writes what a movie has of some stretches of time as segments of our own, by copying its frames. Stretches begin at the first keyframe
    /// in them. `brokenOff`: why the movie could not be read to its end; what was read of it is good.
    package func write(
        _ movie: MovieFile, _ target: Target, of stretches: [TimeRange], size: Int64
    ) throws -> (made: [Made], brokenOff: MovieFile.Refusal?) {
        try demandSpace(for: size)
        var writer = StretchWriter(importer: self, target: target, stretches: stretches)
        do {
            while let items = try movie.next() {
                for item in items { try writer.take(item) }
            }
            try writer.end()
            return (writer.made, nil)
        } catch let refusal as MovieFile.Refusal {
            try writer.end()
            if writer.made.isEmpty { throw refusal }
            return (writer.made, refusal)
        } catch {
            writer.abandon()
            throw error
        }
    }

    // MARK: Files as they are

    /// Takes a file as it is: by a further name for it, or by a copy of its bytes. `ready` is what `ReadyFootage` found in it.
    package func take(_ file: POSIXFile, _ ready: ReadyFootage, _ target: Target, start: WallTime, run: Int64, links: Bool) throws -> Made {
        if !links { try demandSpace(for: ready.bytes) }
        let range = TimeRange(start: start, end: start.advanced(byMicroseconds: ready.duration))
        let segment = Segment(
            id: ID(0), cameraID: target.camera, role: .main, run: run, path: "", start: start, end: start, bytes: 0, state: .intended,
            width: ready.width, height: ready.height, codecs: ready.codecs, initLength: ready.initLength,
            timescale: StreamDescription.videoTimescale, index: [])
        let (id, path) = try announce(segment, target)
        var isLinked = links
        do {
            if links {
                do { try file.link(to: path) } catch {
                    guard error.isOfLink else { throw error }
                    isLinked = false
                    try demandSpace(for: ready.bytes)
                }
            }
            var closing = SegmentClosing(end: range.end, bytes: ready.bytes, index: ready.index)
            if !isLinked { closing.checksum = try copy(file, ready.bytes, to: path) }
            if let folder = POSIXFile.parent(of: path) { try POSIXFile.syncDirectory(folder) }
            guard try list(id, closing, initLength: ready.initLength) else { throw NVRError(.conflict, "it was deleted while it was imported") }
        } catch {
            try discard(id, path)
            throw error
        }
        return Made(range: range, bytes: ready.bytes, isLinked: isLinked)
    }

    private func copy(_ file: POSIXFile, _ length: Int64, to path: String) throws -> UInt32 {
        let copy = try POSIXFile.create(path)
        var sum = CRC32()
        var offset: Int64 = 0
        while offset < length {
            let bytes = try file.read(at: offset, count: Int(min(1 << 20, length - offset)))
            guard !bytes.isEmpty else { throw MovieFile.Refusal(description: "it became shorter while it was read") }
            try bytes.withUnsafeBytes { try copy.write([$0], at: offset) }
            sum.update(bytes)
            offset += Int64(bytes.count)
        }
        try copy.sync()
        return sum.value
    }

    /// Copies a picture; gives its path below the default folder. Throws `Refusal` for what is no JPEG.
    package func picture(_ file: POSIXFile, _ target: Target, at time: WallTime) throws -> (path: String, bytes: Int64, width: Int, height: Int) {
        let length = try file.length()
        guard length <= Self.largestPicture else {
            throw MovieFile.Refusal(description: "the picture is larger than \(Self.largestPicture >> 20) MB")
        }
        let bytes = try file.read(at: 0, count: Int(length))
        guard let size = bytes.withUnsafeBytes(pictureSize(ofJPEG:)) else { throw MovieFile.Refusal(description: "it is no JPEG picture") }
        try demandSpace(for: length)
        let stored = try cipher.stored(picture: bytes)
        for attempt in 0..<100 {
            let path = layout.path(camera: target.camera, pattern: target.fileName, time: time, fileExtension: "jpg", attempt: attempt)
            let absolute = layout.absolute(path)
            if let folder = POSIXFile.parent(of: absolute) { try POSIXFile.makeDirectories(folder) }
            if POSIXFile.exists(absolute) {
                guard try isLeft(absolute, path, bytes) else { continue }
                pictures.insert(path)
                return (path, Int64(stored.count), size.width, size.height)
            }
            let copy = try POSIXFile.create(absolute)
            do {
                try stored.withUnsafeBytes { try copy.write([$0], at: 0) }
                try copy.sync()
            } catch {
                try POSIXFile.remove(absolute)
                throw error
            }
            if let folder = POSIXFile.parent(of: absolute) { try POSIXFile.syncDirectory(folder) }
            pictures.insert(path)
            return (path, Int64(stored.count), size.width, size.height)
        }
        throw NVRError(.conflict, "100 pictures of one second are there already")
    }

    /// Whether a picture is the same one, copied by a run that was killed before it could store the event.
    private func isLeft(_ absolute: String, _ path: String, _ bytes: [UInt8]) throws -> Bool {
        guard !pictures.contains(path) else { return false }
        let file = try cipher.open(try POSIXFile.openExisting(absolute))
        guard try file.length() == Int64(bytes.count), try file.read(at: 0, count: bytes.count + 1) == bytes else { return false }
        let store = store
        return try blockingWait { try await store.events.owningPicture(path) } == nil
    }

    /// Takes a picture back whose event could not be stored.
    package func removePicture(_ path: String) throws { try POSIXFile.remove(layout.absolute(path)) }

    // MARK: Space

    /// Bytes that may be written before the disk counts as full. The folder of recordings need not be there yet.
    package func usableSpace() throws -> Int64 {
        let space = try POSIXFile.space(at: POSIXFile.nearestFolder(of: layout.root))
        return space.free - min(Self.reserve, space.total / 20)
    }

    /// Why a file cannot have a further name among our own.
    package enum LinkObstacle: String, Sendable, Hashable {
        case otherMount = "other_mount"
        case notOwned = "not_owned"

        package var text: String {
            switch self {
            case .otherMount: "they lie on another file system, or another mount of the same one, than this server's data folder"
            case .notOwned: "they belong to another user, and this one may not write to them"
            }
        }
    }

    /// As far as can be told without trying: the kernel links within one mount, and may want one to own the file. Nil: nothing is known
    /// against it.
    package func linkObstacle(_ file: POSIXFile) -> LinkObstacle? {
        let folder = POSIXFile.nearestFolder(of: layout.root)
        if let there = file.mount(), let here = POSIXFile.mount(ofFolder: folder), there != here { return .otherMount }
        return file.mayBeLinked() ? nil : .notOwned
    }

    // MARK: Rows

    /// Throws `exhausted` when the disk would be filled up.
    private func demandSpace(for bytes: Int64) throws {
        try POSIXFile.makeDirectories(layout.root)
        let space = try POSIXFile.space(at: layout.root)
        guard space.free - bytes >= min(Self.reserve, space.total / 20) else {
            throw NVRError(.exhausted, "the disk of \(layout.root) is full: make room and run the import again, it goes on where it ended")
        }
    }

    /// Finds a name that is free and stores the row of a file that is about to be made there.
    func announce(_ segment: Segment, _ target: Target) throws -> (id: ID<Segment>, path: String) {
        for attempt in 0..<100 {
            var segment = segment
            segment.path = layout.path(
                camera: target.camera, pattern: target.fileName, time: segment.start, fileExtension: "mp4", attempt: attempt)
            let absolute = layout.absolute(segment.path)
            if let folder = POSIXFile.parent(of: absolute) { try POSIXFile.makeDirectories(folder) }
            if POSIXFile.exists(absolute) { continue }
            do {
                let (store, row, lists) = (store, segment, target.listsSegments)
                return (try blockingWait { try await store.segments.intend(row, isContinuous: lists) }, absolute)
            } catch let error as NVRError where error.kind == .conflict {
                continue
            }
        }
        throw NVRError(.conflict, "100 files of one second are there already")
    }

    /// True when the segment is listed now.
    func list(_ id: ID<Segment>, _ closing: SegmentClosing, initLength: Int64) throws -> Bool {
        let store = store
        let outcomes = try blockingWait {
            try await store.segments.commit([
                .begin(id, end: closing.end, bytes: closing.bytes, initLength: initLength), .finish(id, closing),
            ])
        }
        return outcomes.last?.isKept ?? false
    }

    func discard(_ id: ID<Segment>, _ path: String) throws {
        try POSIXFile.remove(path)
        let store = store
        _ = try blockingWait { try await store.segments.commit([.discard(id)]) }
    }
}

extension FileError {
    /// The file cannot have another name there: another file system, one without links, or a file that is somebody else's.
    fileprivate var isOfLink: Bool { [EXDEV, EPERM, EACCES, EMLINK, ENOTSUP, ENOSYS].contains(code) }
}
