#if canImport(Glibc)
    import Glibc
#endif

/// A small file of secret bytes that only its owner may read.
package enum KeyFile {
    /// Largest file that is read, bytes.
    private static let largest = 1024

    /// The bytes of a key file, whose mode is set to 0600 whatever it was; nil when there is none. A link in its place is refused.
    /// Throws `unavailable` with the path and the system's reason.
    package static func read(_ path: String) throws -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("opened", path)
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: largest)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw failure("read", path) }
        // Somebody may have copied it with other rights.
        guard fchmod(descriptor, 0o600) == 0 else { throw failure("protected", path) }
        return Array(bytes[..<count])
    }

    /// Makes a key file of random bytes and gives what is in it; when another process was quicker, what that one wrote.
    ///
    /// It is written beside its place, synced and then linked to it, so that a crash leaves no half key and two processes agree on one.
    package static func create(_ path: String, byteCount: Int) throws -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let draft = path + "." + String(getpid())
        // Left by a process of the same id that died in between.
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("made", path) }
        let isWritten = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        close(descriptor)
        defer { unlink(draft) }
        guard isWritten else { throw failure("written", path) }
        guard link(draft, path) == 0 || errno == EEXIST else { throw failure("made", path) }
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw failure("synced", path) }
        let isSynced = fsync(directory) == 0
        close(directory)
        guard isSynced else { throw failure("synced", path) }
        guard let stored = try read(path) else { throw NVRError(.unavailable, "the key file \(path) cannot be read after it was made") }
        return stored
    }

    private static func failure(_ verb: String, _ path: String) -> NVRError {
        NVRError(.unavailable, "the key file \(path) cannot be \(verb): \(String(cString: strerror(errno)))")
    }
}
