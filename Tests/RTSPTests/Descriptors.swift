#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Counts what this process has open.
enum Descriptors {
    static func open() -> Int { (0..<4096).count { fcntl(CInt($0), F_GETFD) >= 0 } }
}

/// The environment of this process.
enum Environment {
    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
