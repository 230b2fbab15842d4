import Crypto
import Logging
import NVRBase
import NVRModel
import NVRStore
import Synchronization

/// Moves into buckets. What proves a copy: its length, and every byte of it read back from the bucket, past all that is kept of it, with the
/// SHA-256 of the original.
extension FootageMover {
    /// Bytes that are read back at a time.
    private static let readBack: Int64 = 4 << 20

    /// Puts a true copy in its place. What an earlier try has sent is not sent again.
    func upload(_ file: MovableFile, _ move: inout NotedMove, into remote: any RemoteVolume) async throws {
        let path = move.target.path
        let source = try await source(of: file)
        var pace = try await pace()
        if let size = try await remote.size(of: path) {
            if size == source.length, try await isSame(source.file, on: file.place.volume, size, as: path, in: remote, &pace) { return }
            guard move.upload != nil else { throw NVRError(.conflict, "an object that nobody knows lies where footage is to move") }
            // Of an earlier try, and not what it should be.
            try await remote.remove([path])
        }
        let work = try await remote.upload(path, length: source.length, goingOnWith: move.upload)
        if work.token != move.upload {
            move.upload = work.token
            guard try await store.segments.noteUpload(work.token, of: move) else {
                try await remote.abandon(path, token: work.token)
                throw NVRError(.conflict, "the move was given up")
            }
        }
        while let range = work.next {
            try await work.send(try await bytes(of: source.file, on: file.place.volume, range))
            try await wait(Int64(range.count), &pace)
        }
        try await afterStep(.copied)
        try await work.finish()
        try await afterStep(.synced)
        guard try await remote.size(of: path) == source.length,
            try await isSame(source.file, on: file.place.volume, source.length, as: path, in: remote, &pace)
        else {
            try await remote.remove([path])
            throw NVRError(.dataLoss, "what lies in the bucket differs from the original")
        }
        try await afterStep(.compared)
        try await afterStep(.named)
    }

    private func bytes(of file: any FootageFile, on volume: VolumeID, _ range: Range<Int64>) async throws -> [UInt8] {
        try await threads.run(on: volume) { () throws -> [UInt8] in
            let bytes = try file.read(at: range.lowerBound, count: range.count)
            guard bytes.count == range.count else { throw NVRError(.dataLoss, "the file became shorter while it was copied") }
            return bytes
        }
    }

    /// Whether a bucket gives back what a file has in its first `length` bytes.
    private func isSame(
        _ source: any FootageFile, on volume: VolumeID, _ length: Int64, as path: String, in remote: any RemoteVolume, _ pace: inout MovePace
    ) async throws -> Bool {
        var (wanted, found) = (SHA256(), SHA256())
        var position: Int64 = 0
        while position < length {
            let range = position..<min(position + Self.readBack, length)
            wanted.update(data: try await bytes(of: source, on: volume, range))
            found.update(data: try await remote.read(path, range))
            position = range.upperBound
            try await wait(Int64(range.count), &pace)
        }
        return wanted.finalize() == found.finalize()
    }

    /// Gives up what an earlier run had begun to send and does not know any more, once for each bucket.
    func tidy(_ targets: Set<VolumeID>) async throws {
        let moves = try await store.segments.moves()
        for volume in targets.union(moves.map(\.target.volume)).sorted() where !tidied.withLock({ $0.contains(volume) }) {
            guard let remote = volumes.remote(volume), await remote.isRightOne() else { continue }
            let known = moves.filter { $0.target.volume == volume }.compactMap { move in move.upload.map { (path: move.target.path, token: $0) } }
            do {
                let count = try await remote.abandonUploads(but: known)
                if count > 0 {
                    logger.notice("uploads of an earlier run were given up", metadata: ["bucket": "\(remote.name)", "count": "\(count)"])
                }
                tidied.withLock { _ = $0.insert(volume) }
            } catch let error as NVRError {
                // It is tried again; parts that are stored for longer cost money and no footage.
                logger.warning("uploads of an earlier run cannot be given up", metadata: ["bucket": "\(remote.name)", "error": "\(error)"])
            }
        }
    }

    /// Removes what is left of a copy; false when its bucket is not there.
    func clear(_ move: NotedMove, isInUse: Bool, in remote: any RemoteVolume) async throws -> Bool {
        guard await remote.isRightOne() else { return false }
        // Without one, nothing of ours was sent.
        guard let token = move.upload else { return true }
        do {
            try await remote.abandon(move.target.path, token: token)
            if !isInUse { try await remote.remove([move.target.path]) }
        } catch let error as NVRError where error.kind == .unavailable {
            return false
        }
        return await remote.isRightOne()
    }
}
