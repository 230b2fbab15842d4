#if canImport(Glibc)
    import Glibc
#endif

extension POSIXFile {
    /// The number of the mount that the open file was found on; nil when the system does not tell. Files of one file system that is mounted
    /// in two places have two.
    func mount() -> Int? { withDescriptor(Self.mount(of:)) }

    /// The same of a folder.
    static func mount(ofFolder path: String) -> Int? {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { Glibc.close(descriptor) }
        return mount(of: descriptor)
    }

    private static func mount(of descriptor: Int32) -> Int? {
        // proc(5): lines of a name, a colon and a value. A system without it does not tell.
        guard let info = try? openExisting("/proc/self/fdinfo/\(descriptor)"), let bytes = try? info.read(at: 0, count: 4096) else { return nil }
        let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("mnt_id:") }
        return line.flatMap { Int($0.dropFirst(7).filter { !$0.isWhitespace }) }
    }

    /// Whether the kernel lets this process give the file a further name when it protects others' files from that (proc(5),
    /// `protected_hardlinks`).
    func mayBeLinked() -> Bool {
        withDescriptor { descriptor in
            var status = stat()
            let user = geteuid()
            return user == 0 || fstat(descriptor, &status) == 0 && status.st_uid == user
                || faccessat(AT_FDCWD, "/proc/self/fd/\(descriptor)", R_OK | W_OK, 0) == 0
        }
    }

    /// The folder itself, or the nearest above it that is there.
    static func nearestFolder(of path: String) -> String {
        var path = path
        while !exists(path) {
            guard let above = parent(of: path) else { return path.hasPrefix("/") ? "/" : "." }
            path = above
        }
        return path
    }
}
