import Logging
import NIOCore

/// One client's connection: takes its requests in their order, knows who it is, and has at most one session.
///
/// `@unchecked Sendable`: everything that changes is confined to the connection's event loop.
final class RTSPServerConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Wrong credentials that one connection may show.
    private static let mostRefusals = 8
    /// How long the last words to a client may take.
    private static let farewell = TimeAmount.seconds(2)
    private static let methods = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER, SET_PARAMETER"

    private let content: any RTSPServerContent
    private let configuration: RTSPServerConfiguration
    private let room: RTSPServer.Room
    private let channel: any Channel
    private let address: String
    private let isEncrypted: Bool
    private let nonce = Text.hexEncoded((0..<16).map { _ in UInt8.random(in: 0...255) })

    private var framer = RTSPRequestFramer()
    private var isBusy = false
    private var isEnding = false
    private var refusals = 0
    /// Whether clients are asked for a digest rather than for the password itself.
    private var wantsDigest = false
    private var program: RTSPProgram?
    /// The field that `program.pass` was given for.
    private var passField: String?
    private var session: RTSPServerSession?
    private var patience: Scheduled<Void>?

    init(
        content: any RTSPServerContent, configuration: RTSPServerConfiguration, room: RTSPServer.Room, channel: any Channel, address: String,
        isEncrypted: Bool
    ) {
        self.content = content
        self.configuration = configuration
        self.room = room
        self.channel = channel
        self.address = address
        self.isEncrypted = isEncrypted
    }

    // MARK: The connection

    func handlerAdded(context: ChannelHandlerContext) { waitForGrant() }

    /// Strangers are not waited for, nor is somebody who does nothing with what he was granted.
    private func waitForGrant() {
        patience?.cancel()
        patience = channel.eventLoop.scheduleTask(in: configuration.patience) { [weak self] in
            guard let self, session == nil else { return }
            if isBusy { waitForGrant() } else { channel.close(promise: nil) }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnding else { return }
        var bytes = unwrapInboundIn(data)
        do throws(RTSPRequestFramer.Failure) { try framer.append(&bytes) } catch { return giveUp(error) }
        process()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if channel.isWritable { session?.drain() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is RTSPServerEnd { close(saysGoodbye: true) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        configuration.logger.debug("a connection broke off", metadata: ["address": "\(address)", "reason": "\(error)"])
        channel.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isEnding = true
        patience?.cancel()
        endSession(saysGoodbye: false)
        program = nil
        context.fireChannelInactive()
    }

    private func endSession(saysGoodbye: Bool) {
        guard let session else { return }
        self.session = nil
        session.end(saysGoodbye: saysGoodbye)
        room.leaveSession(address)
    }

    /// Ends with what has been written, and at once for a client that takes nothing.
    private func close(saysGoodbye: Bool) {
        isEnding = true
        endSession(saysGoodbye: saysGoodbye)
        let channel = channel
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
        channel.eventLoop.scheduleTask(in: Self.farewell) { channel.close(promise: nil) }
    }

    private func giveUp(_ failure: RTSPRequestFramer.Failure) {
        let (status, reason) =
            switch failure {
            case .malformed: (400, "Bad Request")
            case .tooLarge: (413, "Request Entity Too Large")
            case .unsupportedVersion: (505, "RTSP Version Not Supported")
            }
        respond(nil, status, reason)
        close(saysGoodbye: false)
    }

    // MARK: Requests

    private func process() {
        while !isBusy, !isEnding {
            do throws(RTSPRequestFramer.Failure) {
                guard let element = try framer.next() else { return }
                switch element {
                // Reports of the client: that they come is all that matters.
                case .frame: session?.heard()
                case .request(let request): take(request)
                }
            } catch { return giveUp(error) }
        }
    }

    private func take(_ request: RTSPRequest) {
        let cseq = request.headers["CSeq"].map { Text.trimmed($0) }
        guard let cseq, !cseq.isEmpty, cseq.utf8.count <= 10, cseq.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return respond(nil, 400, "CSeq Missing or Malformed")
        }
        let call = RTSPServerCall(cseq: cseq, request: request)
        if let wanted = request.headers["Require"] ?? request.headers["Proxy-Require"] {
            return respond(call, 551, "Option not supported", [("Unsupported", String(wanted.prefix(200)))])
        }
        if request.headers["Session"] != nil, call.sessionID == session?.id { session?.heard() }
        switch request.method {
        case "OPTIONS": respond(call, 200, "OK", [("Public", Self.methods)])
        case "DESCRIBE": describe(call)
        case "SETUP": setUp(call)
        case "PLAY": play(call)
        case "TEARDOWN":
            guard demandSession(call) else { return }
            endSession(saysGoodbye: false)
            waitForGrant()
            respond(call, 200, "OK")
        case "GET_PARAMETER", "SET_PARAMETER":
            // They keep a session alive; there are no parameters.
            guard request.headers["Session"] == nil || demandSession(call) else { return }
            respond(call, 200, "OK")
        case "PAUSE", "ANNOUNCE", "RECORD", "REDIRECT": respond(call, 405, "Method Not Allowed", [("Allow", Self.methods)])
        default: respond(call, 501, "Not Implemented", [("Public", Self.methods)])
        }
    }

    private func demandSession(_ call: RTSPServerCall) -> Bool {
        if let session, call.sessionID == session.id { return true }
        respond(call, 454, "Session Not Found")
        return false
    }

    /// Asks the content, and goes on with its answer; requests behind this one wait.
    private func admit(_ call: RTSPServerCall, _ body: @escaping @Sendable (RTSPProgram) -> Void) {
        guard let path = call.path else { return respond(call, 400, "Bad Request") }
        if call.query?.split(separator: "&").contains("auth=digest") == true { wantsDigest = true }
        var visit = RTSPVisit(
            method: call.request.method, path: path, realm: configuration.realm, address: address, isEncrypted: isEncrypted)
        // Who has a session goes on with what it was made for, whatever was described since.
        visit.program = session?.program ?? program
        let field = call.request.headers["Authorization"]
        if field == nil || field == passField {
            visit.pass = program?.pass
        } else if let field {
            guard let authorization = RTSPAuthorization(field) else { return refuse(call, .unauthorized) }
            if case .digest(let answer) = authorization {
                wantsDigest = true
                guard answer.nonce == nonce, answer.realm == configuration.realm else { return refuse(call, .unauthorized, isStale: true) }
            }
            visit.authorization = authorization
        }
        isBusy = true
        let (content, loop, sent) = (content, channel.eventLoop, visit)
        Task { [self] in
            let result: Result<RTSPProgram, RTSPRefusal>
            do throws(RTSPRefusal) { result = .success(try await content.admit(sent)) } catch { result = .failure(error) }
            loop.execute { [self] in
                isBusy = false
                guard !isEnding else { return }
                switch result {
                case .success(let program):
                    self.program = program
                    // A digest is made anew for each request; what shows the password itself is not checked again.
                    if let field, case .basic = sent.authorization { passField = field }
                    refusals = 0
                    if session == nil { waitForGrant() }
                    body(program)
                case .failure(let refusal): refuse(call, refusal)
                }
                process()
            }
        }
    }

    private func refuse(_ call: RTSPServerCall, _ refusal: RTSPRefusal, isStale: Bool = false) {
        var fields: [(String, String)] = []
        if refusal.status == 401 {
            refusals += 1
            fields = RTSPServerChallenge.values(
                realm: configuration.realm, nonce: nonce, offersDigest: wantsDigest, isStale: isStale
            ).map { ("WWW-Authenticate", $0) }
        }
        if let seconds = refusal.retryAfter { fields.append(("Retry-After", String(seconds))) }
        respond(call, refusal.status, refusal.reason, fields)
        if refusals > Self.mostRefusals { close(saysGoodbye: false) }
    }

    private func describe(_ call: RTSPServerCall) {
        if let accepted = call.request.headers["Accept"]?.lowercased(), !accepted.isEmpty,
            !accepted.contains("application/sdp"), !accepted.contains("*/*"), !accepted.contains("application/*")
        {
            return respond(call, 406, "Not Acceptable")
        }
        admit(call) { [self] program in
            let text = SDPWriter.text(
                program.tracks, title: program.title, id: UInt64(max(0, configuration.wall())), isIPv6: address.contains(":"))
            respond(
                call, 200, "OK",
                [("Content-Base", call.base + "/"), ("Cache-Control", "no-store"), ("Content-Type", "application/sdp")], body: text)
        }
    }

    // MARK: Sessions

    private func setUp(_ call: RTSPServerCall) {
        guard let wish = RTSPTransportWish(call.request.headers["Transport"], allowsUDP: !isEncrypted) else {
            return respond(call, 461, "Unsupported Transport")
        }
        if call.request.headers["Session"] != nil, !demandSession(call) { return }
        if let session, call.request.headers["Session"] == nil || session.isPlaying {
            return respond(call, 455, "Method Not Valid in This State", [("Allow", Self.methods)])
        }
        admit(call) { [self] program in
            guard let track = call.track ?? (program.tracks.count == 1 ? 0 : nil) else {
                return respond(call, 459, "Aggregate Operation Not Allowed")
            }
            guard program.tracks.indices.contains(track) else { return respond(call, 404, "Not Found") }
            if let session, session.program.source !== program.source { return respond(call, 459, "Aggregate Operation Not Allowed") }
            guard let session = session ?? makeSession(program) else {
                return respond(call, 453, "Not Enough Bandwidth", [("Retry-After", "10")])
            }
            setUp(call, track, wish, session)
        }
    }

    private func makeSession(_ program: RTSPProgram) -> RTSPServerSession? {
        guard room.enterSession(address) else { return nil }
        let made = RTSPServerSession(program: program, channel: channel, configuration: configuration) { [weak self] in
            self?.close(saysGoodbye: true)
        }
        session = made
        return made
    }

    private func setUp(_ call: RTSPServerCall, _ track: Int, _ wish: RTSPTransportWish, _ session: RTSPServerSession) {
        let identity = ("Session", "\(session.id);timeout=\(configuration.sessionTimeout)")
        func interleave(_ wished: (rtp: UInt8, rtcp: UInt8)?) {
            let (rtp, rtcp) = session.freeChannels(for: track, wished: wished)
            let ssrc = session.setUp(track, .interleaved(rtp: rtp, rtcp: rtcp))
            let transport = "RTP/AVP/TCP;unicast;interleaved=\(rtp)-\(rtcp);ssrc=\(Text.hexEncoded(Self.bytes(ssrc)).uppercased())"
            respond(call, 200, "OK", [("Transport", transport), identity])
        }
        switch wish.way {
        case .interleaved(let rtp, let rtcp): interleave((rtp, rtcp))
        case .interleavedAnywhere: interleave(nil)
        case .udp(let rtp, let rtcp):
            // To where the request came from, whatever else the client names: nobody is flooded in somebody's name.
            guard let media = peer(rtp), let control = peer(rtcp) else { return respond(call, 461, "Unsupported Transport") }
            isBusy = true
            session.openPorts().whenComplete { [self] result in
                isBusy = false
                guard !isEnding else { return }
                switch result {
                case .success(let ports):
                    let ssrc = session.setUp(track, .udp(rtp: media, rtcp: control))
                    let own = "\(ports.rtp.localAddress?.port ?? 0)-\(ports.rtcp.localAddress?.port ?? 0)"
                    let transport =
                        "RTP/AVP;unicast;client_port=\(rtp)-\(rtcp);server_port=\(own);ssrc=\(Text.hexEncoded(Self.bytes(ssrc)).uppercased())"
                    respond(call, 200, "OK", [("Transport", transport), identity])
                case .failure(let error):
                    configuration.logger.warning("no UDP ports could be opened", metadata: ["reason": "\(error)"])
                    respond(call, 461, "Unsupported Transport")
                }
                process()
            }
        }
    }

    private func peer(_ port: UInt16) -> SocketAddress? {
        var address = channel.remoteAddress
        address?.port = Int(port)
        return address
    }

    private static func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - $0 * 8)) } }

    private func play(_ call: RTSPServerCall) {
        guard demandSession(call), let session else { return }
        guard session.hasTracks else { return respond(call, 455, "Method Not Valid in This State", [("Allow", Self.methods)]) }
        admit(call) { [self] program in
            guard let session = self.session, session.program.source === program.source else {
                return respond(call, 455, "Method Not Valid in This State", [("Allow", Self.methods)])
            }
            let fields = [("Session", session.id), ("Range", "npt=now-")]
            // Once more does no harm: it goes on.
            if session.isPlaying { return respond(call, 200, "OK", fields) }
            let tracks = session.play(content, to: address, base: call.base)
            respond(call, 200, "OK", fields + [("RTP-Info", tracks)])
            session.drain()
        }
    }

    // MARK: Answers

    private func respond(_ call: RTSPServerCall?, _ status: Int, _ reason: String, _ fields: [(String, String)] = [], body: String = "") {
        var headers = RTSPHeaders()
        if let call { headers.add("CSeq", call.cseq) }
        headers.add("Server", configuration.software)
        for (name, value) in fields { headers.add(name, value) }
        if !body.isEmpty { headers.add("Content-Length", String(body.utf8.count)) }
        func clean(_ text: String) -> String {
            String(decoding: text.utf8.filter { $0 >= 0x20 && $0 != 0x7f }, as: UTF8.self)
        }
        var buffer = channel.allocator.buffer(capacity: 512 + body.utf8.count)
        buffer.writeString("RTSP/1.0 \(status) \(clean(reason))\r\n")
        for (name, value) in headers.fields { buffer.writeString("\(name): \(clean(value))\r\n") }
        buffer.writeString("\r\n" + body)
        channel.writeAndFlush(buffer, promise: nil)
    }
}
