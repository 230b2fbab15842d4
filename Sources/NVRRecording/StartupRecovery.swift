package import ISOBMFF
package import Logging
import NVRBase
package import NVRModel
package import NVRStore

/// Finishes what the last end of the program interrupted: segments that were being written get their final rows from their own
/// files, the first deletions go on, events that never ended are ended. Runs before cameras start, and for a volume that is back. Files are read on
/// threads of their volumes.
package struct StartupRecovery: Sendable {
    /// What was found and done.
    package struct Report: Sendable, Equatable {
        package var finished = 0
        package var discarded = 0
        package var truncatedBytes: Int64 = 0
        package var removedFiles = 0
        package var endedEvents = 0
        package var notes: [String] = []

        package init() {}
    }

    private let layout: RecordingLayout
    private let store: Store
    private let logger: Logger
    private let later: (@Sendable (WaitingRows.Entry) async -> Void)?
    /// A disk may have to spin up.
    private static let patience = Duration.seconds(30)

    /// `later` takes rows that the database refuses because its disk is full: a server must start then, too.
    package init(
        layout: RecordingLayout, store: Store, logger: Logger, later: (@Sendable (WaitingRows.Entry) async -> Void)? = nil
    ) {
        self.layout = layout
        self.store = store
        self.logger = logger
        self.later = later
    }

    /// Of one run: they end with it.
    private var threads: VolumeThreads { VolumeThreads("recovery", volumes: layout.volumes) }

    /// `now`: events without footage end here at the latest.
    package func run(now: WallTime) async throws -> Report {
        var report = Report()
        let threads = threads
        // What lies on a volume that is not there waits for it.
        try await finish(on: await threads.confirmed(patience: Self.patience), but: [], threads, &report)
        do {
            try await removeGarbage(threads, &report)
            report.endedEvents = try await store.events.closeStale(at: now)
        } catch let error as NVRError where error.kind == .exhausted {
            report.notes.append("\(error)")
            logger.error("the disk is full: deletions and events of the last run are put in order by the next start", metadata: ["error": "\(error)"])
        }
        return report
    }

    /// Finishes the segments of a volume that is back. `writing`: those that are being written now. Nothing new may be begun on it
    /// meanwhile.
    package func run(on volume: VolumeID, writing: Set<ID<Segment>>) async throws -> Report {
        var report = Report()
        let threads = threads
        try await finish(on: await threads.confirmed([volume], patience: Self.patience), but: writing, threads, &report)
        return report
    }

    private func finish(on volumes: Set<VolumeID>, but writing: Set<ID<Segment>>, _ threads: VolumeThreads, _ report: inout Report) async throws {
        for segment in try await store.segments.unfinished() where volumes.contains(segment.volume) && !writing.contains(segment.id) {
            do {
                try await finish(segment, threads, &report)
            } catch {
                // One bad file must not keep the server from recording.
                report.notes.append("\(segment.path): \(error)")
                logger.error("an interrupted segment could not be finished", metadata: ["path": "\(segment.path)", "error": "\(error)"])
            }
        }
    }

    /// Enters a row, now or when the disk allows it.
    private func enter(_ change: SegmentChange) async throws {
        do {
            _ = try await store.segments.commit([change])
        } catch let error as NVRError where error.kind == .exhausted {
            guard let later else { throw error }
            await later(WaitingRows.Entry(change))
        }
    }

    private func finish(_ segment: Segment, _ threads: VolumeThreads, _ report: inout Report) async throws {
        let found = try await threads.run(on: segment.volume) { [layout] in try Self.settle(segment, layout) }
        guard let found else {
            try await enter(.discard(segment.id))
            report.discarded += 1
            return
        }
        report.truncatedBytes += found.cut
        try await enter(.finish(segment.id, found.closing))
        report.finished += 1
    }

    /// Cuts a file behind its last whole fragment; gives its row, and how many bytes went. Nil: there was none, and the file is gone.
    private static func settle(_ segment: Segment, _ layout: RecordingLayout) throws -> (closing: SegmentClosing, cut: Int64)? {
        let path = try layout.absolute(segment.place)
        let scanned: Scan?
        do {
            scanned = try scan(path, layout.cipher)
        } catch let error as FileError where error.isMissing {
            scanned = nil
        } catch let error as ISOBMFFError where isWithoutFootage(error, segment) {
            scanned = nil
        }
        guard let scanned, var closing = scanned.closing(of: segment) else {
            try POSIXFile.remove(path)
            return nil
        }
        closing.bytes = try scanned.cut(path)
        return (closing, scanned.length - scanned.kept)
    }

    /// Whether a file that cannot be read never held a fragment. A file whose head is not all there holds none; one that was still
    /// announced only had not been synced when the power went, so the file system may have filled it with anything.
    private static func isWithoutFootage(_ error: ISOBMFFError, _ segment: Segment) -> Bool {
        switch error {
        case .unreadable: false
        case .truncated: true
        case .malformed, .unsupported, .tooLarge: segment.state == .intended
        }
    }

    /// A segment file as it lies on the disk.
    package struct Scan: Sendable {
        package var file: FragmentedFile
        /// Bytes that lie there.
        package var length: Int64
        /// Of these, up to the end of the last whole fragment, or of what ends an encrypted file behind it.
        package var kept: Int64
        /// How to read it, when it is encrypted.
        var sealed: SealedFile?

        /// The final row of a segment by its file; nil when no whole fragment is there.
        package func closing(of segment: Segment) -> SegmentClosing? {
            guard let last = file.index.entries.last, let track = file.indexedTrack else { return nil }
            let timescale = Int64(max(1, track.timescale))
            var closing = SegmentClosing(
                end: segment.start.advanced(byMicroseconds: last.endTime / timescale * 1_000_000 + last.endTime % timescale * 1_000_000 / timescale),
                bytes: kept, index: file.index.packed())
            closing.initLength = file.initRange.upperBound
            closing.timescale = Int(timescale)
            return closing
        }
    }

    /// Throws `unavailable` for a file that is encrypted with a key that is not there.
    package static func scan(_ path: String, _ cipher: FootageCipher) throws -> Scan {
        try scan(try cipher.open(try POSIXFile.openExisting(path)))
    }

    /// Of a file as `Volumes` and `FootageCipher` open it.
    static func scan(_ file: any FootageFile) throws -> Scan {
        if let sealed = file as? SealedFile { return try Scan(sealed, length: try sealed.stored.length()) }
        if try FootageCipher.isTornHead(file) { throw ISOBMFFError.truncated("encrypted file") }
        let length = try file.length()
        let scanned = try FragmentedFile(length: length) { offset, count in try file.read(at: offset, count: count) }
        return Scan(file: scanned, length: length, kept: scanned.completeLength)
    }

    /// Deletions that a start goes on with before cameras run: a million of them, which a camera of some years leaves behind, would keep
    /// everything from being recorded for minutes. `MediaRemoval.sweepWhatIsLeft` takes the rest.
    package static let deletionsAtStart = 500

    private func removeGarbage(_ threads: VolumeThreads, _ report: inout Report) async throws {
        let volumes = await threads.confirmed(patience: Self.patience)
        let garbage = try await store.segments.garbage(on: volumes, limit: Self.deletionsAtStart)
        let gone = try await unlink(garbage.map(\.place), threads, &report)
        try await store.segments.removeGarbage(garbage.filter { gone.contains($0.place) }.map(\.id))
        let files = try await store.segments.garbageFiles(on: volumes, limit: Self.deletionsAtStart)
        try await store.segments.removeGarbageFiles(Array(try await unlink(files, threads, &report)))
    }

    /// Gives what is gone: of volumes that were the right ones all the time. A file that cannot be deleted is left to the next deletion:
    /// it must not keep cameras from recording.
    private func unlink(_ places: [FootagePlace], _ threads: VolumeThreads, _ report: inout Report) async throws -> Set<FootagePlace> {
        var all: Set<FootagePlace> = []
        for (volume, places) in Dictionary(grouping: places, by: \.volume) {
            do {
                let (gone, removed, failure) = try await threads.run(on: volume) { [layout] in
                    var (gone, removed, failure) = ([FootagePlace](), 0, FileError?.none)
                    for place in places {
                        let path = try layout.absolute(place)
                        do throws(FileError) {
                            if try POSIXFile.remove(path) { removed += 1 }
                            gone.append(place)
                        } catch {
                            failure = failure ?? error
                        }
                    }
                    return (layout.volumes.confirm(volume) ? gone : [], removed, failure)
                }
                report.removedFiles += removed
                all.formUnion(gone)
                if let failure {
                    report.notes.append("\(failure)")
                    logger.error("files that were given up cannot be deleted", metadata: ["volume": "\(volume)", "error": "\(failure)"])
                }
            } catch let error as NVRError where error.kind == .unavailable {
                report.notes.append("volume \(volume): \(error)")
            }
        }
        return all
    }
}
