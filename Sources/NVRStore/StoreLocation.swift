#if canImport(Glibc)
    import Glibc
#endif
import NVRBase

/// What kind of file system a path lies on, as the kernel tells in /proc/self/mountinfo (proc_pid_mountinfo(5)).
package enum StoreLocation {
    /// Names of file systems whose files live on another machine.
    package static let networkTypes: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "coda", "9p", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs",
        "fuse.rclone", "fuse.s3fs", "fuse.davfs", "davfs", "lustre", "beegfs", "fuse.curlftpfs", "fuse.smbnetfs", "fuse.ceph-fuse",
    ]

    static func refusal(_ path: String, _ type: String) -> NVRError {
        NVRError(
            .unavailable,
            "the database \(path) lies on a network file system (\(type)), where it would be damaged; put the data directory on a local disk")
    }

    /// The name of the network file system that `path`, or its folder when the file is still missing, lies on; nil when local.
    package static func networkType(of path: String) -> String? {
        guard let mounts = contents(of: "/proc/self/mountinfo") else { return nil }
        let folder = path.lastIndex(of: "/").map { path[..<$0].isEmpty ? "/" : String(path[..<$0]) } ?? "."
        guard let resolved = realPath(path) ?? realPath(folder), let type = type(ofResolved: resolved, mountinfo: mounts) else { return nil }
        return networkTypes.contains(type) ? type : nil
    }

    /// The type of the innermost mount that holds a resolved path; the last one mounted wins where two share a place.
    package static func type(ofResolved path: String, mountinfo: String) -> String? {
        var best: (length: Int, type: String)?
        for line in mountinfo.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 6, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            let place = unescaped(fields[4])
            let holds = place == "/" || path == place || path.hasPrefix(place + "/")
            if holds, place.utf8.count >= best?.length ?? 0 { best = (place.utf8.count, String(fields[dash + 1])) }
        }
        return best?.type
    }

    /// mountinfo writes space, tab, newline and backslash as three octal digits.
    private static func unescaped(_ text: Substring) -> String {
        var out: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3, let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8) {
                out.append(code)
                rest = rest.dropFirst(3)
            } else {
                out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < 4 << 20 {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
