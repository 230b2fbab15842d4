import ISOBMFF
import NVRBase
import NVRModel
import NVRStore

/// Comparing rows with the objects of a bucket: its list is read page by page, and single objects are asked for only where the list and the
/// rows differ. A bucket that cannot be reached, or is another one, is left alone. No object is ever deleted for what a comparison found.
extension IntegrityCheck {
    /// Which segments the list of a bucket named: a bit for each id, as lists need not be in any order.
    struct SeenSegments: Sendable {
        private var words: [Int64: UInt64] = [:]

        mutating func insert(_ id: Int64) { words[id >> 6, default: 0] |= 1 << UInt64(id & 63) }
        func contains(_ id: Int64) -> Bool { words[id >> 6].map { $0 & 1 << UInt64(id & 63) != 0 } ?? false }
    }

    /// Pages of a list that are read: a server that never ends is not followed for ever.
    private static let mostPages = 100_000

    /// What is wrong with the rows of a bucket; objects that no row knows are told, and listed again when asked for, on the way.
    func check(
        _ volume: VolumeID, _ remote: any RemoteVolume, _ options: Options, _ report: inout Report
    ) async throws -> [(entry: SegmentEntry, problem: Problem)] {
        let holding = try await store.segments.holding(of: volume)
        guard await remote.isRightOne() else {
            // A bucket that nothing was ever moved to is none of a comparison's business.
            if holding.recordings > 0 || remote.loss != nil {
                report.notes.append("the bucket \(remote.name) was left alone: \(remote.loss?.detail ?? "it has no marker")")
            }
            return []
        }
        do {
            var found: [(entry: SegmentEntry, problem: Problem)] = []
            let newest = try await store.segments.newestID()
            var seen = SeenSegments()
            var next: String?
            var pages = 0
            repeat {
                try Task.checkCancellation()
                try await options.pace?(1, 0)
                let page = try await remote.list(after: next)
                report.files += page.files.count
                found += try await compare(page.files.filter { $0.path.hasSuffix(".mp4") }, volume, remote, &seen, options, &report)
                // A server that repeats itself is not followed.
                next = page.next == next ? nil : page.next
                pages += 1
            } while next != nil && pages < Self.mostPages
            found += try await missing(volume, remote, seen, upTo: newest, options, &report)
            guard await remote.isRightOne() else {
                report.notes.append("the bucket \(remote.name) went while it was compared; what was found there is not told")
                return []
            }
            return found
        } catch let error as NVRError where error.kind == .unavailable {
            report.notes.append("the bucket \(remote.name) was left alone: \(error.message)")
            return []
        }
    }

    private func compare(
        _ files: [(path: String, bytes: Int64)], _ volume: VolumeID, _ remote: any RemoteVolume, _ seen: inout SeenSegments, _ options: Options,
        _ report: inout Report
    ) async throws -> [(entry: SegmentEntry, problem: Problem)] {
        guard !files.isEmpty else { return [] }
        var found: [(entry: SegmentEntry, problem: Problem)] = []
        var unknown: [FootagePlace] = []
        let rows = try await store.segments.rows(at: files.map(\.path))
        for (path, bytes) in files {
            guard let row = rows[path] else {
                unknown.append(FootagePlace(volume, path))
                continue
            }
            // A path of another volume: the copy or the original of footage that is being moved.
            guard row.entry.volume == volume, row.entry.state == .finished else { continue }
            seen.insert(row.entry.id.rawValue)
            if let problem = Self.problem(row.entry, bytes), try await isStill(row.entry) { found.append((row.entry, problem)) }
        }
        // Since the list was made, it may have been deleted with its row.
        var orphans: [String] = []
        for place in unknown {
            if try await store.segments.isGarbage(place) { continue }
            if try await remote.size(of: place.path) != nil { orphans.append(place.path) }
        }
        try await take(orphans, on: volume, options, &report)
        return found
    }

    private static func problem(_ entry: SegmentEntry, _ bytes: Int64) -> Problem? {
        if bytes == entry.bytes { return nil }
        return bytes < entry.bytes
            ? .shortFile(path: entry.path, bytes: bytes, expected: entry.bytes) : .longFile(path: entry.path, bytes: bytes, expected: entry.bytes)
    }

    /// Rows that the list did not name are asked for one by one: only a 404 makes one missing. Those that are there are read when that is
    /// wanted.
    private func missing(
        _ volume: VolumeID, _ remote: any RemoteVolume, _ seen: SeenSegments, upTo newest: Int64, _ options: Options, _ report: inout Report
    ) async throws -> [(entry: SegmentEntry, problem: Problem)] {
        var found: [(entry: SegmentEntry, problem: Problem)] = []
        var after: Int64 = 0
        while true {
            try Task.checkCancellation()
            let page = try await store.segments.finished(on: volume, after: after, limit: Self.pageRows)
            guard let last = page.last else { return found }
            after = last.entry.id.rawValue
            report.segments += page.count
            // Those that came after the list was begun are not judged by it.
            for row in page where row.entry.id.rawValue <= newest && !seen.contains(row.entry.id.rawValue) {
                let bytes = try await remote.size(of: row.entry.path)
                let problem = bytes.map { Self.problem(row.entry, $0) } ?? .missingFile(path: row.entry.path)
                if let problem, try await isStill(row.entry) { found.append((row.entry, problem)) }
            }
            if options.readsAll, options.readsBuckets { found += try await read(page, on: volume, options, &report) }
        }
    }

    /// Every byte of some objects.
    private func read(
        _ rows: [SegmentToCheck], on volume: VolumeID, _ options: Options, _ report: inout Report
    ) async throws -> [(entry: SegmentEntry, problem: Problem)] {
        var found: [(entry: SegmentEntry, problem: Problem)] = []
        for row in rows {
            try Task.checkCancellation()
            try await options.pace?(1, row.entry.bytes)
            let sum: UInt32
            do {
                let read = try await onDisk(volume, options, &report) { [layout] turn in
                    try FileChecksum.of(try layout.volumes.openAsStored(row.entry.place)) { try turn.goOn() }
                }
                guard let read else { return found }
                sum = read
            } catch let error as NVRError where error.kind == .notFound {
                // It is missing, and told of as that.
                continue
            }
            if let known = row.checksum, known != sum, try await isStill(row.entry) {
                found.append((row.entry, .alteredFile(path: row.entry.path)))
            } else if row.checksum == nil, options.repairs || options.adopts {
                try await store.segments.setChecksum(sum, of: row.entry.id)
            }
        }
        return found
    }

    // MARK: Repair

    /// Mends a row of a bucket. Objects are not changed.
    func repair(
        _ entry: SegmentEntry, _ problem: Problem, in remote: any RemoteVolume, _ options: Options, _ report: inout Report
    ) async throws -> Bool {
        guard await remote.isRightOne() else { return false }
        switch problem {
        case .missingFile:
            // A last look: what is there stays.
            guard try await remote.size(of: entry.path) == nil, await remote.isRightOne() else { return false }
            // What is held stays as it is.
            let garbage = try await store.segments.markGarbage([entry.id])
            try await store.segments.removeGarbage(garbage.map(\.id))
            return !garbage.isEmpty
        case .shortFile, .longFile:
            guard let segment = try await store.segments.get(entry.id) else { return false }
            let closing = try await onDisk(entry.volume, options, &report) { [layout] (_) throws -> SegmentClosing? in
                // What cannot be read stays a problem of the report.
                guard let scan = try? StartupRecovery.scan(try layout.volumes.open(entry.place)) else { return nil }
                // Objects cannot be cut: a rest behind the last whole fragment would differ again.
                return scan.length == scan.kept ? scan.closing(of: segment) : nil
            }
            guard let closing = closing ?? nil else { return false }
            try await store.segments.finish(entry.id, closing)
            return true
        case .unreadable, .alteredFile, .wrongRow, .unlisted, .locked, .database: return false
        }
    }
}
