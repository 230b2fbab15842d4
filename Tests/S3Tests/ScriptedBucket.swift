import NIOCore
import NIOHTTP1
import NIOPosix
import S3
import Synchronization

/// A server of the test's own: it keeps what it is sent and answers what the test tells it to.
final class ScriptedBucket: Sendable {
    struct Request: Sendable {
        var method: HTTPMethod
        var uri: String
        var headers: HTTPHeaders
        var body: [UInt8]
    }

    enum Answer: Sendable {
        case says(Int, String, [(String, String)] = [])
        /// The connection ends without a word.
        case hangsUp
        /// Nothing comes.
        case stays
    }

    private struct State {
        var answers: [Answer]
        var requests: [Request] = []
        var connections = 0
    }

    private let state: Mutex<State>
    private let channel: any Channel
    let port: Int

    private init(state: consuming Mutex<State>, channel: any Channel) {
        self.state = state
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    private final class Box: Sendable {
        let server = Mutex<ScriptedBucket?>(nil)
    }

    static func start(_ answers: [Answer]) async throws -> ScriptedBucket {
        let box = Box()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    box.server.withLock { $0 }?.connected()
                    try channel.pipeline.syncOperations.addHandler(Handler(box.server.withLock { $0 }))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = ScriptedBucket(state: Mutex(State(answers: answers)), channel: channel)
        box.server.withLock { $0 = server }
        return server
    }

    var requests: [Request] { state.withLock { $0.requests } }
    var connections: Int { state.withLock { $0.connections } }

    func stop() async throws { try await channel.close() }

    private func connected() { state.withLock { $0.connections += 1 } }

    private func answer(_ request: Request) -> Answer {
        state.withLock { state in
            state.requests.append(request)
            return state.answers.isEmpty ? .says(500, "") : state.answers.removeFirst()
        }
    }

    /// A client of it that loses no time.
    func client(
        tries: Int = 1, stall: Int64 = 1200, pace: (@Sendable (Int) async throws -> Void)? = nil
    ) throws -> S3Client {
        var configuration = S3Client.Configuration(
            location: try S3Location(endpoint: "http://store.test:\(port)", region: "us-east-1", bucket: "bucket", addressing: .path),
            credentials: S3Credentials(accessKey: "AKIA", secretKey: "hidden-secret"), now: { 1_700_000_000 },
            resolve: { _, port in [try SocketAddress(ipAddress: "127.0.0.1", port: port)] })
        configuration.retry = S3Retry(tries: tries, first: 0.001)
        configuration.stallSeconds = stall
        configuration.pace = pace
        return S3Client(configuration, on: MultiThreadedEventLoopGroup.singleton)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let server: ScriptedBucket?
        private var request: Request?

        init(_ server: ScriptedBucket?) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): request = Request(method: head.method, uri: head.uri, headers: head.headers, body: [])
            case .body(let bytes): request?.body += Array(bytes.readableBytesView)
            case .end:
                guard let request, let server else { return }
                switch server.answer(request) {
                case .hangsUp: context.close(promise: nil)
                case .stays: break
                case .says(let status, let body, let fields):
                    var headers = HTTPHeaders(fields)
                    if request.method != .HEAD { headers.add(name: "content-length", value: String(body.utf8.count)) }
                    context.write(
                        wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers))), promise: nil
                    )
                    if request.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil) }
                    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                }
            }
        }
    }
}
