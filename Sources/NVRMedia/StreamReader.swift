package import Logging
package import NIOCore
package import NVRBase
package import NVRModel
import RTSP
import Synchronization

/// Where a stream comes from and how it is fetched. Equal settings mean that a running connection may stay.
package struct StreamSettings: Sendable, Equatable {
    /// With credentials, when the camera wants any.
    package var url: Secret
    package var transport: StreamTransport
    package var wantAudio: Bool

    package init(url: Secret, transport: StreamTransport, wantAudio: Bool) {
        self.url = url
        self.transport = transport
        self.wantAudio = wantAudio
    }
}

/// What all readers of a server share.
package struct ReaderEnvironment: Sendable {
    package var clock: any NVRClock
    package var logger: Logger
    /// Throws when a camera must not be fetched from this address.
    package var addressCheck: (@Sendable (SocketAddress) throws -> Void)?
    /// Reads RTSP cameras with libav, too.
    package var prefersLibav: Bool

    package init(
        clock: any NVRClock, logger: Logger, addressCheck: (@Sendable (SocketAddress) throws -> Void)? = nil, prefersLibav: Bool = false
    ) {
        self.clock = clock
        self.logger = logger
        self.addressCheck = addressCheck
        self.prefersLibav = prefersLibav
    }

    /// The source for a URL. `useLibav`: also where our own client could do it.
    package func source(for settings: StreamSettings, eventLoop: any EventLoop, useLibav: Bool) -> any PacketSource {
        let transport: RTSPTransport = settings.transport == .udp ? .udp : .tcp
        if !useLibav, !prefersLibav, let endpoint = RTSPEndpoint(settings.url.reveal()) {
            let configuration = RTSPClientConfiguration(
                endpoint: endpoint, transport: transport, userAgent: "VibeNVR", wantAudio: settings.wantAudio, addressCheck: addressCheck)
            return RTSPSource(configuration: configuration, eventLoop: eventLoop, clock: clock, logger: logger)
        }
        return LibavSource(
            url: settings.url, transport: transport, wantAudio: settings.wantAudio, eventLoop: eventLoop, addressCheck: addressCheck,
            clock: clock, logger: logger)
    }

    /// Whether both our own client and libav may read a URL.
    func hasChoice(for settings: StreamSettings) -> Bool { !prefersLibav && RTSPEndpoint(settings.url.reveal()) != nil }
}

/// Keeps the streams of one camera from spending log-ins side by side: while the camera refuses the main stream's, the sub-stream,
/// which mostly has the same, does not try. A refused sub-stream does not hold the main one up.
package final class LoginGate: Sendable {
    private let refusesMain = Mutex(false)

    package init() {}

    /// True when a stream of this role should wait until the camera accepts the main stream's log-in.
    package func isClosed(for role: StreamRole) -> Bool { role == .sub && refusesMain.withLock { $0 } }

    package func refused(_ role: StreamRole) {
        if role == .main { refusesMain.withLock { $0 = true } }
    }

    package func accepted(_ role: StreamRole) {
        if role == .main { refusesMain.withLock { $0 = false } }
    }
}

/// Keeps one stream of a camera connected: connects, watches that frames arrive, and tries again by the cause of each failure.
package final class StreamReader: Sendable {
    /// The state of the connection, for the camera's status.
    package struct Report: Sendable, Equatable {
        package var status: CameraStatus
        package var reason: String?
        /// Microseconds UTC.
        package var since: WallTime
        package var source: String?
    }

    private struct State {
        var report: Report
        var source: (any PacketSource)?
        var isLive = false
        var connections = 0
        var finished = NetworkCounters()
    }

    /// Seconds without a video frame after which the connection is given up. Audio alone does not count.
    package static let silenceLimit = 10.0

    package let role: StreamRole
    private let settings: StreamSettings
    private let hub: StreamHub
    private let eventLoop: any EventLoop
    private let environment: ReaderEnvironment
    private let gate: LoginGate
    private let logger: Logger
    private let state: Mutex<State>
    private let onReport: @Sendable (StreamReader) -> Void

    package init(
        settings: StreamSettings, hub: StreamHub, eventLoop: any EventLoop, environment: ReaderEnvironment, gate: LoginGate,
        logger: Logger, onReport: @escaping @Sendable (StreamReader) -> Void
    ) {
        role = hub.role
        self.settings = settings
        self.hub = hub
        self.eventLoop = eventLoop
        self.environment = environment
        self.gate = gate
        self.logger = logger
        self.onReport = onReport
        state = Mutex(State(report: Report(status: .starting, since: WallTime(microseconds: environment.clock.wall()))))
    }

    package var report: Report { state.withLock { $0.report } }

    /// Connections begun since the reader was made.
    package var connections: Int { state.withLock { $0.connections } }

    /// Network counters over all connections.
    package var network: NetworkCounters {
        let (source, finished) = state.withLock { ($0.source, $0.finished) }
        var sum = source?.network ?? NetworkCounters()
        sum.packets += finished.packets
        sum.lost += finished.lost
        sum.reordered += finished.reordered
        sum.malformed += finished.malformed
        return sum
    }

    package func setLive(_ isLive: Bool) {
        let source = state.withLock { state in
            state.isLive = isLive
            return state.source
        }
        source?.setLive(isLive)
    }

    private func set(_ status: CameraStatus, _ reason: String?, source: String?) {
        let changed = state.withLock { state in
            guard state.report.status != status || state.report.reason != reason || state.report.source != source else { return false }
            let since = state.report.status == status ? state.report.since : WallTime(microseconds: environment.clock.wall())
            state.report = Report(status: status, reason: reason, since: since, source: source)
            return true
        }
        if changed { onReport(self) }
    }

    /// Reads until the task is cancelled.
    package func run() async {
        var backoff = Backoff()
        var useLibav = false
        var unintelligible = 0
        var hasLoggedIn = false
        // A camera that was never seen may come up together with this server, after a power cut.
        let begun = environment.clock.monotonic()
        while !Task.isCancelled {
            if gate.isClosed(for: role) {
                set(.unauthorized, "waiting until the camera accepts the log-in of the main stream", source: nil)
                guard await sleep(2) else { return }
                continue
            }
            let began = environment.clock.monotonic()
            let (source, failure) = await attempt(useLibav: useLibav)
            guard !Task.isCancelled else { return }
            let ended = environment.clock.monotonic()
            let lastVideo = hub.lastVideoArrival
            let delivered = lastVideo.map { $0 >= began } ?? false
            if delivered {
                hasLoggedIn = true
                unintelligible = 0
                backoff.accepted()
            }
            var note = ""
            var cause = failure.cause
            var status = CameraStatus.unreachable
            if cause == .unauthorized {
                if hasLoggedIn {
                    cause = .refusedAgain
                    if backoff.isPatientWithLogins { status = .unauthorized }
                } else {
                    status = .unauthorized
                    note = "; the next try comes in 5 minutes, or when they are changed"
                }
            } else if delivered, lastVideo.map({ $0 - began > 5_000_000 }) == true {
                cause = .interrupted
            }
            if failure.isUnintelligible, !delivered, environment.hasChoice(for: settings) {
                unintelligible += 1
                if unintelligible >= 2 {
                    useLibav.toggle()
                    unintelligible = 1
                    note = "; trying \(useLibav ? "libav" : "our own client") next"
                }
            }
            if cause == .refusedAgain {
                set(status, "the camera refuses log-ins it accepted before: it may be out of sessions, or its password was changed", source: source)
            } else {
                set(status, failure.reason + note, source: source)
            }
            var wait = backoff.wait(
                after: cause, jitter: .random(in: 0...1), outage: Double(ended - (lastVideo ?? begun)) / 1e6)
            if failure.cause == .unauthorized { gate.refused(role) }
            // Both streams break off together: the main one's log-in is answered first.
            if delivered, role == .sub { wait += 1 }
            logger.notice(
                "stream ended",
                metadata: [
                    "stream": "\(role.rawValue)", "reason": "\(failure.reason)", "source": "\(source)", "retry_s": "\((wait * 10).rounded() / 10)",
                ])
            guard await sleep(wait) else { return }
        }
    }

    /// One connection from start to end.
    private func attempt(useLibav: Bool) async -> (source: String, failure: SourceFailure) {
        let source = environment.source(for: settings, eventLoop: eventLoop, useLibav: useLibav)
        let isLive = state.withLock { state in
            state.connections += 1
            state.source = source
            return state.isLive
        }
        source.setLive(isLive)
        defer {
            hub.interrupt()
            state.withLock { state in
                state.source = nil
                let counters = source.network
                state.finished.packets += counters.packets
                state.finished.lost += counters.lost
                state.finished.reordered += counters.reordered
                state.finished.malformed += counters.malformed
            }
        }
        let failure: SourceFailure = await withTaskGroup(of: SourceFailure?.self) { group in
            group.addTask { [hub] in
                do {
                    try await source.run(into: hub)
                    return SourceFailure(.unreachable, "the camera ended the stream")
                } catch let failure as SourceFailure {
                    return failure
                } catch {
                    return SourceFailure(.interrupted, "reading was stopped")
                }
            }
            group.addTask { await self.watch(source) }
            let first = await group.next() ?? nil
            group.cancelAll()
            await group.waitForAll()
            return first ?? SourceFailure(.interrupted, "reading was stopped")
        }
        return (source.name, failure)
    }

    /// Ends with a failure when no video frame has come for `silenceLimit`; looks at frames, not at the socket. Sleeps until that can
    /// be the case at the earliest.
    private func watch(_ source: any PacketSource) async -> SourceFailure? {
        let first = FirstFrame()
        let key = hub.attach(first, from: .next)
        // Connecting has deadlines of its own in the source; here the wait for the first frame is bounded, too.
        let hasCome = await first.comes(within: 3 * Self.silenceLimit)
        hub.detach(key)
        guard !Task.isCancelled else { return nil }
        guard hasCome else { return Self.silence(3 * Self.silenceLimit) }
        noteConnected(source)
        while true {
            let quietFor = Double(environment.clock.monotonic() - (hub.lastVideoArrival ?? 0)) / 1e6
            guard quietFor < Self.silenceLimit else { return Self.silence(quietFor) }
            guard await sleep(Self.silenceLimit - quietFor + 0.05) else { return nil }
        }
    }

    private static func silence(_ seconds: Double) -> SourceFailure { SourceFailure(.unreachable, "no video for \(Int(seconds)) s") }

    private func noteConnected(_ source: any PacketSource) {
        gate.accepted(role)
        let note: String? =
            source.name == "libav" && environment.hasChoice(for: settings)
            ? "read through libav: our own client could not make sense of the camera"
            : source.network.fellBackToTCP ? "the camera refuses UDP: TCP is used" : nil
        set(.connected, note, source: source.name)
        logger.info("stream connected", metadata: ["stream": "\(role.rawValue)", "source": "\(source.name)"])
    }

    /// False when the task was cancelled.
    private func sleep(_ seconds: Double) async -> Bool {
        do {
            try await Task.sleep(for: .milliseconds(Int64(seconds * 1000)))
            return true
        } catch {
            return false
        }
    }
}

/// Tells when a stream's first video frame is there.
private final class FirstFrame: PacketSink {
    private let (frames, frame) = AsyncStream.makeStream(of: Void.self)

    func begin(_ description: StreamDescription) {}
    func interrupted() {}

    func receive(_ packet: MediaPacket) {
        if packet.kind == .video { frame.finish() }
    }

    /// False when it has not come after so many seconds, or when the task was cancelled.
    func comes(within seconds: Double) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in self.frames {}
                return !Task.isCancelled
            }
            group.addTask {
                // Thrown when the frame was faster.
                try? await Task.sleep(for: .milliseconds(Int64(seconds * 1000)))
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
    }
}
