#if canImport(Glibc)
    import Glibc
#endif
import ISOBMFF
import NVRBase
package import NVRModel
package import NVRStore

/// Compares the rows of footage with the files on the disk, and mends what differs when asked to. Files are read on threads of their volumes:
/// one that does not answer is left alone for the rest of the run, which says so, and so is what lies on a volume that is not there.
package struct IntegrityCheck: Sendable {
    /// What is looked at, and what is done about it.
    package struct Options: Sendable {
        /// Missing files lose their rows, files that differ get rows of what they hold, footage that no row knows is listed.
        package var repairs = false
        /// Only lists footage that no row knows, and takes checksums where there are none: what cannot do harm.
        package var adopts = false
        /// Removes rows even when they are more than half.
        package var isForced = false
        /// Reads every byte and compares checksums, and the row with what the file says of itself.
        package var readsAll = false
        /// With `readsAll`: also what lies in buckets, which takes long and may cost money.
        package var readsBuckets = false
        /// Also lists files that were touched a moment ago: right after a start nobody else has them in hand.
        package var takesYoung = false
        /// For how long a volume may be busy with one file, or one piece of it, before it counts as one that does not answer.
        package var patience = VolumeThreads.spinUp
        /// Rows up to this one were looked at before.
        package var after: ID<Segment>?
        /// Called before each piece of work, with the bytes that are to be read; may wait.
        package var pace: (@Sendable (_ files: Int, _ bytes: Int64) async throws -> Void)?

        package init() {}
    }

    /// One difference between rows and files.
    package enum Problem: Sendable, Equatable, CustomStringConvertible {
        case missingFile(path: String)
        /// The file holds fewer bytes than its row says.
        case shortFile(path: String, bytes: Int64, expected: Int64)
        /// The file holds more than its row says.
        case longFile(path: String, bytes: Int64, expected: Int64)
        /// The bytes are not those that were written.
        case alteredFile(path: String)
        /// The row tells another camera or time than the file.
        case wrongRow(path: String)
        case unreadable(path: String, why: String)
        /// A file of ours that no row knows.
        case unlisted(path: String)
        /// It differs from its row, or has none, and cannot be told more of: it is encrypted with a key that is not there.
        case locked(path: String)
        case database(String)

        package var description: String {
            switch self {
            case .missingFile(let path): "\(path): the row has no file"
            case .shortFile(let path, let bytes, let expected): "\(path): only \(bytes) of \(expected) bytes are left"
            case .longFile(let path, let bytes, let expected): "\(path): there are \(bytes) bytes, but the row says \(expected)"
            case .alteredFile(let path): "\(path): the checksum is another; the file was altered or the disk is failing"
            case .wrongRow(let path): "\(path): the row tells another camera or time than the file"
            case .unreadable(let path, let why): "\(path): it cannot be read: \(why)"
            case .unlisted(let path): "\(path): footage that is not listed"
            case .locked(let path): "\(path): encrypted with a key that is not there, and not as its row says or without one"
            case .database(let text): "database: \(text)"
            }
        }
    }

    package struct Report: Sendable {
        package var segments = 0
        package var files = 0
        package var problems: [Problem] = []
        package var repaired = 0
        /// Files that were listed again.
        package var adopted = 0
        /// Files whose key is not there: only sizes and checksums of them were compared.
        package var locked = 0
        /// Why rows that should go were left; nil when nothing was.
        package var refusal: String?
        /// Volumes that were left alone, and why.
        package var notes: [String] = []
        /// Volumes that did not answer, and that nothing was asked of from then on.
        package var silent: Set<VolumeID> = []
    }

    let layout: RecordingLayout
    let store: Store
    /// Read files.
    let threads: VolumeThreads
    /// Whether the server runs meanwhile.
    let isLive: Bool

    /// `isLive`: while the server records. What is being written, and files that were touched within `youngest` seconds, are left alone then.
    package init(layout: RecordingLayout, store: Store, threads: VolumeThreads, isLive: Bool) {
        self.layout = layout
        self.store = store
        self.threads = threads
        self.isLive = isLive
    }

    /// For the shell, while no server runs.
    package init(layout: RecordingLayout, store: Store) {
        self.init(layout: layout, store: store, threads: VolumeThreads("check", volumes: layout.volumes), isLive: false)
    }

    /// Seconds after which nobody writes to a file any more: a segment lasts 300 at most.
    private static let youngest: Int64 = 900
    static let pageRows = 500
    /// Of files that are read slowly: as many as may be read at once before there is another pause.
    private static let pacedRows = 10

    /// `progress` hears how many rows were looked at, and the last of them.
    package func run(_ options: Options, progress: @Sendable (Int, ID<Segment>?) async throws -> Void) async throws -> Report {
        var report = Report()
        // Reading the whole database takes minutes at times, and holds what was deleted meanwhile.
        if !isLive { report.problems += try await store.problems().map(Problem.database) }
        var found: [(entry: SegmentEntry, problem: Problem)] = []
        let volumes = try await rightOnes(options, &report)
        var after = options.after
        let atOnce = options.pace != nil && options.readsAll ? Self.pacedRows : Self.pageRows
        while true {
            let page = try await store.segments.pageToCheck(after: after, limit: Self.pageRows)
            guard let last = page.last else { break }
            after = last.entry.id
            let looked = page.filter { [silent = report.silent] row in
                volumes.contains(row.entry.volume) && !silent.contains(row.entry.volume)
                    && (row.entry.state == .finished || row.entry.state == .growing && !isLive)
            }
            report.segments += looked.count
            for first in stride(from: 0, to: looked.count, by: atOnce) {
                let rows = looked[first..<min(first + atOnce, looked.count)]
                try await options.pace?(rows.count, options.readsAll ? rows.reduce(0) { $0 + $1.entry.bytes } : 0)
                for (entry, problem) in try await check(rows, options, &report) where try await isStill(entry) { found.append((entry, problem)) }
            }
            try await progress(report.segments, after)
        }
        for (volume, remote) in layout.volumes.remotes { found += try await check(volume, remote, options, &report) }
        report.problems += found.map(\.problem)
        if options.repairs { try await repair(found, options, &report) }
        for volume in volumes.sorted() where !report.silent.contains(volume) { try await findUnlisted(on: volume, options, &report) }
        return report
    }

    /// A whole comparison, as the shell asks for it.
    package func run(repairs: Bool, progress: @Sendable (Int) -> Void) async throws -> Report {
        var options = Options()
        options.repairs = repairs
        return try await run(options) { count, _ in progress(count) }
    }

    // MARK: Rows

    /// What is wrong with some rows' files, volume by volume.
    private func check(_ rows: ArraySlice<SegmentToCheck>, _ options: Options, _ report: inout Report) async throws -> [(SegmentEntry, Problem)] {
        var problems: [(SegmentEntry, Problem)] = []
        for (volume, rows) in Dictionary(grouping: rows, by: \.entry.volume).sorted(by: { $0.key < $1.key }) {
            guard let looked = try await onDisk(volume, options, &report, { [layout] in try Self.look(rows, on: volume, layout, options, $0) }) else {
                continue
            }
            problems += looked.problems
            report.locked += looked.locked
            guard options.repairs || options.adopts else { continue }
            for (id, checksum) in looked.checksums { try await store.segments.setChecksum(checksum, of: id) }
        }
        return problems
    }

    /// What was found of some rows.
    private struct Looked: Sendable {
        var problems: [(SegmentEntry, Problem)] = []
        /// Of files that had none in their rows.
        var checksums: [(ID<Segment>, UInt32)] = []
        var locked = 0
    }

    private static func look(
        _ rows: [SegmentToCheck], on volume: VolumeID, _ layout: RecordingLayout, _ options: Options, _ turn: VolumeTurn
    ) throws -> Looked {
        var looked = Looked()
        for row in rows {
            try turn.goOn()
            guard layout.volumes.isUsable(volume) else { break }
            if let problem = look(row, layout) {
                // With its volume, not by itself.
                guard layout.volumes.confirm(volume) else { continue }
                looked.problems.append((row.entry, problem))
            } else if options.readsAll {
                let (problem, checksum) = try read(row, layout, &looked.locked, turn)
                if let problem {
                    guard layout.volumes.confirm(volume) else { continue }
                    looked.problems.append((row.entry, problem))
                } else if row.checksum == nil, let checksum {
                    looked.checksums.append((row.entry.id, checksum))
                }
            }
        }
        return looked
    }

    /// Size and, where that is not what it should be, the boxes.
    private static func look(_ row: SegmentToCheck, _ layout: RecordingLayout) -> Problem? {
        let entry = row.entry
        let path: String
        do { path = try layout.absolute(entry.place) } catch { return .unreadable(path: entry.path, why: "\(error)") }
        var status = stat()
        guard lstat(path, &status) == 0 else {
            return errno == ENOENT || errno == ENOTDIR
                ? .missingFile(path: entry.path) : .unreadable(path: entry.path, why: String(cString: strerror(errno)))
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return .unreadable(path: entry.path, why: "not a file") }
        if entry.state == .finished, Int64(status.st_size) == entry.bytes { return nil }
        do {
            if try layout.cipher.isLocked(try POSIXFile.openExisting(path)) { return .locked(path: entry.path) }
            let length = try StartupRecovery.scan(path, layout.cipher).kept
            guard entry.state == .finished else { return nil }
            if length < entry.bytes { return .shortFile(path: entry.path, bytes: length, expected: entry.bytes) }
            return .longFile(path: entry.path, bytes: Int64(status.st_size), expected: entry.bytes)
        } catch let error as FileError where error.isMissing {
            return .missingFile(path: entry.path)
        } catch {
            return .unreadable(path: entry.path, why: "\(error)")
        }
    }

    /// Every byte of a file of the right size.
    private static func read(
        _ row: SegmentToCheck, _ layout: RecordingLayout, _ locked: inout Int, _ turn: VolumeTurn
    ) throws -> (Problem?, checksum: UInt32?) {
        let entry = row.entry
        guard entry.state == .finished else { return (nil, nil) }
        do {
            let path = try layout.absolute(entry.place)
            let checksum = try FileChecksum.of(path) { try turn.goOn() }
            // What is read anew already may still not be what was written when nobody noted its checksum then.
            if let known = row.checksum, known != checksum { return (.alteredFile(path: entry.path), nil) }
            if try layout.cipher.isLocked(try POSIXFile.openExisting(path)) {
                locked += 1
                return (nil, checksum)
            }
            let scan = try StartupRecovery.scan(path, layout.cipher)
            guard scan.kept == entry.bytes else {
                return (.shortFile(path: entry.path, bytes: scan.kept, expected: entry.bytes), nil)
            }
            do { try scan.sealed?.verify { try turn.goOn() } } catch let error as NVRError where error.kind == .dataLoss {
                return (.alteredFile(path: entry.path), nil)
            }
            if let identity = scan.identity, identity.cameraID != entry.cameraID || identity.start != entry.start {
                return (.wrongRow(path: entry.path), nil)
            }
            return (nil, checksum)
        } catch let error as FileError where error.isMissing {
            return (.missingFile(path: entry.path), nil)
        } catch let error as CancellationError {
            throw error
        } catch {
            return (.unreadable(path: entry.path, why: "\(error)"), nil)
        }
    }

    /// Whether an entry is as it was: while the server runs, it may have been deleted after it was read.
    func isStill(_ entry: SegmentEntry) async throws -> Bool {
        guard isLive else { return true }
        guard let now = try await store.segments.get(entry.id) else { return false }
        return now.state == entry.state && now.volume == entry.volume
    }

    // MARK: Files

    /// Files that no row knows, folder by folder. One whose path is known on another volume is the copy or the original of footage that is
    /// being moved.
    private func findUnlisted(on volume: VolumeID, _ options: Options, _ report: inout Report) async throws {
        guard let root = layout.volumes.root(of: volume) else { return }
        var folders = [""]
        while let folder = folders.popLast() {
            guard let content = try await onDisk(volume, options, &report, { _ in FolderContent(root, folder) }) else { return }
            folders += content.folders
            report.files += content.files.count
            var rest = content.files.filter { $0.hasSuffix(".mp4") }[...]
            while !rest.isEmpty {
                let batch = Array(rest.prefix(Self.pageRows))
                rest = rest.dropFirst(batch.count)
                try await options.pace?(batch.count, 0)
                let known = try await store.segments.listed(among: batch)
                try await take(batch.filter { !known.contains($0) }, on: volume, options, &report)
            }
        }
    }

    /// Tells of files that no row knows, and lists those again that say what they are.
    func take(_ paths: [String], on volume: VolumeID, _ options: Options, _ report: inout Report) async throws {
        guard !paths.isEmpty else { return }
        let taken = try await onDisk(volume, options, &report) { [layout, isLive] turn in
            try Self.describe(paths.map { FootagePlace(volume, $0) }, layout, isLive: isLive, options, turn)
        }
        guard let taken else { return }
        report.locked += taken.locked.count
        report.problems += taken.locked.sorted { $0.path < $1.path }.map { Problem.locked(path: $0.path) }
        report.problems += taken.old.map { Problem.unlisted(path: $0.path) }
        let adopted = try await store.segments.adopt(taken.found.map { ($0.segment, $0.closing) })
        report.adopted += adopted
        report.repaired += adopted
    }

    /// What files are that no row knows.
    private struct Taken: Sendable {
        /// Nobody writes to them any more, and they can be read.
        var old: [FootagePlace] = []
        var found: [Description] = []
        /// Encrypted with a key that is not there.
        var locked: Set<FootagePlace> = []
    }

    private static func describe(
        _ places: [FootagePlace], _ layout: RecordingLayout, isLive: Bool, _ options: Options, _ turn: VolumeTurn
    ) throws -> Taken {
        var taken = Taken()
        for place in places {
            try turn.goOn()
            guard !isLive || options.takesYoung || place.volume.isRemote || !isYoung(place, layout) else { continue }
            // What cannot be opened is told by what is tried with it next.
            if (try? layout.cipher.isLocked(layout.volumes.openAsStored(place))) ?? false {
                taken.locked.insert(place)
                continue
            }
            taken.old.append(place)
            if options.repairs || options.adopts, let description = description(of: place, layout) { taken.found.append(description) }
        }
        return taken
    }

    /// Whether a file that no row knew is one that a row may know by now.
    private static func isYoung(_ place: FootagePlace, _ layout: RecordingLayout) -> Bool {
        var status = stat()
        guard let path = try? layout.absolute(place), stat(path, &status) == 0 else { return true }
        let age = Int64(time(nil)) - Int64(status.st_mtim.tv_sec)
        // A file of the future was written before the clock was set back.
        return age >= 0 && age < youngest
    }

    private struct Description: Sendable {
        var segment: Segment
        var closing: SegmentClosing
    }

    /// The row of a file by what it says of itself; nil for one that is not ours or holds nothing whole.
    private static func description(of place: FootagePlace, _ layout: RecordingLayout) -> Description? {
        // What cannot be read stays a problem of the report.
        guard let scan = try? StartupRecovery.scan(try layout.volumes.open(place)), let identity = scan.identity,
            let track = scan.file.indexedTrack,
            case .video(let entry) = track.kind
        else { return nil }
        let segment = Segment(
            id: ID(0), cameraID: identity.cameraID, role: identity.role, run: identity.run, volume: place.volume, path: place.path,
            start: identity.start,
            end: identity.start, bytes: 0, state: .intended, width: entry.width, height: entry.height,
            codecs: scan.file.tracks.map(\.codecString).joined(separator: ","), initLength: scan.file.initRange.upperBound,
            timescale: Int(track.timescale), index: [], key: scan.sealed?.keyID.description)
        return scan.closing(of: segment).map { Description(segment: segment, closing: $0) }
    }
}

extension StartupRecovery.Scan {
    /// What the file says of itself; nil for one that is not ours.
    var identity: SegmentIdentity? {
        guard let box = file.identification, box.type == SegmentIdentity.boxType else { return nil }
        return SegmentIdentity(payload: box.payload)
    }
}
