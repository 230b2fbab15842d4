// A generic RTSP 1.0 client (RFC 2326): connections, descriptions, RTP, RTCP and depacketizers; nothing about what the
// media are for.

package import Logging
package import NIOCore
import Synchronization

/// One session with one server. Make a new one for every attempt; `run` may be called once.
package final class RTSPSession: Sendable {
    private let configuration: RTSPClientConfiguration
    private let eventLoop: any EventLoop
    private let pace: ReadPace
    private let logger: Logger
    private let shared = Mutex<RTSPStatistics>(RTSPStatistics())

    /// All work of the session is done on `eventLoop`; `pace` says how often its socket is read.
    package init(configuration: RTSPClientConfiguration, eventLoop: any EventLoop, pace: ReadPace, logger: Logger) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.pace = pace
        self.logger = logger
    }

    /// Connects, describes, sets up, plays and delivers to `receiver` until the session ends, and throws why it ended:
    /// an `RTSPError`, or `CancellationError` when the task was cancelled. On every way out the session is torn down
    /// within `closeTimeout` and no descriptor is left open.
    package func run(_ receiver: some RTSPReceiver) async throws {
        let driver = SessionDriver(
            configuration: configuration, loop: eventLoop, pace: pace, logger: logger, receiver: receiver,
            publish: { [weak self] statistics in self?.shared.withLock { $0 = statistics } })
        let result: any Error
        do {
            try await withTaskCancellationHandler {
                try Task.checkCancellation()
                try await SessionNegotiation(driver).run()
                try await driver.ended.futureResult.get()
            } onCancel: {
                driver.loop.execute { driver.end(CancellationError()) }
            }
            result = RTSPError.closed("ended")
        } catch {
            result = error
        }
        // What ended the session first is the cause; what failed because of it is not.
        let cause = try await eventLoop.submit { driver.cause }.get() ?? result
        try await eventLoop.flatSubmit { driver.shutDown(cause) }.get()
        throw cause
    }

    /// Counted so far; may be read from any thread.
    package var statistics: RTSPStatistics { shared.withLock { $0 } }
}
