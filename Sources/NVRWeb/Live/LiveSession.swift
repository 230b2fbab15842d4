#if canImport(Glibc)
    import Glibc
#endif
import Logging
import NIOCore
import NVRAccounts
import NVRBase
import NVRCameras
import NVRMedia
import NVRModel
import Synchronization
import WebSocketUpgrade

/// What a viewer asked for.
struct LiveWish: Sendable {
    var camera: ID<Camera>
    var role: StreamRole
    var format: LiveFormat
    var withAudio: Bool
    /// Usual names of the video codecs that the player takes; nil for everything.
    var codecs: Set<String>?
}

/// One viewer on a WebSocket: the stream that was asked for, or the main one while that does not run; state and motion of the
/// camera; news of what was left out.
///
/// `@unchecked Sendable`: `shared` is behind a mutex; everything else that changes is touched only on the socket's event loop.
final class LiveSession: WebSocketSession, @unchecked Sendable {
    private struct Shared {
        var queue = ViewerQueue()
        var eventLoop: (any EventLoop)?
        /// Counts the feeds joined: what an earlier one still sends is ignored.
        var generation = 0
        var isScheduled = false
        var hasLeft = false
    }

    private struct Watched {
        let stream: LiveStream
        let key: Int
    }

    /// How often motion is looked at, and every fourth time the camera's state and streams.
    private static let tick = TimeAmount.milliseconds(250)
    /// Looks, a second apart, at a stream that is started for a player that does not take the other one.
    private static let mostPatience = 3
    /// Bytes that may wait in the kernel unsent, and here for the kernel: more would be delay that nobody sees.
    private static let unsent: CInt = 128 << 10
    private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 128 << 10, high: 512 << 10)

    private let wish: LiveWish
    private let live: LiveCameras
    private let access: LiveAccess
    private let totals: LiveTotals
    private let clock: any NVRClock
    private let logger: Logger
    private let shared = Mutex(Shared())

    // Touched on the event loop only.
    private var socket: WebSocket?
    private var wanted: LiveStream?
    /// The other stream, while it is started to see whether the player takes it.
    private var awaited: LiveStream?
    /// Ticks spent waiting for it.
    private var patience = 0
    private var unplayable: String?
    private var watched: Watched?
    private var ticks: RepeatedTask?
    private var tickCount = 0
    private var isDraining = false
    private var run: LiveRun?
    private var motionTime: WallTime?
    private var hasMotion = false
    private var status: CameraStatus?

    /// The session counts as a viewer that has entered `totals`, and leaves it when it ends.
    init(wish: LiveWish, live: LiveCameras, access: LiveAccess, totals: LiveTotals, clock: any NVRClock, logger: Logger) {
        self.wish = wish
        self.live = live
        self.access = access
        self.totals = totals
        self.clock = clock
        self.logger = logger
    }

    // MARK: The connection

    func opened(_ socket: WebSocket) {
        self.socket = socket
        shared.withLock { $0.eventLoop = socket.eventLoop }
        socket.channel.setOption(ChannelOptions.writeBufferWaterMark, value: Self.waterMark).whenFailure { [logger] in
            logger.debug("the water mark stays as it is", metadata: ["reason": "\($0)"])
        }
        let option = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: CInt(TCP_NOTSENT_LOWAT)))
        socket.channel.setOption(option, value: Int(Self.unsent)).whenFailure { [logger] in
            logger.debug("what waits unsent is not bounded", metadata: ["reason": "\($0)"])
        }
        ticks = socket.eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { [weak self] _ in self?.look() }
        choose()
        tellState()
        tellMotion()
        drain()
    }

    /// Viewers have nothing to say.
    func received(_ message: WebSocketMessage) {}

    func drained() { if !isDraining { drain() } }

    func closed() {
        let isFirst = shared.withLock { shared in
            defer { shared.hasLeft = true }
            shared.generation += 1
            shared.queue.removeAll()
            return !shared.hasLeft
        }
        guard isFirst else { return }
        ticks?.cancel()
        ticks = nil
        leave()
        wanted?.release()
        wanted = nil
        awaited?.release()
        awaited = nil
        socket = nil
        totals.leave()
    }

    func accompany() async {
        guard let end = await access.end() else { return }
        switch end {
        case .accessEnded: close(.policyViolation, "access has ended")
        case .cameraDeleted: close(.goingAway, "the camera was deleted")
        }
    }

    private func close(_ closure: WebSocketClosure, _ reason: String) {
        shared.withLock { $0.eventLoop }?.execute { [self] in socket?.close(closure, reason) }
    }

    // MARK: The stream

    private func look() {
        tickCount += 1
        if tickCount % 4 == 0 {
            choose()
            tellState()
        }
        tellMotion()
        drain()
    }

    /// Joins the stream that is to be seen now: another one when the camera was started anew, when the wanted one begins to run or
    /// breaks off, or when its codec is none that the player takes.
    private func choose() {
        let streams: [StreamRole: LiveStream] = Dictionary(
            uniqueKeysWithValues: StreamRole.allCases.compactMap { role in live.stream(wish.camera, role).map { (role, $0) } })
        let wanted = streams[wish.role]
        if wanted !== self.wanted {
            self.wanted?.release()
            wanted?.want()
            self.wanted = wanted
        }
        guard let main = streams[.main] else { return watch(nil, .main) }
        let choice = LiveChoice.of(
            wanted: wish.role, main: LiveChoice.Candidate(codec: main.videoCodecName),
            sub: streams[.sub].map { LiveChoice.Candidate(codec: $0.videoCodecName) }, codecs: wish.codecs, canTranscode: live.canTranscode,
            isPatient: patience < Self.mostPatience)
        var awaited: LiveStream?
        switch choice {
        case .stream(let role):
            patience = 0
            unplayable = nil
            watch(streams[role], role)
        case .transcoded(let role):
            let stream = live.transcoded(wish.camera, role)
            watch(stream?.live, role, isTranscoded: true)
            tellUnplayable(role, streams[role]?.videoCodecName, stream?.refusal())
        case .wait(let role):
            patience += 1
            awaited = streams[role]
        case .unplayable(let role):
            watch(nil, role)
            tellUnplayable(role, streams[role]?.videoCodecName, "transcoding is switched off on this server")
        }
        guard awaited !== self.awaited else { return }
        awaited?.want()
        self.awaited?.release()
        self.awaited = awaited
    }

    private func watch(_ best: LiveStream?, _ role: StreamRole, isTranscoded: Bool = false) {
        guard best !== watched?.stream else { return }
        leave()
        guard let best else { return }
        best.want()
        let generation = shared.withLock { shared in
            shared.generation += 1
            shared.queue.removeAll()
            return shared.generation
        }
        let viewer = Viewer(session: self, role: role, isTranscoded: isTranscoded, generation: generation)
        watched = Watched(stream: best, key: best.join(viewer, as: wish.format))
    }

    /// Tells once why there is no picture.
    private func tellUnplayable(_ role: StreamRole, _ codec: String?, _ reason: String?) {
        guard let socket, unplayable != reason else { return }
        unplayable = reason
        if let reason { send(LiveMessages.unplayable(role, codec: codec, reason: reason), to: socket) }
    }

    private func leave() {
        guard let watched else { return }
        self.watched = nil
        watched.stream.leave(watched.key, as: wish.format)
        watched.stream.release()
    }

    /// What a feed calls. It knows which of the feeds it belongs to.
    private final class Viewer: LiveViewer {
        private let session: LiveSession
        private let role: StreamRole
        private let isTranscoded: Bool
        private let generation: Int
        /// Whether the player takes what comes now.
        private let isPlayable = Mutex(false)

        init(session: LiveSession, role: StreamRole, isTranscoded: Bool, generation: Int) {
            self.session = session
            self.role = role
            self.isTranscoded = isTranscoded
            self.generation = generation
        }

        func begin(_ description: StreamDescription, framesPerSecond: Double?) {
            let isPlayable = session.wish.codecs?.contains(description.videoCodecName) ?? true
            self.isPlayable.withLock { $0 = isPlayable }
            guard isPlayable else { return session.chooseSoon() }
            let run = LiveRun(description: description, role: role, framesPerSecond: framesPerSecond, isTranscoded: isTranscoded)
            session.take(generation) { $0.append(run, at: $1) }
        }

        func receive(_ frame: LiveFrame) {
            if !isPlayable.withLock({ $0 }) || frame.kind == .audio && !session.wish.withAudio { return }
            session.take(generation) { $0.append(frame, at: $1) }
        }

        func interrupted() { session.take(generation) { $0.appendInterruption(at: $1) } }
    }

    /// The stream has become one that the player does not take.
    private func chooseSoon() {
        shared.withLock { $0.eventLoop }?.execute { [self] in
            if socket != nil { choose() }
        }
    }

    /// Called on the thread that reads the camera; wakes the event loop once for all that waits.
    private func take(_ generation: Int, _ append: (inout ViewerQueue, Int64) -> Void) {
        let now = clock.monotonic()
        let loop = shared.withLock { shared -> (any EventLoop)? in
            guard shared.generation == generation, !shared.hasLeft else { return nil }
            append(&shared.queue, now)
            guard !shared.isScheduled else { return nil }
            shared.isScheduled = true
            return shared.eventLoop
        }
        loop?.execute { [self] in
            shared.withLock { $0.isScheduled = false }
            drain()
        }
    }

    // MARK: Sending

    private func drain() {
        guard let socket, !isDraining else { return }
        isDraining = true
        defer { isDraining = false }
        var sent = 0
        repeat {
            var hasWritten = false
            while socket.isWritable, let item = shared.withLock({ $0.queue.popFirst() }) {
                sent += write(item, to: socket)
                hasWritten = true
            }
            guard hasWritten else { break }
            // What the kernel takes at once makes room for more.
            socket.flush()
        } while socket.isWritable && shared.withLock { !$0.queue.isEmpty }
        if sent > 0 { totals.note(sent: sent) }
    }

    /// Gives the bytes of pictures and sound.
    private func write(_ item: ViewerQueue.Item, to socket: WebSocket) -> Int {
        switch item {
        case .frame(let frame):
            socket.write(frame.bytes)
            return frame.byteCount
        case .run(let run):
            if let old = self.run, old.description == run.description, old.role == run.role { return 0 }
            self.run = run
            send(LiveMessages.run(run, requested: wish.role, withAudio: wish.withAudio, format: wish.format), to: socket)
            guard wish.format == .fragments else { return 0 }
            guard LiveFragments.mimeType(of: run.description, withAudio: wish.withAudio) != nil else {
                socket.close(.unsupported, "no browser plays \(run.description.videoCodecName) as MP4")
                return 0
            }
            socket.write(LiveFragments.initSegment(of: run.description, withAudio: wish.withAudio))
        case .interruption:
            // The same parameters may follow, and they begin a new run all the same.
            run = nil
            tellState()
        case .lost(let pictures):
            let total = shared.withLock { $0.queue.lost }
            totals.note(lost: pictures)
            send(LiveMessages.lost(pictures, total: total), to: socket)
        }
        return 0
    }

    private func send(_ json: JSONValue, to socket: WebSocket) {
        let text = json.serialized()
        guard wish.format == .frames else { return socket.write(ByteBuffer(string: text), isText: true) }
        var buffer = ByteBufferAllocator().buffer(capacity: LiveHeader.length + text.utf8.count)
        LiveHeader.write(.json, isKeyframe: false, seconds: 0, into: &buffer)
        buffer.writeString(text)
        socket.write(buffer)
    }

    private func tellState() {
        guard let socket else { return }
        let health = live.state(wish.camera)
        let now = health?.status ?? .disabled
        guard now != status else { return }
        status = now
        send(LiveMessages.state(health), to: socket)
        socket.flush()
    }

    private func tellMotion() {
        // A viewer who does not keep up with the pictures is not sent more.
        guard let socket, socket.isWritable else { return }
        let motion = live.motion(wish.camera)
        guard (motion != nil) != hasMotion || motion?.updatedAt != motionTime else { return }
        hasMotion = motion != nil
        motionTime = motion?.updatedAt
        send(LiveMessages.motion(motion), to: socket)
        socket.flush()
    }
}
