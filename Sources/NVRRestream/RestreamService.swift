#if canImport(Glibc)
    import Glibc
#endif
package import Logging
package import NIOCore
import NIOPosix
import NVRBase
import RTSP
import ServiceLifecycle

/// Where cameras are played on.
package struct RestreamSettings: Sendable {
    /// A port that is listened on.
    package struct Port: Sendable, Equatable {
        /// 0 = any free one.
        package var number: Int
        /// The owner named it: when it cannot be had, the server does not start.
        package var isDemanded: Bool
        /// The option that names another.
        package var option: String

        package init(number: Int, isDemanded: Bool, option: String) {
            self.number = number
            self.isDemanded = isDemanded
            self.option = option
        }
    }

    package var host = "0.0.0.0"
    /// Nil: no plain RTSP.
    package var port: Port?
    /// Nil: no RTSPS.
    package var securePort: Port?
    /// Makes a connection one over TLS; needed for RTSPS.
    package var encrypt: (@Sendable (any Channel) throws -> Void)?

    package init() {}
}

/// Serves RTSP. Ends before the cameras do.
package struct RestreamService: Service {
    private let dependencies: RestreamDependencies
    private let settings: RestreamSettings
    private let logger: Logger

    package init(_ dependencies: RestreamDependencies, _ settings: RestreamSettings, logger: Logger) {
        self.dependencies = dependencies
        self.settings = settings
        self.logger = logger
    }

    package func run() async throws {
        let clock = dependencies.clock
        var configuration = RTSPServerConfiguration(logger: logger) { clock.wall() }
        configuration.software = "VibeNVR"
        configuration.realm = "VibeNVR"
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: max(1, System.coreCount / 4))
        let server = RTSPServer(RestreamContent(dependencies, logger: logger), configuration, loops: loops)
        do {
            try await listen(server, settings.port, "rtsp", encrypt: nil)
            if let encrypt = settings.encrypt { try await listen(server, settings.securePort, "rtsps", encrypt: encrypt) }
            // Ends with the shutdown, or with the cancellation of the group.
            try? await gracefulShutdown()
        } catch {
            await server.stop()
            try await loops.shutdownGracefully()
            throw error
        }
        await server.stop()
        try await loops.shutdownGracefully()
    }

    private func listen(
        _ server: RTSPServer, _ port: RestreamSettings.Port?, _ scheme: String, encrypt: (@Sendable (any Channel) throws -> Void)?
    ) async throws {
        guard let port else { return }
        do {
            let actual = try await server.listen(host: settings.host, port: port.number, encrypt: encrypt)
            let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
            logger.notice("re-streaming on \(scheme)://\(host):\(actual)")
        } catch let error as IOError {
            let reason = error.errnoCode == EADDRINUSE ? "it is in use by another program" : String(cString: strerror(error.errnoCode))
            guard port.isDemanded else {
                logger.warning(
                    "cameras are not re-streamed by \(scheme.uppercased()), since its port cannot be opened: give another with \(port.option)",
                    metadata: ["port": "\(port.number)", "reason": "\(reason)"])
                return
            }
            throw NVRError(
                .unavailable,
                "the port \(port.number) for \(scheme.uppercased()) cannot be opened (\(reason)): give another with \(port.option), or 'off'")
        }
    }
}
