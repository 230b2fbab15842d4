import ArgumentParser
#if canImport(Glibc)
    import Glibc
#endif
import Logging
import NIOCore
import NVRAccounts
import NVRBase
import NVRRecording
import NVRStore
import ServiceLifecycle

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Record cameras and serve the API and the web page.",
        discussion: """
            Everything works without options: the database and the recordings go to ./data, the page is at port 8080. \
            SIGTERM or Ctrl-C finishes open files and ends.
            """)

    @OptionGroup var options: ServerOptions

    mutating func run() async throws {
        let configuration = try options.resolved()
        let (logger, logFile) = try makeLogger(configuration.logLevel)
        try await serve(configuration, logger: logger, logFile: logFile)
    }
}

/// The log of the program: standard error, one line an entry, and a file once that is opened.
func makeLogger(_ level: String) throws -> (Logger, LogFile) {
    guard let level = Logger.Level(rawValue: level.lowercased()) else {
        throw ValidationError("the log level must be trace, debug, info, notice, warning, error or critical, not '\(level)'")
    }
    let file = LogFile()
    LoggingSystem.bootstrap { _ in LineLogHandler(file: file) }
    var logger = Logger(label: "vibenvr")
    logger.logLevel = level
    return (logger, file)
}

/// Prints a line and makes sure that it is seen at once, also through a pipe.
func say(_ text: String) {
    // Straight to the descriptor: what is printed through a pipe would otherwise wait in a buffer.
    var rest = Array((text + "\n").utf8)[...]
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        guard written > 0 else { return }
        rest = rest.dropFirst(written)
    }
}

/// Runs the server until a signal ends it. `prepare` runs before anything is served, `whenReady` as soon as it is.
func serve(
    _ configuration: ServerConfiguration, logger: Logger, logFile: LogFile,
    prepare: (Server) async throws -> Void = { _ in }, whenReady: @escaping @Sendable (Int) -> Void = { _ in }
) async throws {
    raiseFileLimit(logger)
    AllocatorMemory.keepLess(cores: System.coreCount)
    let lock = try DataLock(folder: configuration.dataPath)
    let server: Server
    do {
        try logFile.open(folder: configuration.dataPath + "/logs")
        server = try await buildServer(configuration, logger: logger, logFile: logFile) { port in
            let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
            say("listening on \(configuration.tls == .off ? "http" : "https")://\(host):\(port)")
            whenReady(port)
            releaseStartupPages()
        }
    } catch let error as NVRError {
        throw CleanExit.message("vibenvr cannot start: \(error)").asFailure
    }
    try await prepare(server)
    if try await server.accounts.isSetupRequired() {
        logger.notice(
            "no user exists yet: open the page to make the administrator; from another machine this one-time code is asked for",
            metadata: ["setup_code": "\(server.setupCode.text)"])
    }
    do {
        try await server.services.run()
    } catch let error as NVRError {
        throw StartFailure(message: "vibenvr cannot start: \(error)")
    } catch {
        let text = "\(error)"
        if text.contains("errno: 98") {
            throw StartFailure(message: "port \(configuration.port) is in use by another program: give another with --port, or stop that one")
        }
        if text.contains("errno: 13") {
            throw StartFailure(message: "port \(configuration.port) is for administrators; give one above 1023 with --port")
        }
        logger.error("the server ended", metadata: ["error": "\(error)"])
        await logFile.close()
        throw ExitCode.failure
    }
    await logFile.close()
    withExtendedLifetime(lock) {}
    if server.care.wantsRestart { try Restart.now() }
}

extension CleanExit {
    /// An error whose message is printed and which ends the program with code 1.
    fileprivate var asFailure: any Error { StartFailure(message: "\(self)") }
}

/// Why the program cannot start, with the way out.
struct StartFailure: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

/// Each recorded stream and each connection needs descriptors; the soft limit of 1024 is soon passed.
private func raiseFileLimit(_ logger: Logger) {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
        logger.debug("the limit of open files stays as it is", metadata: ["soft": "\(limit.rlim_cur)"])
    }
}

/// Keeps a second server away from a data folder. Held as long as the object lives; the kernel lets go when the program dies.
final class DataLock {
    private let descriptor: Int32

    init(folder: String) throws {
        do {
            try POSIXFile.makeDirectories(folder)
        } catch {
            throw StartFailure(message: "the data folder \(folder) cannot be made: \(String(cString: strerror(error.code)))")
        }
        descriptor = open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw StartFailure(message: "the data folder \(folder) cannot be written: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw StartFailure(message: "another server uses the data folder \(folder); stop it or give another --data-dir")
        }
    }

    deinit { close(descriptor) }
}
