#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
package import NVRModel

/// The folder of backups: plain files with mode 0600, reached by their names only, never through links. Calls block.
package struct BackupFolder: Sendable {
    package let path: String

    /// Largest backup that is read, bytes.
    package static let largestFile = 16 << 20
    /// Files that are listed.
    private static let mostFiles = 10_000

    package init(path: String) { self.path = path }

    /// All backups, newest first; none when there is no folder yet. What is no plain file of a valid name is passed over.
    package func list() throws -> [BackupFile] {
        guard access(path, F_OK) == 0 else { return [] }
        let folder = try openFolder()
        guard let stream = fdopendir(folder) else {
            let failure = failure("list", "")
            close(folder)
            throw failure
        }
        defer { closedir(stream) }
        var files: [BackupFile] = []
        while files.count < Self.mostFiles, let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            var status = stat()
            guard BackupFile.isValid(name), fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) == 0, Self.isPlain(status) else { continue }
            files.append(Self.file(name, status))
        }
        return files.sorted { ($0.writtenAt, $0.name) > ($1.writtenAt, $1.name) }
    }

    /// The bytes of a backup. Throws `invalid` for a name that is none or a file that is too large, `notFound` when it is not there.
    package func read(_ name: String) throws -> [UInt8] {
        let folder = try openFolder(for: name)
        defer { close(folder) }
        let descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure("read", name) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, Self.isPlain(status) else { throw Self.notFound }
        guard status.st_size <= Self.largestFile else {
            throw NVRError(.invalid, "The backup \(name) is larger than \(Self.largestFile >> 20) MB")
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= Self.largestFile {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", name) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw NVRError(.invalid, "The backup \(name) grows while it is read")
    }

    /// Deletes a backup. Throws `invalid` for a name that is none, `notFound` when no plain file has it.
    package func delete(_ name: String) throws {
        let folder = try openFolder(for: name)
        defer { close(folder) }
        var status = stat()
        guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0, Self.isPlain(status) else { throw Self.notFound }
        guard unlinkat(folder, name, 0) == 0 else { throw failure("delete", name) }
        fsync(folder)
    }

    /// Stores a new backup under a name of its own. It is written beside its place, synced and then linked to it: a crash leaves no
    /// half backup, and none that was there is lost.
    package func write(_ text: String, _ occasion: BackupFile.Occasion, at time: WallTime) throws -> BackupFile {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw failure("make the folder of", "") }
        let folder = try openFolder()
        defer { close(folder) }
        let draft = ".draft-\(getpid())-\(UInt32.random(in: .min ... .max))"
        let descriptor = openat(folder, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("make", "") }
        defer { unlinkat(folder, draft, 0) }
        var status = stat()
        do {
            defer { close(descriptor) }
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw failure("write", "") }
                rest = rest.dropFirst(count)
            }
            // The folder's times are those of the clock that also decides when the next is due.
            let stamp = timespec(tv_sec: Int(time.microseconds / 1_000_000), tv_nsec: Int(time.microseconds % 1_000_000) * 1000)
            guard futimens(descriptor, [stamp, stamp]) == 0, fsync(descriptor) == 0, fstat(descriptor, &status) == 0 else {
                throw failure("write", "")
            }
        }
        for copy in 0..<1000 {
            let name = BackupFile.name(occasion, at: time, copy: copy)
            if linkat(folder, draft, folder, name, 0) == 0 {
                guard fsync(folder) == 0 else { throw failure("sync", name) }
                return Self.file(name, status)
            }
            guard errno == EEXIST else { throw failure("name", name) }
        }
        throw NVRError(.conflict, "there are too many backups of this second")
    }

    private func openFolder(for name: String) throws(NVRError) -> Int32 {
        guard BackupFile.isValid(name) else { throw NVRError(.invalid, "Invalid filename") }
        return try openFolder()
    }

    private func openFolder() throws(NVRError) -> Int32 {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard folder >= 0 else { throw failure("open the folder of", "") }
        return folder
    }

    private static func isPlain(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFREG }

    private static func file(_ name: String, _ status: stat) -> BackupFile {
        let time = Int64(status.st_mtim.tv_sec) * 1_000_000 + Int64(status.st_mtim.tv_nsec) / 1000
        return BackupFile(name: name, bytes: Int64(status.st_size), writtenAt: WallTime(microseconds: time))
    }

    private static let notFound = NVRError(.notFound, "Backup not found")

    /// What `errno` means for a caller: a link in the place of a file counts as no file.
    private func failure(_ verb: String, _ name: String) -> NVRError {
        let code = errno
        switch code {
        case ENOENT, ELOOP, ENXIO: return Self.notFound
        case ENOSPC, EDQUOT: return NVRError(.exhausted, "The disk of the backups is full")
        default:
            return NVRError(.unavailable, "Cannot \(verb) backups in \(path)\(name.isEmpty ? "" : "/" + name): \(String(cString: strerror(code)))")
        }
    }
}
