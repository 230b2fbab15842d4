#if canImport(Glibc)
    import Glibc
#endif
import Files
import Synchronization

/// A failed file operation: what, on which path below the recording root, and the system's own words.
package struct FileError: Error, Sendable, CustomStringConvertible {
    package var operation: String
    package var path: String
    package var code: Int32

    /// What a write says that would take the volume's last space.
    static func full(_ path: String) -> FileError { FileError(operation: "write", path: path, code: ENOSPC) }

    /// A link where none may be.
    package var isLink: Bool { code == ELOOP }
    /// What the system says, without the path.
    package var reason: String { systemText }
    var systemText: String { String(cString: strerror(code)) }
    package var isFull: Bool { code == ENOSPC || code == EDQUOT }
    /// The volume itself does not do what it should: not full, and nothing that this program ran out of.
    package var isOfVolume: Bool { !isFull && ![EMFILE, ENFILE, ENOMEM, EINTR, EAGAIN, EEXIST, ENAMETOOLONG, EFBIG].contains(code) }
    package var isMissing: Bool { code == ENOENT || code == ENOTDIR }
    package var exists: Bool { code == EEXIST }
    package var description: String { "cannot \(operation) \(path): \(String(cString: strerror(code)))" }
}

/// One open file. Owns the descriptor and closes it when it goes. Calls block: only threads made for it may use them.
/// Reading at an offset needs no lock, so several threads may read one file.
package final class POSIXFile: Sendable {
    private let descriptor: Int32
    package let path: String
    private let reservation = Mutex(Reservation())
    /// What `awaitWriteback` met, for the next sync.
    private let writebackFailure = Mutex<Int32>(0)

    private init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        reservation.withLock { $0.clear() }
        Glibc.close(descriptor)
    }

    /// Makes a new file; fails when one is there.
    package static func create(_ path: String, mode: UInt32 = 0o640) throws(FileError) -> POSIXFile {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(mode))
        guard descriptor >= 0 else { throw FileError(operation: "create", path: path, code: errno) }
        return POSIXFile(descriptor: descriptor, path: path)
    }

    package static func openExisting(_ path: String, writing: Bool = false) throws(FileError) -> POSIXFile {
        let descriptor = open(path, (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw FileError(operation: "open", path: path, code: errno) }
        return POSIXFile(descriptor: descriptor, path: path)
    }

    /// Bytes in the file now.
    package func length() throws(FileError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(operation: "stat", path: path, code: errno) }
        return Int64(status.st_size)
    }

    /// Up to `count` bytes at `offset`; fewer only at the end of the file.
    package func read(at offset: Int64, count: Int) throws(FileError) -> [UInt8] {
        guard count > 0, offset >= 0 else { return [] }
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset) + off_t(filled))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { break }
                filled += got
            }
        }
        guard failure == 0 else { throw FileError(operation: "read", path: path, code: failure) }
        return bytes
    }

    /// Writes all of `pieces` one after another at `offset`.
    package func write(_ pieces: [UnsafeRawBufferPointer], at offset: Int64) throws(FileError) {
        var vectors = pieces.filter { !$0.isEmpty }.map {
            iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
        }
        var first = 0
        var position = offset
        while first < vectors.count {
            let batch = min(vectors.count - first, 1024)
            let written = vectors.withUnsafeBufferPointer { buffer in
                pwritev(descriptor, buffer.baseAddress?.advanced(by: first), Int32(batch), off_t(position))
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw FileError(operation: "write", path: path, code: written == 0 ? ENOSPC : errno) }
            position += Int64(written)
            var rest = written
            while rest > 0, first < vectors.count {
                if rest >= vectors[first].iov_len {
                    rest -= vectors[first].iov_len
                    first += 1
                } else {
                    vectors[first].iov_base = vectors[first].iov_base?.advanced(by: rest)
                    vectors[first].iov_len -= rest
                    rest = 0
                }
            }
        }
    }

    /// Ends the file at `length`. What was reserved behind that is given back.
    package func truncate(to length: Int64) throws(FileError) {
        guard ftruncate(descriptor, off_t(length)) == 0 else { throw FileError(operation: "truncate", path: path, code: errno) }
        reservation.withLock { $0.clear() }
    }

    /// Before bytes up to `length` are written: takes space for them and for some that follow, behind the end of the file, which stays where
    /// it is. Without, each sync has to note in the journal of ext4 where its blocks are; with it, once in 8 MB. Done on ext4 only, and
    /// where a GB is free. A hint: when it is refused, nothing changes. `total` counts what is taken and not filled.
    package func reserve(for length: Int64, counting total: SpaceAhead) {
        reservation.withLock { $0.extend(to: length, of: descriptor, path: path, counting: total) }
    }

    /// Where the reserved space ends; 0 when there is none.
    package var reservedEnd: Int64 { reservation.withLock { $0.end } }

    /// Gives back what was reserved, and waits until the data is on the disk. Nothing more is written.
    package func finish() throws(FileError) {
        reservation.withLock { $0.finish() }
        if reservedEnd > 0 { try truncate(to: try length()) }
        try sync()
    }

    /// Whether blocks are taken behind the end of the file at `path`: its program ended before it gave them back. Some belong to what the file
    /// system notes of the file.
    package static func hasSpaceBehind(_ path: String) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else { return false }
        return Int64(status.st_blocks) * 512 - Int64(status.st_size) >= 256 << 10
    }

    /// Has the system begin to write what it holds of the file, and waits for nothing. Files that are begun together before each is
    /// synced share what the file system notes of them: its journal is written once, not once for each. A hint.
    /// `offset`: where what was not synced begins; Linux writes dirty pages that are said not to be needed, and keeps them until then.
    package func beginWriteback(from offset: Int64) { _ = posix_fadvise(descriptor, off_t(offset), 0, POSIX_FADV_DONTNEED) }

    /// Waits until what the file holds from `offset` on is on the disk. Files that are all waited for before the first is synced share what the
    /// file system notes of them, also where it notes that when the data is there (space that was reserved). What fails is told by `sync`.
    package func awaitWriteback(from offset: Int64) {
        let failure = FileContent.writeOut(descriptor, from: offset)
        if failure != 0 { writebackFailure.withLock { $0 = failure } }
    }

    /// Waits until the data is on the disk.
    package func sync() throws(FileError) {
        let failure = writebackFailure.withLock { failure in
            defer { failure = 0 }
            return failure
        }
        guard failure == 0 else { throw FileError(operation: "sync", path: path, code: failure) }
        guard fdatasync(descriptor) == 0 else { throw FileError(operation: "sync", path: path, code: errno) }
    }

    /// Asks the system to forget what it keeps of the file in memory, so that it is read from the disk and leaves room for others. A hint.
    package func dropFromMemory() { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }

    /// Waits until a directory's entries are on the disk.
    package static func syncDirectory(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(operation: "open the folder", path: path, code: errno) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError(operation: "sync the folder", path: path, code: errno) }
    }

    /// Makes a folder and those above it, each synced into its parent. Gives the folders that were made.
    package static func makeDirectories(_ path: String) throws(FileError) {
        if mkdir(path, 0o750) == 0 {
            if let parent = parent(of: path) { try syncDirectory(parent) }
            return
        }
        switch errno {
        case EEXIST: return
        case ENOENT:
            guard let parent = parent(of: path) else { throw FileError(operation: "make the folder", path: path, code: ENOENT) }
            try makeDirectories(parent)
            guard mkdir(path, 0o750) == 0 || errno == EEXIST else {
                throw FileError(operation: "make the folder", path: path, code: errno)
            }
            try syncDirectory(parent)
        default: throw FileError(operation: "make the folder", path: path, code: errno)
        }
    }

    /// Makes a folder and those above it, but never `root` or what lies above that: where a volume is not mounted, nothing is made.
    package static func makeDirectories(_ path: String, below root: String) throws(FileError) {
        guard path != root else {
            guard exists(root) else { throw FileError(operation: "make a folder in", path: root, code: ENOENT) }
            return
        }
        if mkdir(path, 0o750) == 0 {
            if let parent = parent(of: path) { try syncDirectory(parent) }
            return
        }
        switch errno {
        case EEXIST: return
        case ENOENT:
            guard let parent = parent(of: path), parent.utf8.count >= root.utf8.count else {
                throw FileError(operation: "make the folder", path: path, code: ENOENT)
            }
            try makeDirectories(parent, below: root)
            guard mkdir(path, 0o750) == 0 || errno == EEXIST else {
                throw FileError(operation: "make the folder", path: path, code: errno)
            }
            try syncDirectory(parent)
        default: throw FileError(operation: "make the folder", path: path, code: errno)
        }
    }

    package static func parent(of path: String) -> String? {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return nil }
        return String(path[..<slash])
    }

    /// Removes a file; a missing one is no error. True when it was there.
    @discardableResult
    package static func remove(_ path: String) throws(FileError) -> Bool {
        if unlink(path) == 0 { return true }
        if errno == ENOENT { return false }
        throw FileError(operation: "delete", path: path, code: errno)
    }

    /// Free and total bytes of the file system that holds `path`, for ordinary users.
    package static func space(at path: String) throws(FileError) -> (free: Int64, total: Int64) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw FileError(operation: "look at the volume of", path: path, code: errno) }
        let block = Int64(status.f_frsize)
        return (Int64(clamping: status.f_bavail) * block, Int64(clamping: status.f_blocks) * block)
    }
}

extension POSIXFile {
    /// The file system that holds `path`, by the number that the kernel has for it until it is unmounted; nil when there is nothing.
    package static func fileSystem(of path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_dev) : nil
    }

    /// Whether anything is at `path`.
    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Bytes of the file at `path`, which may be open elsewhere; nil when there is none.
    package static func length(at path: String) -> Int64? {
        var status = stat()
        return lstat(path, &status) == 0 ? Int64(status.st_size) : nil
    }

    /// Bytes that the file system gets back when the file at `path` goes: none while it has another name.
    package static func lengthOfOnlyName(at path: String) -> Int64 {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_nlink <= 1 ? Int64(status.st_size) : 0
    }
}

extension POSIXFile {
    /// Moves a file within one volume, over an older one.
    package static func rename(_ path: String, to target: String) throws(FileError) {
        guard Glibc.rename(path, target) == 0 else { throw FileError(operation: "rename", path: path, code: errno) }
    }
}

extension POSIXFile {
    /// Removes a folder and those above it as long as they are empty and below `root`.
    package static func removeEmptyDirectories(from path: String, below root: String) {
        var path = path
        // rmdir refuses folders that hold anything, which is the end of the walk.
        while path.hasPrefix(root + "/"), rmdir(path) == 0, let above = parent(of: path) { path = above }
    }
}

extension POSIXFile {
    /// Opens a plain file below a folder for reading, following no link on the way: the path may be somebody's who would like to read
    /// another file. Throws with `ELOOP` for a link, `EINVAL` for a path that is none and for what is no plain file.
    package static func openPlain(_ path: String, below root: String) throws(FileError) -> POSIXFile {
        func failure(_ code: Int32) -> FileError { FileError(operation: "open", path: path, code: code) }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard !parts.isEmpty, parts.count <= 64, !path.utf8.contains(0), parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            throw failure(EINVAL)
        }
        var folder = Glibc.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure(errno) }
        defer { Glibc.close(folder) }
        for part in parts.dropLast() {
            let next = openat(folder, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            guard next >= 0 else {
                // A link is no folder: the system says so in these words.
                var status = stat()
                let isLink = errno == ENOTDIR && fstatat(folder, part, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_mode & S_IFMT == S_IFLNK
                throw failure(isLink ? ELOOP : errno)
            }
            Glibc.close(folder)
            folder = next
        }
        // Not to wait for the other end of a pipe.
        let descriptor = openat(folder, parts[parts.count - 1], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(errno) }
        let file = POSIXFile(descriptor: descriptor, path: "\(root)/\(path)")
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw failure(EINVAL) }
        return file
    }

    /// The descriptor, for libraries that read files themselves. It stays this object's.
    package func withDescriptor<Result>(_ body: (Int32) throws -> Result) rethrows -> Result { try body(descriptor) }

    /// Gives exactly the open file another name on the same file system, whatever its old name leads to by now.
    package func link(to path: String) throws(FileError) {
        guard linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 else {
            throw FileError(operation: "link", path: path, code: errno)
        }
    }
}
