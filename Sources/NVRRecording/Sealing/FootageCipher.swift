import NVRBase

/// Encrypts new files of footage when there is a key for that, and opens those that are encrypted, whatever key of the owner's they have.
/// Any thread may use it.
package final class FootageCipher: Sendable {
    /// Bytes of decrypted records that are kept for the next request.
    private static let cacheBytes = 16 << 20

    package let keys: FootageKeys
    private let cache = RecordCache(budget: cacheBytes)

    package init(keys: FootageKeys = .none) { self.keys = keys }

    /// For a new file; nil when it is to lie in the clear.
    func sealer(_ content: SealedHead.Content) -> FootageSealer? {
        guard let id = keys.writing, let key = keys.key(id) else { return nil }
        return FootageSealer(content: content, key: id, key)
    }

    /// Name of the key that new footage is encrypted with; nil when it lies in the clear.
    package var writingKey: String? { keys.writing?.description }

    /// A picture as it is to lie on the disk.
    package func stored(picture: [UInt8]) throws -> [UInt8] { try sealer(.picture)?.file(picture) ?? picture }

    /// The file as it is to be read: itself, or what is in it when it is encrypted. Throws `unavailable` when its key is not there. Blocks.
    package func open(_ file: any FootageFile) throws -> any FootageFile { try sealed(file) ?? file }

    /// Nil for a file in the clear. Throws `unavailable` when its key is not there.
    package func sealed(_ file: any FootageFile) throws -> SealedFile? {
        guard let head = SealedHead(bytes: try file.read(at: 0, count: SealedFormat.headBytes)) else { return nil }
        guard head.isKnownVersion else {
            throw NVRError(.unavailable, "the footage is encrypted in a way that only a newer version of this program knows")
        }
        guard let key = keys.key(head.keyID) else {
            throw NVRError(.unavailable, "the footage is encrypted with the key \(head.keyID), which this server was not given")
        }
        return SealedFile(file, head: head, key: key, cache: cache)
    }

    /// Whether a file is encrypted with a key that is not there. Throws when the file cannot be read.
    package func isLocked(_ file: any FootageFile) throws -> Bool {
        guard let head = SealedHead(bytes: try file.read(at: 0, count: SealedFormat.headBytes)) else { return false }
        return !head.isKnownVersion || keys.key(head.keyID) == nil
    }

    /// Whether a file is what is left of the head of an encrypted one.
    static func isTornHead(_ file: any FootageFile) throws -> Bool {
        let bytes = try file.read(at: 0, count: SealedFormat.headBytes)
        return bytes.count < SealedFormat.headBytes && bytes.starts(with: SealedFormat.magic)
    }

    /// The key that a file is encrypted with; nil for one in the clear.
    package static func keyID(of file: any FootageFile) throws -> FootageKeyID? {
        SealedHead(bytes: try file.read(at: 0, count: SealedFormat.headBytes))?.keyID
    }
}
