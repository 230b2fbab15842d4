import NIOCore
import NVRBase
package import NVRModel
package import NVRRecording
import S3
import Synchronization

/// A bucket as a volume of footage: files are stored once and read in ranges. What was read lately is kept, since players and indexes ask
/// for a few bytes at a time. Calls block: only threads made for it may use them.
package final class S3Volume: RemoteVolume {
    /// Bytes that are read at a time.
    static let blockBytes: Int64 = 1 << 20
    private static let cacheBytes = 24 << 20

    private let bucket: Bucket
    private let prefix: String
    private let name: String
    private let cache = Mutex(BlockCache(budget: cacheBytes))

    /// Throws `invalid` for a profile that names no bucket.
    package init(_ profile: S3Profile, _ environment: OffsiteEnvironment) throws {
        bucket = try Bucket(profile, environment, retry: S3Retry(tries: 3))
        prefix = profile.prefix.isEmpty ? "archive/" : "\(profile.prefix)/archive/"
        name = profile.name
    }

    /// The volume of a profile. Volumes in buckets have numbers below 0, those in folders above.
    package static func id(of profile: ID<S3Profile>) -> VolumeID { VolumeID(rawValue: -profile.rawValue) }

    private func key(_ path: String) -> String { prefix + path }

    // MARK: Reading

    package func open(_ path: String) throws -> any FootageFile {
        let (client, key) = (bucket.client, key(path))
        let object = try told(path) { try blockingWait { try await client.head(key) } }
        return File(volume: self, path: "\(name):\(path)", key: key, tag: object.etag, size: object.size)
    }

    /// Errors of the bucket in the words of footage.
    private func told<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as S3Error {
            throw NVRError(
                error.isMissing ? .notFound : .unavailable, error.isMissing ? "File not found" : "the bucket \(name) cannot be read: \(error)")
        }
    }

    private func block(_ number: Int64, of file: File) throws -> [UInt8] {
        // The tag tells a file from an older one of its name.
        let cacheKey = BlockCache.Key(file: "\(file.key)|\(file.tag)", number: number)
        if let known = cache.withLock({ $0.block(cacheKey) }) { return known }
        let range = number * Self.blockBytes..<min((number + 1) * Self.blockBytes, file.size)
        let (client, key) = (bucket.client, file.key)
        let bytes = try told(file.path) {
            try blockingWait { Array(try await client.get(key, range: range, most: Int(Self.blockBytes)).readableBytesView) }
        }
        guard bytes.count == range.count else { throw NVRError(.dataLoss, "the file \(file.path) is shorter than it was") }
        cache.withLock { $0.keep(bytes, as: cacheKey) }
        return bytes
    }

    private final class File: FootageFile {
        private let volume: S3Volume
        let path: String
        let key: String
        let tag: String
        let size: Int64

        init(volume: S3Volume, path: String, key: String, tag: String, size: Int64) {
            self.volume = volume
            self.path = path
            self.key = key
            self.tag = tag
            self.size = size
        }

        func length() throws -> Int64 { size }

        func read(at offset: Int64, count: Int) throws -> [UInt8] {
            guard count > 0, offset >= 0, offset < size else { return [] }
            let end = offset + min(Int64(count), size - offset)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(Int(end - offset))
            var position = offset
            while position < end {
                let number = position / S3Volume.blockBytes
                let block = try volume.block(number, of: self)
                let first = Int(position - number * S3Volume.blockBytes)
                let last = min(block.count, Int(end - number * S3Volume.blockBytes))
                bytes += block[first..<last]
                position += Int64(last - first)
            }
            return bytes
        }
    }

    // MARK: Storing

    /// Stores a file whole; it appears at once or not at all. Every byte is covered by the signature that the server checks. Throws
    /// `unavailable` when the bucket does not take it.
    package func store(_ file: any FootageFile, as path: String) throws {
        let (client, key, size) = (bucket.client, key(path), try file.length())
        try told(path) {
            guard size > Bucket.partBytes else {
                let bytes = ByteBuffer(bytes: try whole(file, 0..<size))
                return try blockingWait { _ = try await client.put(key, bytes, contentType: "video/mp4") }
            }
            let upload = try blockingWait { try await client.createUpload(key, contentType: "video/mp4") }
            do {
                var parts: [S3Part] = []
                var position: Int64 = 0
                while position < size {
                    let range = position..<min(position + Bucket.partBytes, size)
                    let bytes = ByteBuffer(bytes: try whole(file, range))
                    let number = parts.count + 1
                    let etag = try blockingWait { try await client.uploadPart(key, upload: upload, number: number, bytes) }
                    parts.append(S3Part(number: number, etag: etag, size: Int64(range.count)))
                    position = range.upperBound
                }
                let all = parts
                try blockingWait { try await client.completeUpload(key, upload: upload, parts: all) }
            } catch {
                // Parts of an upload that never ends would be stored, and paid for, for good. The first failure is what matters.
                try? blockingWait { try await client.abortUpload(key, upload: upload) }
                throw error
            }
        }
    }

    private func whole(_ file: any FootageFile, _ range: Range<Int64>) throws -> [UInt8] {
        let bytes = try file.read(at: range.lowerBound, count: range.count)
        guard bytes.count == range.count else { throw NVRError(.dataLoss, "the file \(file.path) is shorter than it was") }
        return bytes
    }

    /// Deletes a file; one that is not there is as good as deleted.
    package func remove(_ path: String) throws {
        let (client, key) = (bucket.client, key(path))
        try told(path) { try blockingWait { try await client.delete(key) } }
    }
}
