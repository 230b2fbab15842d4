import NIOCore
import NVRBase
package import NVRModel
package import NVRRecording
import S3
import Synchronization

/// A bucket as a volume of footage: files are stored once and read in ranges. What was read lately is kept, since players and indexes ask
/// for a few bytes at a time. What blocks may be used on threads made for it only.
package final class S3Volume: RemoteVolume {
    /// Bytes that are read at a time.
    static let blockBytes: Int64 = 1 << 20
    private static let cacheBytes = 24 << 20

    let bucket: Bucket
    let profile: S3Profile
    let environment: OffsiteEnvironment
    private let prefix: String
    package let name: String
    private let cache = Mutex(BlockCache(budget: cacheBytes))
    let standing: BucketStanding

    /// Throws `invalid` for a profile that names no bucket.
    package init(_ profile: S3Profile, _ environment: OffsiteEnvironment) throws {
        bucket = try Bucket(profile, environment, retry: S3Retry(tries: 3))
        prefix = profile.archivePrefix
        name = profile.name
        self.profile = profile
        self.environment = environment
        standing = BucketStanding(isMarked: profile.markedAt != nil)
    }

    /// The volume of a profile. Volumes in buckets have numbers below 0, those in folders above.
    package static func id(of profile: ID<S3Profile>) -> VolumeID { VolumeID(profile) }

    func key(_ path: String) -> String { prefix + path }

    /// The path of a key; nil for one that is not of the archive.
    func path(of key: String) -> String? { key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : nil }

    // MARK: Reading

    package func open(_ path: String) throws -> any FootageFile {
        let (client, key) = (bucket.client, key(path))
        let object = try told { try blockingWait { try await client.head(key) } }
        return File(volume: self, path: "\(name):\(path)", key: key, tag: object.etag, size: object.size)
    }

    /// Errors of the bucket in the words of footage.
    private func told<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let error as S3Error { throw translated(error) }
    }

    func told<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as S3Error { throw translated(error) }
    }

    private func translated(_ error: S3Error) -> NVRError {
        NVRError(error.isMissing ? .notFound : .unavailable, error.isMissing ? "File not found" : "the bucket \(name) cannot be used: \(error)")
    }

    private func block(_ number: Int64, of file: File) throws -> [UInt8] {
        // The tag tells a file from an older one of its name.
        let cacheKey = BlockCache.Key(file: "\(file.key)|\(file.tag)", number: number)
        if let known = cache.withLock({ $0.block(cacheKey) }) { return known }
        let range = number * Self.blockBytes..<min((number + 1) * Self.blockBytes, file.size)
        let (client, key) = (bucket.client, file.key)
        let bytes = try told {
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

    package func read(_ path: String, _ range: Range<Int64>) async throws -> [UInt8] {
        let bytes = try await told { try await bucket.client.get(key(path), range: range, most: range.count) }
        guard bytes.readableBytes == range.count else { throw NVRError(.dataLoss, "the file \(path) in the bucket \(name) is shorter than it was") }
        return Array(bytes.readableBytesView)
    }

    // MARK: Files

    package func size(of path: String) async throws -> Int64? {
        do { return try await told { try await bucket.client.head(key(path)).size } } catch let error as NVRError where error.kind == .notFound {
            return nil
        }
    }

    package func remove(_ paths: [String]) async throws {
        var rest = paths[...]
        while !rest.isEmpty {
            let keys = rest.prefix(S3Client.mostDeletions).map(key)
            rest = rest.dropFirst(keys.count)
            try await told { try await bucket.client.delete(keys) }
        }
    }

    package func list(after: String?) async throws -> RemotePage {
        let page = try await told { try await bucket.client.list(prefix: prefix, after: after) }
        // Some servers list folders as empty objects.
        let files = page.objects.compactMap { object in path(of: object.key).map { (path: $0, bytes: object.size) } }
            .filter { !$0.path.isEmpty && !$0.path.hasSuffix("/") && $0.path != VolumeMarker.fileName }
        return RemotePage(files, next: page.next)
    }

    // MARK: Storing

    package func upload(_ path: String, length: Int64, goingOnWith token: String?) async throws -> any RemoteUpload {
        try await told { try await BucketUpload.begin(self, path, length: length, token: token) }
    }

    package func abandon(_ path: String, token: String) async throws {
        guard token != BucketUpload.whole else { return }
        try await told { try await bucket.client.abortUpload(key(path), upload: token) }
    }

    package func abandonUploads(but kept: [(path: String, token: String)]) async throws -> Int {
        let kept = Set(kept.map { S3Upload(key: key($0.path), id: $0.token) })
        var count = 0
        for upload in try await told({ try await bucket.client.uploads(prefix: prefix) }) where !kept.contains(upload) {
            try await told { try await bucket.client.abortUpload(upload.key, upload: upload.id) }
            count += 1
        }
        return count
    }
}
