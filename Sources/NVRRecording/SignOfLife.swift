#if canImport(Glibc)
    import Glibc
#endif
package import NVRModel

/// When the server was last running, to within a minute: the time at which `lock` in the data folder was touched last. It tells when the
/// server died, also when nothing was recorded then.
package struct SignOfLife: Sendable {
    private let path: String

    package init(dataPath: String) { path = dataPath + "/lock" }

    /// Nil when it never ran.
    package var last: WallTime? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return WallTime(microseconds: Int64(status.st_mtim.tv_sec) * 1_000_000 + Int64(status.st_mtim.tv_nsec) / 1000)
    }

    /// Nothing depends on it but how exactly an outage is told, so that a failure does no harm.
    package func leave() { _ = utimensat(AT_FDCWD, path, nil, 0) }
}
