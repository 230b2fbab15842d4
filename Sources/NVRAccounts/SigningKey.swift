import FoundationEssentials
#if canImport(Glibc)
    import Glibc
#endif
import Crypto
import NVRBase

/// The key that session tokens are signed with.
package struct SigningKey: Sendable {
    let key: SymmetricKey

    /// Least length of an explicit key, bytes: that of the hash (RFC 7518 section 3.2).
    package static let minBytes = 32
    package static let fileName = "secret.key"

    package init(bytes: [UInt8]) { key = SymmetricKey(data: bytes) }

    /// The key of the environment variable `SECRET_KEY` when it is set, else that of the data directory, made with 64 random bytes
    /// and mode 0600 when it is not there. Throws `invalid` for an explicit key that is too weak and `unavailable` when the file
    /// cannot be read or made.
    package static func load(environment value: String?, dataDirectory: String) throws -> SigningKey {
        if let value, !value.isEmpty {
            let bytes = Array(value.utf8)
            guard bytes.count >= minBytes, Set(bytes).count >= 8 else {
                throw NVRError(
                    .invalid,
                    "SECRET_KEY is too weak: it needs at least \(minBytes) bytes of random text (for example from `openssl rand -hex 32`); unset it to use a key kept in the data directory"
                )
            }
            return SigningKey(bytes: bytes)
        }
        let path = dataDirectory + "/" + fileName
        if let key = try read(path) { return key }
        try create(path, in: dataDirectory)
        guard let key = try read(path) else { throw NVRError(.unavailable, "the key file \(path) cannot be read after it was made") }
        return key
    }

    private static func read(_ path: String) throws -> SigningKey? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("opened", path)
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw failure("read", path) }
        guard count >= minBytes, Set(bytes[..<count]).count >= 8 else {
            throw NVRError(.invalid, "the key file \(path) is damaged; delete it to get a new one, which ends all sessions")
        }
        // Somebody may have copied it with other rights.
        guard fchmod(descriptor, 0o600) == 0 else { throw failure("protected", path) }
        return SigningKey(bytes: Array(bytes[..<count]))
    }

    /// Writes beside the place, syncs and links, so that a crash leaves no half key and two processes agree on one.
    private static func create(_ path: String, in folder: String) throws {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<64).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let draft = path + "." + String(getpid())
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("made", path) }
        let isWritten = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        close(descriptor)
        defer { unlink(draft) }
        guard isWritten else { throw failure("written", path) }
        guard link(draft, path) == 0 || errno == EEXIST else { throw failure("made", path) }
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
    }

    private static func failure(_ verb: String, _ path: String) -> NVRError {
        NVRError(.unavailable, "the key file \(path) cannot be \(verb): \(String(cString: strerror(errno)))")
    }
}
