import ISOBMFF
import NIOCore
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import S3
import Synchronization

/// Brings one piece after another into a bucket: small ones whole, large ones in parts, one part a call, so that something more urgent
/// may go in between and a restart goes on where it was.
final class PieceUpload: Sendable {
    /// The footage cannot be read any more.
    struct Unreadable: Error {
        let segment: ID<Segment>
        let reason: String
        /// Its volume is away and may come back.
        var isForNow = false
        /// It does not answer, so nothing else there can be read, either.
        var silent: VolumeID?
    }

    private let profile: ID<S3Profile>
    private let bucket: Bucket
    private let environment: OffsiteEnvironment
    /// Parts that the server has of uploads that go on here, by their ids. After a restart it is asked.
    private let parts = Mutex<[String: [S3Part]]>([:])

    init(profile: ID<S3Profile>, bucket: Bucket, environment: OffsiteEnvironment) {
        self.profile = profile
        self.bucket = bucket
        self.environment = environment
    }

    /// Begins a piece, and ends it when it is small.
    func begin(_ piece: OffsitePiece, of segment: Segment) async throws {
        if piece.bytes <= Bucket.partBytes {
            let bytes = try await bytes(0..<piece.bytes, of: piece, segment)
            _ = try await bucket.client.put(piece.key, bytes, contentType: "video/mp4")
            try await environment.store.offsite.put(piece, of: profile, at: environment.now)
        } else {
            let id = try await bucket.client.createUpload(piece.key, contentType: "video/mp4")
            var begun = piece
            begun.uploadID = id
            parts.withLock { $0[id] = [] }
            try await environment.store.offsite.put(begun, of: profile, at: environment.now)
            try await goOn(with: begun, of: segment)
        }
    }

    /// Sends the next part of a piece that was begun, or completes it.
    func goOn(with piece: OffsitePiece, of segment: Segment) async throws {
        guard let id = piece.uploadID else { return }
        let there: [S3Part]
        do {
            if let known = parts.withLock({ $0[id] }) { there = known } else { there = try await bucket.client.listParts(piece.key, upload: id) }
        } catch let error as S3Error where error.isUploadGone {
            return try await settle(piece)
        }
        let count = Int((piece.bytes + Bucket.partBytes - 1) / Bucket.partBytes)
        func range(_ number: Int) -> Range<Int64> { Int64(number - 1) * Bucket.partBytes..<min(Int64(number) * Bucket.partBytes, piece.bytes) }
        var good = there.filter { (1...count).contains($0.number) && $0.size == Int64(range($0.number).count) }
        do {
            if let number = (1...count).first(where: { number in !good.contains { $0.number == number } }) {
                let bytes = try await bytes(range(number), of: piece, segment)
                let etag = try await bucket.client.uploadPart(piece.key, upload: id, number: number, bytes)
                good.append(S3Part(number: number, etag: etag, size: Int64(bytes.readableBytes)))
                parts.withLock { $0[id] = good }
                if good.count < count { return }
            }
            try await bucket.client.completeUpload(piece.key, upload: id, parts: good)
        } catch let error as S3Error where error.isUploadGone {
            return try await settle(piece)
        }
        try await done(piece)
    }

    /// Gives up a piece that was begun.
    func giveUp(_ piece: OffsitePiece) async throws {
        guard let id = piece.uploadID else { return }
        try await bucket.client.abortUpload(piece.key, upload: id)
        parts.withLock { _ = $0.removeValue(forKey: id) }
        try await environment.store.offsite.forget(piece, of: profile)
    }

    /// The upload is gone: it was completed and nobody noted it, or the bucket swept it away.
    private func settle(_ piece: OffsitePiece) async throws {
        do {
            if try await bucket.client.head(piece.key).size == piece.bytes { return try await done(piece) }
        } catch let error as S3Error where error.isMissing {
            // It begins anew.
        }
        if let id = piece.uploadID { parts.withLock { _ = $0.removeValue(forKey: id) } }
        try await environment.store.offsite.forget(piece, of: profile)
        // After a pause: a server that forgets every upload is not asked without end.
        throw S3Error.unreachable("the upload in parts is gone; it begins anew")
    }

    private func done(_ piece: OffsitePiece) async throws {
        var done = piece
        done.uploadID = nil
        if let id = piece.uploadID { parts.withLock { _ = $0.removeValue(forKey: id) } }
        try await environment.store.offsite.put(done, of: profile, at: environment.now)
    }

    /// Bytes that the object of a stretch of whole fragments will have.
    func bytes(of segment: Segment, _ stretch: Range<Int64>) async throws -> Int64 {
        let storedRange = environment.storedRange
        return try await onVolume(of: segment) {
            Int64(try storedRange(segment, 0..<segment.initLength).count + storedRange(segment, stretch).count)
        }
    }

    /// Reads on the thread of a segment's volume. Throws `Unreadable` for whatever goes wrong, also when the volume does not answer.
    private func onVolume<Value: Sendable>(of segment: Segment, _ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        // Requests to another bucket have deadlines of their own.
        let patience = segment.volume.isRemote ? VolumeThreads.longest : environment.patience
        do {
            return try await environment.threads.run(on: segment.volume, patience: patience) {
                do { return try body() } catch {
                    throw Unreadable(segment: segment.id, reason: "\(error)", isForNow: (error as? NVRError)?.kind == .unavailable)
                }
            }
        } catch let error as NVRError where error.underlying is DiskThread.Unanswered {
            try Task.checkCancellation()
            throw Unreadable(segment: segment.id, reason: error.message, isForNow: true, silent: segment.volume)
        }
    }

    /// Bytes of the object: the head of the file, and behind it the stretch, as they lie there.
    private func bytes(_ range: Range<Int64>, of piece: OffsitePiece, _ segment: Segment) async throws -> ByteBuffer {
        let (read, storedRange) = (environment.read, environment.storedRange)
        return try await onVolume(of: segment) {
            var buffer = ByteBuffer()
            buffer.reserveCapacity(range.count)
            let head = try storedRange(segment, 0..<segment.initLength).upperBound
            let stretch = try storedRange(segment, piece.offset..<piece.endOffset).lowerBound
            if range.lowerBound < head {
                buffer.writeBytes(try read(segment, range.lowerBound, Int(min(range.upperBound, head) - range.lowerBound)))
            }
            if range.upperBound > head {
                let first = max(range.lowerBound, head)
                buffer.writeBytes(try read(segment, stretch + first - head, Int(range.upperBound - first)))
            }
            guard buffer.readableBytes == range.count else { throw NVRError(.dataLoss, "its file is shorter than it was") }
            return buffer
        }
    }
}
