import Logging
import NIOCore
import NIOPosix
import RTSP
import Synchronization

/// A camera in this process that does what its script says. Listens at a free port of 127.0.0.1.
final class ScriptedServer: Sendable {
    struct Request: Sendable {
        var method: String
        var url: String
        /// Names in lower case.
        var headers: [String: String]
        /// How many requests of this method came before, over all connections.
        var earlier: Int
    }

    /// What the script talks through; used on the connection's event loop.
    struct Connection: Sendable {
        let channel: any Channel
        let server: ScriptedServer

        func send(_ text: String) { send(Array(text.utf8)) }
        func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }
        func close() {
            channel.close(promise: nil)
        }

        /// A usual answer.
        func answer(_ request: Request, _ status: String = "200 OK", _ headers: [String] = [], body: String = "") {
            let fields = ["CSeq: \(request.headers["cseq"] ?? "0")"] + headers + (body.isEmpty ? [] : ["Content-Length: \(body.utf8.count)"])
            send("RTSP/1.0 \(status)\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body)
        }
    }

    /// True when the script has dealt with the request; otherwise the usual answer is given.
    typealias Script = @Sendable (Request, Connection) -> Bool

    private struct Seen {
        var requests: [Request] = []
        var connections = 0
        var open = 0
        var waiters: [(String, CheckedContinuation<Void, Never>)] = []
        var idleWaiters: [CheckedContinuation<Void, Never>] = []
        var frames = 0
    }

    static let video = """
        v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHtkAoEf+yA==,aM48gA==\r\n\
        a=control:track1\r\n
        """
    static let audio = "m=audio 0 RTP/AVP 0\r\na=control:track2\r\n"

    private let seen = Mutex(Seen())
    let sdp: String
    private let script: Script
    private let listener: any Channel

    init(sdp: String = ScriptedServer.video, _ script: @escaping Script = { _, _ in false }) async throws {
        self.sdp = sdp
        self.script = script
        let box = Box()
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Inlet(box))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        box.server.withLock { $0 = self }
    }

    final class Box: Sendable {
        let server = Mutex<ScriptedServer?>(nil)
    }

    var port: Int { listener.localAddress?.port ?? 0 }
    var requests: [Request] { seen.withLock { $0.requests } }
    var methods: [String] { requests.map(\.method) }
    var connections: Int { seen.withLock { $0.connections } }
    /// `$` frames the client sent.
    var clientFrames: Int { seen.withLock { $0.frames } }

    func url(_ path: String = "/live", userInfo: String = "") -> String { "rtsp://\(userInfo)127.0.0.1:\(port)\(path)" }

    func stop() async {
        try? await listener.close()  // it may be closed already
    }

    /// Returns once a request of that method has come.
    func received(_ method: String) async {
        await withCheckedContinuation { continuation in
            let isThere = seen.withLock { seen in
                if seen.requests.contains(where: { $0.method == method }) { return true }
                seen.waiters.append((method, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    /// Returns once no connection is open.
    func idle() async {
        await withCheckedContinuation { continuation in
            let isIdle = seen.withLock { seen in
                if seen.open == 0 { return true }
                seen.idleWaiters.append(continuation)
                return false
            }
            if isIdle { continuation.resume() }
        }
    }

    fileprivate func opened() {
        seen.withLock { seen in
            seen.connections += 1
            seen.open += 1
        }
    }

    fileprivate func closed() {
        let waiters = seen.withLock { seen in
            seen.open -= 1
            defer { if seen.open == 0 { seen.idleWaiters.removeAll() } }
            return seen.open == 0 ? seen.idleWaiters : []
        }
        for one in waiters { one.resume() }
    }

    fileprivate func frame() {
        seen.withLock { $0.frames += 1 }
    }

    fileprivate func handle(_ head: String, _ channel: any Channel) {
        let lines = head.split(separator: "\r\n").map(String.init)
        let words = lines[0].split(separator: " ").map(String.init)
        guard words.count == 3, words[2] == "RTSP/1.0" else { return }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let pair = line.split(separator: ":", maxSplits: 1)
            if pair.count == 2 { headers[pair[0].lowercased()] = String(pair[1].drop { $0 == " " }) }
        }
        let (request, waiters) = seen.withLock { seen in
            let request = Request(method: words[0], url: words[1], headers: headers, earlier: seen.requests.count { $0.method == words[0] })
            seen.requests.append(request)
            let waiters = seen.waiters.filter { $0.0 == request.method }
            seen.waiters.removeAll { $0.0 == request.method }
            return (request, waiters)
        }
        for one in waiters { one.1.resume() }
        let connection = Connection(channel: channel, server: self)
        if !script(request, connection) { usual(request, connection) }
    }

    /// What a camera without peculiarities answers.
    func usual(_ request: Request, _ connection: Connection) {
        switch request.method {
        case "OPTIONS": connection.answer(request, "200 OK", ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"])
        case "DESCRIBE": connection.answer(request, "200 OK", ["Content-Type: application/sdp", "Content-Base: \(request.url)/"], body: sdp)
        case "SETUP":
            connection.answer(request, "200 OK", ["Transport: \(request.headers["transport"] ?? "")", "Session: 4711;timeout=60"])
        case "TEARDOWN":
            connection.answer(request, "200 OK")
            connection.close()
        default: connection.answer(request, "200 OK")
        }
    }

    private final class Inlet: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let box: Box
        private var text: [UInt8] = []

        init(_ box: Box) { self.box = box }

        private var server: ScriptedServer? { box.server.withLock { $0 } }

        func channelActive(context: ChannelHandlerContext) { server?.opened() }
        func channelInactive(context: ChannelHandlerContext) { server?.closed() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += Array(unwrapInboundIn(data).readableBytesView)
            while !text.isEmpty {
                if text[0] == 0x24 {
                    guard text.count >= 4 else { return }
                    let length = 4 + Int(text[2]) << 8 + Int(text[3])
                    guard text.count >= length else { return }
                    text.removeFirst(length)
                    server?.frame()
                    continue
                }
                guard let end = (0..<text.count).first(where: { text[$0...].starts(with: [13, 10, 13, 10]) }) else { return }
                let head = String(decoding: text[..<end], as: UTF8.self)
                text.removeFirst(end + 4)
                server?.handle(head, context.channel)
            }
        }
    }
}

/// Keeps what a session delivers.
final class Collector: RTSPReceiver {
    private struct State {
        var tracks: [RTSPTrack] = []
        var units: [AccessUnit] = []
        var reports: [SenderReport] = []
        var waiters: [(Int, CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var tracks: [RTSPTrack] { state.withLock { $0.tracks } }
    var units: [AccessUnit] { state.withLock { $0.units } }
    var reports: [SenderReport] { state.withLock { $0.reports } }

    func described(_ tracks: [RTSPTrack]) { state.withLock { $0.tracks = tracks } }
    func received(_ report: SenderReport) { state.withLock { $0.reports.append(report) } }

    func received(_ unit: AccessUnit) {
        let ready = state.withLock { state in
            state.units.append(unit)
            let ready = state.waiters.filter { $0.0 <= state.units.count }
            state.waiters.removeAll { $0.0 <= state.units.count }
            return ready
        }
        for one in ready { one.1.resume() }
    }

    /// Returns once that many units have come.
    func has(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.units.count >= count { return true }
                state.waiters.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}

/// Runs a session to its end and gives the cause.
@discardableResult
func runSession(
    _ url: String, _ collector: Collector = Collector(), transport: RTSPTransport = .tcp, pace: ReadPace = ReadPace(),
    configure: (inout RTSPClientConfiguration) -> Void = { _ in }
) async -> (error: any Error, session: RTSPSession) {
    let session = makeSession(url, transport: transport, pace: pace, configure: configure)
    do {
        try await session.run(collector)
        return (RTSPError.closed("returned without an error"), session)
    } catch {
        return (error, session)
    }
}

func makeSession(
    _ url: String, transport: RTSPTransport = .tcp, pace: ReadPace = ReadPace(), configure: (inout RTSPClientConfiguration) -> Void = { _ in }
) -> RTSPSession {
    var configuration = RTSPClientConfiguration(endpoint: RTSPEndpoint(url) ?? RTSPEndpoint(scheme: .rtsp, host: "invalid"), transport: transport)
    configure(&configuration)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return RTSPSession(configuration: configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.any(), pace: pace, logger: logger)
}
