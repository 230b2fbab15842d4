import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// The moving parts of one session: the connection, requests and their answers, deadlines, reports and the end.
///
/// `@unchecked Sendable`: every property is touched on `loop` only, which the methods assert; the constants are Sendable.
final class SessionDriver: @unchecked Sendable {
    let configuration: RTSPClientConfiguration
    let loop: any EventLoop
    let pace: ReadPace
    let logger: Logger
    let intake: MediaIntake
    private let publish: @Sendable (RTSPStatistics) -> Void

    /// Fails with the cause when the session ends, whatever the cause is.
    let ended: EventLoopPromise<Void>
    private(set) var cause: (any Error)?

    private let framer = InterleavedFramer()
    private(set) var channel: (any Channel)?
    /// The connection's socket while the ticker reads it past the channel; never with TLS, never longer than the channel.
    private var directSocket: DirectSocket?
    private var isEncrypted = false
    /// On its way to become `channel`.
    private var connecting: [any Channel] = []
    private struct DatagramChannel {
        let channel: any Channel
        let track: Int
        let isControl: Bool
        /// The socket for the ticker; nil while the channel itself reads.
        var socket: DirectSocket?
    }
    private var datagramChannels: [DatagramChannel] = []
    /// Where datagrams must come from.
    private var serverAddress: SocketAddress?
    /// Whether the sockets were read since they were armed.
    private(set) var wantsArming = true
    private var isPeerGone = false
    /// While true sockets are read as fast as they fill; afterwards the ticker reads them.
    private(set) var readsAtOnce = true
    /// Datagrams whose receive buffer is too small to wait for the ticker.
    private var impatientDatagrams = false

    private struct Outstanding {
        let cseq: Int
        let method: String
        let promise: EventLoopPromise<RTSPResponse>
        let timeout: Scheduled<Void>?
    }
    private var outstanding: [Outstanding] = []
    private var abandoned: [Int] = []
    private var cseq = 0
    private var authenticator: Authenticator?
    private var wasAccepted = false
    private var attempts = 0

    var session: RTSPSessionHeader?
    var aggregateURL = ""
    var keepAliveMethod = "OPTIONS"
    private var keepAliveDue: Int64 = .max
    private var keepAliveSince: Int64?
    private var playingSince: Int64 = 0
    /// When the bytes being parsed were read; monotonic microseconds.
    private var arrival: Int64 = 0
    private var reportDue: Int64 = 0
    private var checkDue: Int64 = 0

    init(
        configuration: RTSPClientConfiguration, loop: any EventLoop, pace: ReadPace, logger: Logger, receiver: any RTSPReceiver,
        publish: @escaping @Sendable (RTSPStatistics) -> Void
    ) {
        self.configuration = configuration
        self.loop = loop
        self.pace = pace
        self.logger = logger
        self.publish = publish
        intake = MediaIntake(receiver: receiver)
        ended = loop.makePromise()
    }

    // MARK: the end

    /// Ends the session with the first cause given; later ones are ignored. On the loop.
    func end(_ error: any Error) {
        loop.assertInEventLoop()
        guard cause == nil else { return }
        directSocket = nil
        for index in datagramChannels.indices { datagramChannels[index].socket = nil }
        cause = error
        if !(error is CancellationError) { intake.flush(now: MonotonicClock.now) }
        intake.close()
        for channel in connecting { channel.close(promise: nil) }
        let waiting = outstanding
        outstanding.removeAll()
        for one in waiting {
            one.timeout?.cancel()
            one.promise.fail(error)
        }
        ended.fail(error)
    }

    /// Tears the session down and closes every socket; done within the close timeout.
    func shutDown(_ error: any Error) -> EventLoopFuture<Void> {
        loop.assertInEventLoop()
        end(error)
        LoopTicker.remove(self, from: loop)
        readsAtOnce = true
        publish(intake.statistics)
        return tearDown().flatMap { self.closeChannels() }
    }

    /// Ends the current connection for a redirect; the session goes on.
    func leaveConnection() -> EventLoopFuture<Void> {
        tearDown().flatMap {
            self.isPeerGone = true
            return self.closeChannels()
        }.map {
            self.isPeerGone = false
            self.channel = nil
            self.session = nil
            self.intake.removeTracks()
            self.framer.reset()
            self.abandoned.removeAll()
        }
    }

    private func tearDown() -> EventLoopFuture<Void> {
        guard let channel, channel.isActive, !isPeerGone, session != nil else { return loop.makeSucceededVoidFuture() }
        let done = loop.makePromise(of: Void.self)
        let timer = loop.scheduleTask(in: .init(configuration.closeTimeout)) { done.succeed() }
        channel.closeFuture.whenComplete { _ in done.succeed() }
        transmit("TEARDOWN", aggregateURL, [], timeout: nil).whenComplete { _ in
            timer.cancel()
            done.succeed()
        }
        channel.read()
        return done.futureResult
    }

    private func closeChannels() -> EventLoopFuture<Void> {
        let all = connecting + datagramChannels.map(\.channel) + (channel.map { [$0] } ?? [])
        connecting.removeAll()
        datagramChannels.removeAll()
        channel = nil
        for one in all { one.close(promise: nil) }
        return EventLoopFuture.andAllComplete(all.map(\.closeFuture), on: loop)
    }

    // MARK: connecting

    /// Connects to one resolved address; TLS on top when `serverName` is given.
    func connect(to address: SocketAddress, serverName: String?, isTLS: Bool, timeout: TimeAmount) -> EventLoopFuture<Void> {
        loop.assertInEventLoop()
        if let cause { return loop.makeFailedFuture(cause) }
        isPeerGone = false
        isEncrypted = isTLS
        framer.reset()
        return ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelOption(.autoRead, value: false)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 16)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 << 10))
            .channelInitializer { channel in
                channel.eventLoop.assertInEventLoop()
                self.connecting.append(channel)
                return channel.eventLoop.makeCompletedFuture {
                    if let cause = self.cause { throw cause }
                    if isTLS {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: LenientTLS.context(), serverHostname: serverName))
                    }
                    try channel.pipeline.syncOperations.addHandler(StreamInlet(self))
                }
            }
            .connect(to: address)
            .flatMapErrorThrowing { error in
                self.connecting.removeAll { !$0.isActive }
                throw error
            }
            .flatMapThrowing { channel in
                if let cause = self.cause {
                    channel.close(promise: nil)
                    throw cause
                }
                self.connecting.removeAll { $0 === channel }
                self.channel = channel
                channel.read()
            }
    }

    /// Makes `credentials` the ones to answer challenges with.
    func use(_ credentials: RTSPCredentials?) {
        authenticator = credentials.map { Authenticator($0) }
        wasAccepted = false
    }

    // MARK: requests

    /// Sends a request and gives the final answer, whatever its status but 401: a challenge is met once per run, and again
    /// only when the server says that merely the nonce is old or accepted us before.
    func exchange(_ method: String, _ url: String, _ fields: [(String, String)] = []) -> EventLoopFuture<RTSPResponse> {
        loop.assertInEventLoop()
        if let cause { return loop.makeFailedFuture(cause) }
        return exchange(method, url, fields, isRetry: false)
    }

    private func exchange(_ method: String, _ url: String, _ fields: [(String, String)], isRetry: Bool) -> EventLoopFuture<RTSPResponse> {
        let before = authenticator?.challenge
        let sentFields = fields
        return transmit(method, url, fields, timeout: configuration.responseTimeout).flatMap { response in
            guard response.status == 401 else {
                if before != nil, (200..<300).contains(response.status), method != "OPTIONS" { self.wasAccepted = true }
                return self.loop.makeSucceededFuture(response)
            }
            guard let challenge = AuthenticationChallenge.parse(response.headers.all("WWW-Authenticate")).first,
                self.authenticator != nil, !isRetry || before == nil
            else { return self.loop.makeFailedFuture(RTSPError.unauthorized) }
            if let before {
                // We did send credentials. Only a renewed nonce, or a server that knew us a moment ago, is worth another one.
                guard challenge.isStale || (self.wasAccepted && challenge.nonce != before.nonce) else {
                    return self.loop.makeFailedFuture(RTSPError.unauthorized)
                }
            } else {
                guard self.attempts == 0 || self.wasAccepted else { return self.loop.makeFailedFuture(RTSPError.unauthorized) }
                self.attempts += 1
            }
            self.authenticator?.accept(challenge)
            return self.exchange(method, url, sentFields, isRetry: true)
        }
    }

    /// Writes one request. `timeout` nil: the caller has a deadline of its own.
    private func transmit(_ method: String, _ url: String, _ fields: [(String, String)], timeout: Duration?) -> EventLoopFuture<RTSPResponse> {
        guard let channel, channel.isActive else {
            return loop.makeFailedFuture(cause ?? RTSPError.closed("no connection"))
        }
        cseq += 1
        let number = cseq
        var headers = RTSPHeaders()
        headers.add("CSeq", String(number))
        headers.add("User-Agent", configuration.userAgent)
        if let session { headers.add("Session", session.id) }
        if let authorization = authenticator?.authorization(method: method, url: url) { headers.add("Authorization", authorization) }
        for (name, value) in fields { headers.add(name, value) }
        let promise = loop.makePromise(of: RTSPResponse.self)
        let timer = timeout.map { duration in
            loop.scheduleTask(in: .init(duration)) { self.expire(number) }
        }
        outstanding.append(Outstanding(cseq: number, method: method, promise: promise, timeout: timer))
        channel.writeAndFlush(ByteBuffer(bytes: RTSPRequest(method: method, url: url, headers: headers).encoded()), promise: nil)
        if readsAtOnce { channel.read() }
        return promise.futureResult
    }

    private func expire(_ number: Int) {
        guard let index = outstanding.firstIndex(where: { $0.cseq == number }) else { return }
        let one = outstanding.remove(at: index)
        abandoned.append(number)
        if abandoned.count > 32 { abandoned.removeFirst() }
        one.promise.fail(RTSPError.timeout(one.method))
    }

    private func answered(_ response: RTSPResponse) {
        // 1xx only says that the answer is on its way.
        guard response.status >= 200 else { return }
        let index: Int?
        if let number = response.cseq {
            if abandoned.contains(number) { return }
            index = outstanding.firstIndex { $0.cseq == number } ?? (outstanding.isEmpty ? nil : 0)
        } else {
            // Cameras leave CSeq out or invent one: answers come in the order of the requests.
            index = outstanding.isEmpty ? nil : 0
        }
        guard let index else { return }
        let one = outstanding.remove(at: index)
        one.timeout?.cancel()
        one.promise.succeed(response)
    }

    /// The server asks something; it wants to hear something.
    private func asked(_ request: RTSPRequest) {
        let isKnown = ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER"].contains(request.method.uppercased())
        var text = isKnown ? "RTSP/1.0 200 OK\r\n" : "RTSP/1.0 501 Not Implemented\r\n"
        if let number = request.headers["CSeq"] { text += "CSeq: \(Text.trimmed(number).filter { $0.isNumber && $0.isASCII }.prefix(9))\r\n" }
        text += isKnown ? "Public: OPTIONS, GET_PARAMETER, SET_PARAMETER\r\n\r\n" : "\r\n"
        channel?.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    // MARK: playing

    /// PLAY was answered: from here on the ticker reads, and the deadlines count.
    func startPlaying() {
        loop.assertInEventLoop()
        guard cause == nil else { return }
        let now = MonotonicClock.now
        playingSince = now
        reportDue = now + 1_000_000
        scheduleKeepAlive(now)
        framer.toleratesGarbage = true
        readsAtOnce = false
        if !isEncrypted { directSocket = channel.flatMap { socket(of: $0) } }
        if !impatientDatagrams {
            for index in datagramChannels.indices where !datagramChannels[index].isControl {
                datagramChannels[index].socket = socket(of: datagramChannels[index].channel)
            }
        }
        LoopTicker.of(loop).add(self, pace: pace)
    }

    /// The socket below a channel; nil when it has none of its own, then the channel reads.
    private func socket(of channel: any Channel) -> DirectSocket? {
        do {
            return try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                DirectSocket(descriptor: $0)
            }
        } catch {
            logger.debug("reading through the channel", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Media may come before PLAY is answered.
    func expectMedia() {
        framer.toleratesGarbage = true
    }

    private func scheduleKeepAlive(_ now: Int64) {
        keepAliveDue = now + Int64(session?.timeout ?? 60) * 500_000
    }

    private func check(_ now: Int64) {
        if intake.hasEnded(now) { return end(RTSPError.closed("the server ended the stream")) }
        let idle = intake.lastUnit.map { max($0, playingSince) }
        if let idle {
            if now - idle > configuration.idleTimeout.microseconds { return end(RTSPError.timeout("media")) }
        } else if now - playingSince > configuration.firstPacketTimeout.microseconds {
            return end(RTSPError.timeout("first packet"))
        }
        intake.drain(now: now)
        if now >= keepAliveDue { keepAlive(now) }
        if let since = keepAliveSince, now - since > configuration.responseTimeout.microseconds {
            // Some cameras never answer; as long as media come that is no reason to leave.
            keepAliveSince = nil
            if let first = outstanding.first { expire(first.cseq) }
        }
        if now >= reportDue {
            reportDue = now + Int64.random(in: 4_000_000...6_000_000)
            sendReports(now)
        }
        publish(intake.statistics)
    }

    private func keepAlive(_ now: Int64) {
        scheduleKeepAlive(now)
        guard keepAliveSince == nil else { return }
        keepAliveSince = now
        punchHoles()
        let method = keepAliveMethod
        transmit(method, aggregateURL, [], timeout: nil).whenComplete { result in
            self.keepAliveSince = nil
            guard case .success(let response) = result else { return }
            switch response.status {
            case 401:
                let challenge = AuthenticationChallenge.parse(response.headers.all("WWW-Authenticate")).first
                if let challenge, challenge.nonce != self.authenticator?.challenge?.nonce || challenge.isStale {
                    self.authenticator?.accept(challenge)
                    self.keepAliveDue = min(self.keepAliveDue, MonotonicClock.now + 1_000_000)
                }
            case 454:
                self.end(RTSPError.status(454, response.reason))
            case 400..<600 where method != "OPTIONS":
                self.keepAliveMethod = "OPTIONS"
                self.keepAliveDue = min(self.keepAliveDue, MonotonicClock.now + 1_000_000)
            default:
                break
            }
        }
    }

    // MARK: RTCP and datagrams

    /// Where a track's RTCP goes.
    private enum ReportPath {
        case interleaved(UInt8)
        case datagram(any Channel, SocketAddress)
    }
    private var reportPaths: [Int: ReportPath] = [:]
    private var mediaPaths: [(channel: any Channel, address: SocketAddress)] = []

    /// The track's RTCP goes out on an interleaved channel.
    func sendReports(of track: Int, on interleaved: UInt8) {
        reportPaths[track] = .interleaved(interleaved)
    }

    private func sendReports(_ now: Int64) {
        for track in intake.tracks {
            guard let path = reportPaths[track.index] else { continue }
            let bytes = intake.report(track: track, now: now)
            switch path {
            case .interleaved(let number):
                var buffer = ByteBuffer()
                buffer.writeBytes([UInt8(ascii: "$"), number, UInt8(bytes.count >> 8 & 0xff), UInt8(bytes.count & 0xff)])
                buffer.writeBytes(bytes)
                channel?.writeAndFlush(buffer, promise: nil)
            case .datagram(let channel, let address):
                channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: bytes)), promise: nil)
            }
        }
    }

    /// Where the server is, for datagrams.
    var remoteAddress: SocketAddress? { channel?.remoteAddress }

    /// Binds an even port for RTP and the next for RTCP of a track; gives the even one.
    func bindDatagrams(track: Int) -> EventLoopFuture<UInt16> {
        guard let remote = channel?.remoteAddress else { return loop.makeFailedFuture(RTSPError.closed("no connection")) }
        return bindPair(track: track, remote: remote, attemptsLeft: 64)
    }

    private func bindPair(track: Int, remote: SocketAddress, attemptsLeft: Int) -> EventLoopFuture<UInt16> {
        guard cause == nil, attemptsLeft > 0 else {
            return loop.makeFailedFuture(cause ?? RTSPError.unreachable("no pair of free UDP ports"))
        }
        let any = remote.protocol == .inet6 ? "::" : "0.0.0.0"
        return bind(any, 0, track: track, isControl: false, remote: remote).flatMap { first in
            let port = first.localAddress?.port ?? 1
            guard port % 2 == 0, port < 65535 else {
                return first.close().recover { _ in }.flatMap { self.bindPair(track: track, remote: remote, attemptsLeft: attemptsLeft - 1) }
            }
            return self.bind(any, port + 1, track: track, isControl: true, remote: remote).flatMap { second in
                self.datagramChannels.append(DatagramChannel(channel: first, track: track, isControl: false))
                self.datagramChannels.append(DatagramChannel(channel: second, track: track, isControl: true))
                self.serverAddress = remote
                if self.cause != nil {
                    first.close(promise: nil)
                    second.close(promise: nil)
                }
                return self.loop.makeSucceededFuture(UInt16(clamping: port))
            }.flatMapError { _ in
                first.close().recover { _ in }.flatMap { self.bindPair(track: track, remote: remote, attemptsLeft: attemptsLeft - 1) }
            }
        }
    }

    private func bind(_ host: String, _ port: Int, track: Int, isControl: Bool, remote: SocketAddress) -> EventLoopFuture<any Channel> {
        DatagramBootstrap(group: loop)
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: UInt(isControl ? 1 : 16))
            .channelOption(.datagramVectorReadMessageCount, value: isControl ? 1 : 16)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: isControl ? 4 << 10 : 128 << 10))
            .channelOption(.socketOption(.so_rcvbuf), value: isControl ? 64 << 10 : 4 << 20)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramInlet(self, track: track, isControl: isControl, from: remote))
                }
            }
            .bind(host: host, port: port)
            .flatMap { channel in
                guard !isControl else { return self.loop.makeSucceededFuture(channel) }
                return channel.getOption(.socketOption(.so_rcvbuf)).map { size in
                    // Linux reports twice what holds payload. Below a megabyte a key frame may not fit between two ticks.
                    if Int(size) < 1 << 20 { self.impatientDatagrams = true }
                    return channel
                }
            }
    }

    /// The track's datagrams will not come: the server refused them.
    func releaseDatagrams(track: Int) {
        for one in datagramChannels where one.track == track { one.channel.close(promise: nil) }
        datagramChannels.removeAll { $0.track == track }
    }

    /// The server's ports are known: RTCP has a destination, and a firewall can be opened by a first packet each.
    func connectDatagrams(track: Int, rtp: UInt16, rtcp: UInt16) {
        guard var media = remoteAddress, var control = remoteAddress else { return }
        media.port = Int(rtp)
        control.port = Int(rtcp)
        for one in datagramChannels where one.track == track {
            if one.isControl {
                reportPaths[track] = .datagram(one.channel, control)
            } else {
                mediaPaths.append((one.channel, media))
            }
            one.channel.read()
        }
        punchHoles()
    }

    /// Datagrams may come although the server did not say from where.
    func readDatagrams(track: Int) {
        for one in datagramChannels where one.track == track { one.channel.read() }
    }

    /// An empty RTP packet to every media port, so that a firewall in between lets the answers in.
    func punchHoles() {
        for path in mediaPaths {
            let empty = ByteBuffer(bytes: [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            path.channel.writeAndFlush(AddressedEnvelope(remoteAddress: path.address, data: empty), promise: nil)
        }
        if !mediaPaths.isEmpty { sendReports(MonotonicClock.now) }
    }

    /// Whether a datagram channel reads on by itself: RTCP is rare, RTP waits for the ticker when it can.
    func readsDatagramsAtOnce(isControl: Bool) -> Bool {
        isControl || readsAtOnce || impatientDatagrams
    }
}

extension SessionDriver: PacedReader {
    func tick(now: Int64, isLive: Bool, buffer: UnsafeMutableRawBufferPointer) {
        if !isLive {
            arrival = now
            if let directSocket {
                drain(directSocket, buffer)
            } else {
                channel?.read()
            }
            for one in datagramChannels where !one.isControl {
                if let socket = one.socket {
                    drain(socket, track: one.track, buffer, now)
                } else {
                    one.channel.read()
                }
            }
        }
        if now >= checkDue {
            checkDue = now + 100_000
            check(now)
        }
    }

    func arm() {
        wantsArming = false
        channel?.read()
        for one in datagramChannels where !one.isControl { one.channel.read() }
    }

    /// A read that was armed has happened.
    fileprivate func disarmed() {
        guard !wantsArming, !readsAtOnce, cause == nil else { return }
        wantsArming = true
        if pace.isLive { LoopTicker.of(loop).readerDisarmed() }
    }

    /// Reads until there are no datagrams of a track, within bounds.
    private func drain(_ socket: DirectSocket, track: Int, _ buffer: UnsafeMutableRawBufferPointer, _ now: Int64) {
        guard let remote = serverAddress else { return }
        for _ in 0..<4096 {
            var isFromServer = false
            guard case .bytes(let count) = socket.readDatagram(into: buffer, host: remote, isFromHost: &isFromServer) else { return }
            if isFromServer {
                intake.take(track: track, isControl: false, ByteView(UnsafeRawBufferPointer(rebasing: buffer[..<count])), now)
            } else {
                foreignDatagram()
            }
        }
    }

    /// Reads until the socket is empty, within bounds: a server that sends faster than we parse must not starve the others.
    private func drain(_ socket: DirectSocket, _ buffer: UnsafeMutableRawBufferPointer) {
        for _ in 0..<16 {
            switch socket.read(into: buffer) {
            case .bytes(let count):
                guard consume(UnsafeRawBufferPointer(rebasing: buffer[..<count])), directSocket != nil, count == buffer.count else { return }
            case .empty:
                return
            case .ended:
                if let channel { disconnected(channel) }
                return
            case .failed(let error):
                if let channel { failed(error, on: channel) }
                return
            }
        }
    }
}

extension SessionDriver: InterleavedSink {
    @inline(__always)
    func frame(channel: UInt8, _ bytes: ByteView) {
        intake.frame(channel: channel, bytes, arrival: arrival)
    }

    func message(_ message: RTSPMessage) {
        switch message {
        case .response(let response): answered(response)
        case .request(let request): asked(request)
        }
    }

    @inline(__always)
    func knows(channel: UInt8) -> Bool { intake.knows(channel: channel) }

    func garbage() {
        intake.statistics.malformed &+= 1
    }
}

extension SessionDriver {
    /// Bytes came on the connection.
    fileprivate func received(_ buffer: ByteBuffer, on channel: any Channel) {
        guard self.channel === channel || self.channel == nil else { return }
        arrival = MonotonicClock.now
        _ = buffer.withUnsafeReadableBytes { consume($0) }
    }

    /// False when the bytes made no sense and the session has ended.
    fileprivate func consume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        do throws(InterleavedFramer.Failure) {
            try framer.consume(ByteView(bytes), self)
            return true
        } catch {
            end(RTSPError.malformed(error == .tooLarge ? "a message is too large" : "the server does not speak RTSP"))
            return false
        }
    }

    /// A datagram came for a track.
    fileprivate func received(_ buffer: ByteBuffer, track: Int, isControl: Bool) {
        let now = MonotonicClock.now
        buffer.withUnsafeReadableBytes { intake.take(track: track, isControl: isControl, ByteView($0), now) }
    }

    fileprivate func foreignDatagram() {
        intake.statistics.foreign &+= 1
    }

    fileprivate func disconnected(_ channel: any Channel) {
        guard self.channel === channel, !isPeerGone else { return }
        directSocket = nil
        isPeerGone = true
        end(RTSPError.closed("the server closed the connection"))
    }

    fileprivate func failed(_ error: any Error, on channel: any Channel) {
        guard self.channel === channel, !isPeerGone else { return }
        end(RTSPError(network: error))
        channel.close(promise: nil)
    }
}

/// Hands a connection's bytes to the driver, which decides when to read.
private final class StreamInlet: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let driver: SessionDriver

    init(_ driver: SessionDriver) {
        self.driver = driver
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        driver.received(unwrapInboundIn(data), on: context.channel)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if driver.readsAtOnce {
            context.read()
        } else {
            driver.disarmed()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        driver.disconnected(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        driver.failed(error, on: context.channel)
    }
}

/// Hands the datagrams of one track to the driver, unless they come from somebody else.
private final class DatagramInlet: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let driver: SessionDriver
    private let track: Int
    private let isControl: Bool
    private let remote: SocketAddress

    init(_ driver: SessionDriver, track: Int, isControl: Bool, from remote: SocketAddress) {
        self.driver = driver
        self.track = track
        self.isControl = isControl
        self.remote = remote
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard envelope.remoteAddress.hasSameHost(as: remote) else { return driver.foreignDatagram() }
        driver.received(envelope.data, track: track, isControl: isControl)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if driver.readsDatagramsAtOnce(isControl: isControl) {
            context.read()
        } else {
            driver.disarmed()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A port unreachable of a server that does not listen for RTCP: nothing to do, the next read goes on.
        if driver.readsDatagramsAtOnce(isControl: isControl) { context.read() }
    }
}

extension Duration {
    /// Whole microseconds, clamped.
    var microseconds: Int64 {
        let parts = components
        let seconds = max(-1_000_000_000, min(1_000_000_000, parts.seconds))
        return seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
    }
}

extension RTSPError {
    /// What a socket or TLS error means for the session.
    package init(network error: any Error) {
        switch error {
        case let error as RTSPError: self = error
        case let error as NIOSSLError: self = .tls("\(error)")
        case let error as BoringSSLError: self = .tls("\(error)")
        case is NIOConnectionError: self = .unreachable("no connection")
        case ChannelError.connectTimeout: self = .timeout("connect")
        case let error as IOError: self = RTSPError(errno: error.errnoCode)
        default: self = .closed("\(error)")
        }
    }
}
