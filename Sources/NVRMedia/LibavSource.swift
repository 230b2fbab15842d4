import Libav
package import Logging
package import NIOCore
package import NVRBase
import NVRModel
package import RTSP
import Synchronization

/// Reads a camera with libav, on a thread of its own that can be interrupted: HTTP MJPEG, HLS, RTMP, files, and RTSP cameras that
/// our own client cannot make sense of. `LibavInput` opens them.
package final class LibavSource: PacketSource {
    package let name = "libav"
    private let settings: LibavInput
    private let clock: any NVRClock
    private let logger: Logger
    private let wantAudio: Bool
    private let counters = Mutex(NetworkCounters())

    /// `url` may carry credentials. `transport` matters for RTSP alone. `addressCheck` throws for addresses that are refused.
    package init(
        url: Secret, transport: RTSPTransport, wantAudio: Bool, eventLoop: any EventLoop,
        addressCheck: (@Sendable (SocketAddress) throws -> Void)? = nil, clock: any NVRClock, logger: Logger
    ) {
        settings = LibavInput(url: url, transport: transport, addresses: AddressGuard(addressCheck), eventLoop: eventLoop)
        self.wantAudio = wantAudio
        self.clock = clock
        self.logger = logger
    }

    package func setLive(_ isLive: Bool) {}

    package var network: NetworkCounters { counters.withLock { $0 } }

    package func run(into hub: StreamHub) async throws {
        let interrupt = Interrupt()
        let thread = BlockingThread(name: "libav", stackBytes: 1 << 20)
        defer { thread.stop() }
        let failure: SourceFailure = try await withTaskCancellationHandler {
            try await thread.run { [self] in read(into: hub, interrupt: interrupt) }
        } onCancel: {
            interrupt.cancel()
        }
        try Task.checkCancellation()
        throw failure
    }

    /// Runs on the thread until the stream ends; the result says why.
    private func read(into hub: StreamHub, interrupt: Interrupt) -> SourceFailure {
        var web: WebReader?
        do {
            let begun = clock.monotonic()
            let opened = try settings.open(interrupt: interrupt)
            web = opened.web
            let input = opened.context
            defer { input.close() }
            guard let choice = LibavFeed.Choice(input.streams, wantAudio: wantAudio) else {
                return SourceFailure(.unreachable, "the source offers no H.264, H.265 or MJPEG video", isUnintelligible: true)
            }
            input.select(streams: Set([choice.video.index] + (choice.audio.map { [$0.index] } ?? [])))
            let backlog = try LibavBacklog(opened, choice, begun: begun, clock: clock)
            let feed = LibavFeed(choice, header: backlog.header, isTimed: opened.isTimed, hub: hub, clock: clock)
            var pacer = opened.isAhead ? MediaPacer() : nil
            func take(_ packet: Packet, _ arrived: Int64?) {
                if packet.streamIndex == choice.video.index, let time = packet.dts.flatMap({ choice.video.timeBase.microseconds($0) }) {
                    let now = clock.monotonic()
                    if let rest = pacer?.wait(for: time, now: now), rest > 0 {
                        Self.wait(until: now + rest, clock: clock, interrupt: interrupt)
                    }
                }
                // What an interrupted read gives is cut off where it was interrupted.
                if interrupt.isCancelled { return }
                counters.withLock { state in
                    state.packets += 1
                    if packet.isCorrupt { state.malformed += 1 }
                }
                feed.take(packet, arrival: pacer == nil ? arrived ?? clock.monotonic() : clock.monotonic())
            }
            for (packet, arrival) in backlog.packets { take(packet, arrival) }
            if !backlog.hasEnded {
                while let packet = try input.readPacket(timeout: .seconds(10)) { take(packet, nil) }
            }
            // The end of a playlist or a file, or what a demuxer makes of a connection that broke.
            return web?.failure.map(RTSPSource.failure) ?? SourceFailure(.interrupted, "the source came to its end")
        } catch let error as LibavError {
            if error.reason != .cancelled, error.reason != .invalidInput, let failure = web?.failure { return RTSPSource.failure(failure) }
            return Self.failure(error)
        } catch let error as RTSPError {
            return RTSPSource.failure(error)
        } catch {
            return SourceFailure(.unreachable, "the source cannot be read")
        }
    }

    /// Sleeps in short steps so that an interrupt is heard.
    private static func wait(until time: Int64, clock: any NVRClock, interrupt: Interrupt) {
        while !interrupt.isCancelled {
            let rest = time - clock.monotonic()
            guard rest > 0 else { return }
            pause(microseconds: min(rest, 20_000))
        }
    }

    static func failure(_ error: LibavError) -> SourceFailure {
        switch error.reason {
        case .unauthorized: SourceFailure(.unauthorized, "the camera refuses the user name or password")
        case .forbidden: SourceFailure(.unauthorized, "the camera forbids access (403)")
        case .notFound: SourceFailure(.unreachable, "the camera has no such stream (404): is the path of the URL right?")
        case .refused: SourceFailure(.unreachable, "the camera refuses the connection: is the port right?")
        case .timedOut: SourceFailure(.unreachable, "the camera does not answer")
        case .cancelled: SourceFailure(.interrupted, "reading was stopped")
        case .endOfStream: SourceFailure(.interrupted, "the source came to its end")
        default: SourceFailure(.unreachable, "the source cannot be read: \(error.text)", isUnintelligible: error.reason == .invalidInput)
        }
    }
}
