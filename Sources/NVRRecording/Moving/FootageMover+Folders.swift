import NVRBase
import NVRModel
import NVRStore

/// Moves into folders.
extension FootageMover {
    /// Puts a true copy in its place. What an earlier try has done is not done again.
    func copy(_ file: MovableFile, to target: FootagePlace) async throws {
        guard let root = volumes.root(of: target.volume) else { throw NVRError(.unavailable, "the volume is not known any more") }
        let path = try volumes.file(target)
        let source = try await source(of: file)
        guard try await !isThere(source.file, from: file.place.volume, target, path, source.length) else { return }
        var pace = try await pace()
        let work = try await begin(source.file, from: file.place.volume, target, path, below: root, source.length)
        while !work.isWhole {
            let count = try await threads.run(on: target.volume, also: [file.place.volume]) { () throws -> Int64 in try work.copyNext() }
            try await wait(count, &pace)
        }
        try await afterStep(.copied)
        try await threads.run(on: target.volume) { () throws -> Void in try work.sync() }
        try await afterStep(.synced)
        let isTrue = try await threads.run(on: target.volume, also: [file.place.volume]) { () throws -> Bool in
            if try work.isTrue() { return true }
            // Begun anew by the next round.
            try POSIXFile.remove(work.partPath)
            return false
        }
        guard isTrue else { throw NVRError(.dataLoss, "the copy differs from the original") }
        try await afterStep(.compared)
        try await threads.run(on: target.volume) { () throws -> Void in try work.name() }
        try await afterStep(.named)
    }

    /// The file as it lies there, whole: what is in it is nobody's business here.
    func source(of file: MovableFile) async throws -> (file: any FootageFile, length: Int64) {
        try await threads.run(on: file.place.volume) { [volumes] in
            let source = try volumes.openAsStored(file.place)
            let length = try source.length()
            guard length > 0, length >= file.bytes else { throw NVRError(.dataLoss, "the file is shorter than its row says") }
            return (source, length)
        }
    }

    func pace() async throws -> MovePace {
        let rate = Int64(try await store.settings.values()[Settings.archivalMaxMBPerSecond]) << 20
        return MovePace(rate: rate > 0 ? rate : nil, now: clock.monotonic())
    }

    /// Counts bytes, and waits as long as the limit wants.
    func wait(_ count: Int64, _ pace: inout MovePace) async throws {
        let wait = pace.copied(count, now: clock.monotonic())
        if wait > 0 { try await Task.sleep(for: .microseconds(wait)) }
        try Task.checkCancellation()
    }

    /// Begins a copy, but nothing where the volume is not mounted.
    private func begin(
        _ source: any FootageFile, from origin: VolumeID, _ target: FootagePlace, _ path: String, below root: String, _ bytes: Int64
    ) async throws -> SegmentCopy {
        try await threads.run(on: target.volume, also: [origin]) { [volumes] () throws -> SegmentCopy in
            let absence = NVRError(.unavailable, "the volume \(target.volume) is not there any more")
            guard volumes.confirm(target.volume) else { throw absence }
            let work = try SegmentCopy(from: source, to: path, below: root, length: bytes)
            guard volumes.confirm(target.volume) else {
                // It went in between: then this lies where it was mounted.
                try POSIXFile.remove(work.partPath)
                if let folder = POSIXFile.parent(of: path) { POSIXFile.removeEmptyDirectories(from: folder, below: root) }
                throw absence
            }
            return work
        }
    }

    /// Whether a true copy has its name already. Throws `conflict` when another file has it.
    private func isThere(
        _ source: any FootageFile, from origin: VolumeID, _ target: FootagePlace, _ path: String, _ bytes: Int64
    ) async throws -> Bool {
        try await threads.run(on: target.volume, also: [origin]) { () throws -> Bool in
            guard POSIXFile.exists(path) else { return false }
            guard try SegmentCopy.isSame(source, path, length: bytes) else {
                throw NVRError(.conflict, "a file that nobody knows lies where footage is to move")
            }
            return true
        }
    }

    func hasRoom(_ target: FootagePlace, _ bytes: Int64) async throws -> Bool {
        try await threads.run(on: target.volume) { [volumes] () throws -> Bool in
            guard let root = volumes.root(of: target.volume) else { throw NVRError(.unavailable, "the volume is not known any more") }
            let space = try POSIXFile.space(at: root)
            let part = POSIXFile.length(at: SegmentCopy.part(of: "\(root)/\(target.path)")) ?? 0
            return space.free + part - bytes >= min(Self.keptFree, space.total / 50)
        }
    }

    /// Removes what is left of a copy; false when its volume is not there.
    func clearFolder(of move: NotedMove, isInUse: Bool) async throws -> Bool {
        try await threads.run(on: move.target.volume) { [volumes] () throws -> Bool in
            guard volumes.confirm(move.target.volume) else { return false }
            let path = try volumes.file(move.target)
            try POSIXFile.remove(SegmentCopy.part(of: path))
            if !isInUse { try POSIXFile.remove(path) }
            return volumes.confirm(move.target.volume)
        }
    }
}
