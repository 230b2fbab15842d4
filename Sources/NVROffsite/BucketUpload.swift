import NIOCore
import NVRBase
import NVRRecording
import S3
import Synchronization

/// A file on its way into a bucket: a small one in one request at the end, a large one in parts, which the server keeps over a restart.
/// Every byte is covered by the signature and the MD5 that the server checks.
final class BucketUpload: RemoteUpload {
    /// The token of a file that goes in one request.
    static let whole = "whole"
    /// Parts that S3 takes.
    private static let mostParts: Int64 = 10_000

    private struct State {
        var parts: [S3Part] = []
        /// Of a file that goes in one request.
        var bytes: [UInt8]?
    }

    private let volume: S3Volume
    private let key: String
    private let length: Int64
    let token: String
    private let partBytes: Int64
    private let state: Mutex<State>

    private init(_ volume: S3Volume, _ key: String, length: Int64, token: String, partBytes: Int64, parts: [S3Part]) {
        self.volume = volume
        self.key = key
        self.length = length
        self.token = token
        self.partBytes = partBytes
        state = Mutex(State(parts: parts))
    }

    private static let contentType = "video/mp4"

    static func begin(_ volume: S3Volume, _ path: String, length: Int64, token: String?) async throws -> BucketUpload {
        let key = volume.key(path)
        let partBytes = max(Bucket.partBytes, (length + mostParts - 1) / mostParts)
        guard length > Bucket.partBytes else {
            return BucketUpload(volume, key, length: length, token: whole, partBytes: partBytes, parts: [])
        }
        if let token, token != whole {
            do {
                let there = try await volume.bucket.client.listParts(key, upload: token)
                let good = there.filter { part in
                    let start = Int64(part.number - 1) * partBytes
                    return start < length && part.size == min(partBytes, length - start)
                }
                return BucketUpload(volume, key, length: length, token: token, partBytes: partBytes, parts: good)
            } catch let error as S3Error where error.isUploadGone {
                // Swept by the rules of the bucket: it begins anew.
            }
        }
        let id = try await volume.bucket.client.createUpload(key, contentType: contentType)
        return BucketUpload(volume, key, length: length, token: id, partBytes: partBytes, parts: [])
    }

    private var isWhole: Bool { token == Self.whole }

    /// The first part that is missing.
    private func missing(_ state: State) -> Int? {
        let there = Set(state.parts.map(\.number))
        let count = Int((length + partBytes - 1) / partBytes)
        return count == 0 ? nil : (1...count).first { !there.contains($0) }
    }

    var next: Range<Int64>? {
        state.withLock { state in
            if isWhole { return state.bytes == nil && length > 0 ? 0..<length : nil }
            return missing(state).map { number in
                let start = Int64(number - 1) * partBytes
                return start..<min(start + partBytes, length)
            }
        }
    }

    func send(_ bytes: [UInt8]) async throws {
        guard let range = next, bytes.count == range.count else { throw NVRError(.internalFault, "other bytes are to be sent") }
        if isWhole { return state.withLock { $0.bytes = bytes } }
        guard let number = state.withLock({ missing($0) }) else { return }
        let etag = try await volume.told {
            try await volume.bucket.client.uploadPart(key, upload: token, number: number, ByteBuffer(bytes: bytes))
        }
        state.withLock { $0.parts.append(S3Part(number: number, etag: etag, size: Int64(bytes.count))) }
    }

    func finish() async throws {
        let (parts, bytes) = state.withLock { ($0.parts, $0.bytes ?? []) }
        try await volume.told {
            if isWhole {
                _ = try await volume.bucket.client.put(key, ByteBuffer(bytes: bytes), contentType: Self.contentType)
            } else {
                try await volume.bucket.client.completeUpload(key, upload: token, parts: parts)
            }
        }
    }
}
