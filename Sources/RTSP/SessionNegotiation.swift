import Logging
import NIOCore
import NIOPosix

/// The way from an endpoint to playing media: resolve, connect, OPTIONS, DESCRIBE, SETUP, PLAY, with redirects.
/// Runs as a task; every step that touches the driver hops to its event loop.
struct SessionNegotiation {
    /// An answer that sends us elsewhere.
    private struct Redirect: Error {
        let location: String
    }

    static let maximumRedirects = 3

    let driver: SessionDriver

    private var configuration: RTSPClientConfiguration { driver.configuration }
    private var loop: any EventLoop { driver.loop }

    init(_ driver: SessionDriver) {
        self.driver = driver
    }

    /// Returns when media may come.
    func run() async throws {
        var endpoint = configuration.endpoint
        for hop in 0...Self.maximumRedirects {
            let credentials = endpoint.credentials
            try await loop.submit { driver.use(credentials) }.get()
            try await connect(endpoint)
            do {
                return try await negotiate(endpoint)
            } catch let redirect as Redirect {
                guard hop < Self.maximumRedirects else { break }
                endpoint = try Self.follow(redirect.location, from: endpoint)
                driver.logger.info("redirected", metadata: ["to": "\(endpoint)"])
                try await loop.flatSubmit { driver.leaveConnection() }.get()
            }
        }
        throw RTSPError.malformed("too many redirects")
    }

    /// Where a redirect leads. Credentials go along to the same host only; encryption is never given up.
    private static func follow(_ location: String, from old: RTSPEndpoint) throws(RTSPError) -> RTSPEndpoint {
        let url = ControlURL.isAbsolute(location) ? location : ControlURL.resolve(location, base: old.url)
        guard var next = RTSPEndpoint(url) else { throw .malformed("the redirect leads nowhere") }
        if old.scheme == .rtsps, next.scheme != .rtsps { throw .malformed("the redirect gives up encryption") }
        if next.credentials == nil, Text.same(next.host, old.host) { next.credentials = old.credentials }
        return next
    }

    // MARK: connecting

    private func connect(_ endpoint: RTSPEndpoint) async throws {
        let deadline = MonotonicClock.now + configuration.connectTimeout.microseconds
        let addresses = try await resolve(endpoint, deadline: deadline)
        var allowed: [SocketAddress] = []
        var refusal: RTSPError?
        for address in addresses {
            do {
                try configuration.addressCheck?(address)
                allowed.append(address)
            } catch {
                refusal = .addressRefused("\(address.ipAddress ?? endpoint.host)")
            }
        }
        if allowed.isEmpty, let refusal { throw refusal }
        var failure = RTSPError.unreachable(endpoint.host)
        for (index, address) in allowed.enumerated() {
            let left = deadline - MonotonicClock.now
            guard left > 0 else { throw RTSPError.timeout("connect") }
            // The last address gets all the time there is; the ones before leave some for it.
            let share = index == allowed.count - 1 ? left : max(left / 2, 1)
            do {
                // Server names are for names: an address may not stand there. Parsing it as one fails for a name.
                let serverName = (try? SocketAddress(ipAddress: endpoint.host, port: 0)) == nil ? endpoint.host : nil
                try await loop.flatSubmit {
                    driver.connect(
                        to: address, serverName: serverName, isTLS: endpoint.scheme == .rtsps, timeout: .microseconds(share))
                }.get()
                return
            } catch {
                if error is CancellationError { throw error }
                failure = RTSPError(network: error)
            }
        }
        throw failure
    }

    private func resolve(_ endpoint: RTSPEndpoint, deadline: Int64) async throws -> [SocketAddress] {
        if let address = try? SocketAddress(ipAddress: endpoint.host, port: endpoint.port) { return [address] }  // else it is a name
        // Resolving blocks a thread of the pool and cannot be interrupted, so it races against the deadline and the end.
        let promise = loop.makePromise(of: [SocketAddress].self)
        let timer = loop.scheduleTask(in: .microseconds(max(0, deadline - MonotonicClock.now))) {
            promise.fail(RTSPError.timeout("connect"))
        }
        driver.ended.futureResult.whenFailure { promise.fail($0) }
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) {
            try Resolver.addresses(host: endpoint.host, port: endpoint.port)
        }.whenComplete { promise.completeWith($0) }
        defer { timer.cancel() }
        return try await promise.futureResult.get()
    }

    // MARK: requests

    private func exchange(_ method: String, _ url: String, _ fields: [(String, String)] = []) async throws -> RTSPResponse {
        let response = try await loop.flatSubmit { driver.exchange(method, url, fields) }.get()
        switch response.status {
        case 301, 302, 303, 305:
            guard let location = response.headers["Location"], !location.isEmpty else {
                throw RTSPError.malformed("a redirect without a location")
            }
            throw Redirect(location: location)
        case 403:
            throw RTSPError.forbidden
        default:
            return response
        }
    }

    private func success(_ response: RTSPResponse) throws(RTSPError) {
        guard (200..<300).contains(response.status) else { throw .status(response.status, String(response.reason.prefix(200))) }
    }

    private func negotiate(_ endpoint: RTSPEndpoint) async throws {
        let url = endpoint.url
        do {
            let options = try await exchange("OPTIONS", url)
            let offered = options.headers.all("Public").joined(separator: ",").uppercased()
            if offered.split(separator: ",").contains(where: { Text.trimmed($0) == "GET_PARAMETER" }) {
                try await loop.submit { driver.keepAliveMethod = "GET_PARAMETER" }.get()
            }
        } catch RTSPError.forbidden {
            // Not every camera answers OPTIONS gracefully; DESCRIBE tells what matters.
        }
        let description = try await exchange("DESCRIBE", url, [("Accept", "application/sdp")])
        try success(description)
        guard let sdp = SDPDescription(description.body) else { throw RTSPError.malformed("the description has no media") }
        let base = Self.base(description, url)
        let chosen = try choose(sdp)
        let aggregate = ControlURL.resolve(sdp.control, base: base)
        try await loop.submit { driver.aggregateURL = aggregate }.get()

        var transport = endpoint.scheme == .rtsps ? .tcp : configuration.transport
        var controls: [String] = []
        for (media, format) in chosen {
            let control = ControlURL.resolve(media.control, base: ControlURL.isAbsolute(sdp.control ?? "") ? aggregate : base)
            let index = controls.count
            do {
                try await setUp(control, format, index: index, &transport)
                controls.append(control)
            } catch let error as RTSPError where !format.codec.isVideo {
                guard case .status(let code, _) = error else { throw error }
                driver.logger.notice("the audio track was refused", metadata: ["status": "\(code)"])
                try await loop.submit { driver.releaseDatagrams(track: index) }.get()
            }
        }
        try await loop.submit {
            driver.intake.announce()
            driver.expectMedia()
        }.get()
        try await play(aggregate, controls)
        try await loop.submit { driver.startPlaying() }.get()
    }

    /// Where relative control URLs begin.
    private static func base(_ description: RTSPResponse, _ url: String) -> String {
        for name in ["Content-Base", "Content-Location"] {
            if let value = description.headers[name].map({ Text.trimmed($0) }), ControlURL.isAbsolute(value) {
                return ControlURL.withoutUserInfo(value)
            }
        }
        return url
    }

    /// One video and, when wanted, one audio track that can be depacketized.
    private func choose(_ sdp: SDPDescription) throws(RTSPError) -> [(SDPDescription.Media, SDPFormat)] {
        let playable = sdp.media.compactMap { media in media.format.map { (media, $0) } }
        guard let video = playable.first(where: { $0.1.codec.isVideo }) else {
            let kinds = sdp.media.map { media in
                let mapping = media.attribute("rtpmap")?.split(separator: " ").last.map { " \($0)" } ?? ""
                return media.kind + mapping
            }
            throw .noVideo(String(kinds.joined(separator: ", ").prefix(200)))
        }
        let audio = playable.filter { !$0.1.codec.isVideo }
        // "sendonly" is how a way back to the camera's loudspeaker is described.
        let wanted = configuration.wantAudio ? audio.first { $0.0.attribute("sendonly") == nil } ?? audio.first : nil
        return [video] + (wanted.map { [$0] } ?? [])
    }

    private func setUp(_ control: String, _ format: SDPFormat, index: Int, _ transport: inout RTSPTransport) async throws {
        var answer: RTSPResponse
        if transport == .udp {
            let port = try await loop.flatSubmit { driver.bindDatagrams(track: index) }.get()
            answer = try await exchange("SETUP", control, [("Transport", "RTP/AVP;unicast;client_port=\(port)-\(port + 1)")])
            if answer.status == 461 {
                transport = .tcp
                driver.logger.notice("the server refuses UDP; using TCP")
                try await loop.submit {
                    driver.releaseDatagrams(track: index)
                    driver.intake.statistics.fellBackToTCP = true
                }.get()
                answer = try await setUpInterleaved(control, index)
            }
        } else {
            answer = try await setUpInterleaved(control, index)
        }
        try success(answer)
        let header = RTSPTransportHeader(answer.headers["Transport"])
        let session = RTSPSessionHeader(answer.headers["Session"])
        let used: RTSPTransport = transport == .tcp || header?.isTCP == true ? .tcp : .udp
        try await loop.submit {
            if let session, driver.session == nil { driver.session = session }
            let track = MediaTrack(index: index, format: format, isOrdered: used == .tcp, unitLimit: configuration.maxAccessUnitBytes)
            driver.intake.add(track)
            driver.intake.statistics.transport = used
            switch used {
            case .tcp:
                driver.releaseDatagrams(track: index)
                let channels = header?.channels ?? (UInt8(index * 2), UInt8(index * 2 + 1))
                driver.intake.route(track: index, rtp: channels.rtp, rtcp: channels.rtcp)
                driver.sendReports(of: index, on: channels.rtcp)
            case .udp:
                if let ports = header?.serverPorts {
                    driver.connectDatagrams(track: index, rtp: ports.rtp, rtcp: ports.rtcp)
                } else {
                    driver.readDatagrams(track: index)
                }
            }
        }.get()
    }

    private func setUpInterleaved(_ control: String, _ index: Int) async throws -> RTSPResponse {
        try await exchange("SETUP", control, [("Transport", "RTP/AVP/TCP;unicast;interleaved=\(index * 2)-\(index * 2 + 1)")])
    }

    private func play(_ aggregate: String, _ controls: [String]) async throws {
        let answer = try await exchange("PLAY", aggregate, [("Range", "npt=0.000-")])
        switch answer.status {
        case 457:
            // Live sources may have no range at all.
            try success(try await exchange("PLAY", aggregate))
        case 459:
            // No aggregate operation: each track on its own.
            for control in controls { try success(try await exchange("PLAY", control)) }
        default:
            try success(answer)
        }
    }
}
