#if canImport(Glibc)
    import Glibc
#endif
import NVRBase

/// Starts the program anew in its own process, with the same arguments: whoever watches over the process notices nothing, and everything
/// that was opened is let go.
enum Restart {
    private static let variable = "VIBENVR_RESTARTED_AT"
    /// Seconds within which it does so once.
    private static let pause: Int64 = 600

    /// Whether this process was begun anew a moment ago: then what was to be mended by that was not.
    static func isRecent(_ clock: any NVRClock) -> Bool {
        guard let text = environment(variable), let time = Int64(text) else { return false }
        let age = clock.monotonic() / 1_000_000 - time
        return (0..<pause).contains(age)
    }

    /// Does not return but by throwing.
    static func now() throws {
        setenv(variable, String(SystemClock().monotonic() / 1_000_000), 1)
        // The new program begins as a shell would begin it: threads that carry tasks take no signals, and services had theirs ignored.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_DFL) }
        var arguments = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        execv("/proc/self/exe", &arguments)
        throw StartFailure(message: "the server cannot be started anew: \(String(cString: strerror(errno)))")
    }
}
