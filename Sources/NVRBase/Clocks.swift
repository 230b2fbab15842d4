#if canImport(Glibc)
    import Glibc
#endif

/// The two clocks of the product (docs/TIME.md): monotonic time orders and paces, wall time labels.
package protocol NVRClock: Sendable {
    /// Microseconds of a clock that never steps; its zero is arbitrary.
    func monotonic() -> Int64
    /// Microseconds since 1970 UTC; may step.
    func wall() -> Int64
}

/// The machine's clocks.
package struct SystemClock: NVRClock {
    package init() {}

    package func monotonic() -> Int64 { Self.read(CLOCK_MONOTONIC) }
    package func wall() -> Int64 { Self.read(CLOCK_REALTIME) }

    private static func read(_ id: clockid_t) -> Int64 {
        var time = timespec()
        // clock_gettime fails only for an unknown clock id or a bad pointer, and neither is possible here.
        _ = clock_gettime(id, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}

/// Blocks the calling thread, which must be one made for blocking.
package func pause(microseconds: Int64) {
    guard microseconds > 0 else { return }
    var time = timespec(tv_sec: Int(microseconds / 1_000_000), tv_nsec: Int(microseconds % 1_000_000) * 1_000)
    // An early wake-up by a signal only shortens the pause; every caller looks at its clock again.
    nanosleep(&time, nil)
}
