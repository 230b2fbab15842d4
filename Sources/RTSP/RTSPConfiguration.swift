package import NIOCore

/// How RTP is carried: inside the RTSP connection (RFC 2326 section 10.12) or in datagrams.
package enum RTSPTransport: Sendable, Hashable {
    case tcp
    case udp
}

/// A user name and password. Prints neither.
package struct RTSPCredentials: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var username: String
    package var password: String

    /// Any characters are allowed in both.
    package init(username: String, password: String) {
        self.username = username
        self.password = password
    }

    /// From the user info of a URL (RFC 3986 section 3.2.1): `name:password`, both percent-encoded.
    package init(userInfo: some Collection<UInt8>) {
        let colon = userInfo.firstIndex(of: UInt8(ascii: ":"))
        username = Text.percentDecoded(userInfo[..<(colon ?? userInfo.endIndex)])
        password = colon.map { Text.percentDecoded(userInfo[$0...].dropFirst()) } ?? ""
    }

    package var description: String { "<credentials>" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// What one session connects to and how long it waits.
package struct RTSPClientConfiguration: Sendable {
    package var endpoint: RTSPEndpoint
    /// The transport asked for first; UDP falls back to TCP when the server refuses it (461).
    package var transport: RTSPTransport
    /// Name resolution, TCP and TLS together.
    package var connectTimeout: Duration
    /// The wait for the answer to one request.
    package var responseTimeout: Duration
    /// From the answer to PLAY to the first access unit of video (of any track when there is no video).
    package var firstPacketTimeout: Duration
    /// Between access units of video; audio alone does not count.
    package var idleTimeout: Duration
    /// The most that ending a session may take.
    package var closeTimeout: Duration
    package var userAgent: String
    /// Whether an audio track is set up when there is one.
    package var wantAudio: Bool
    /// Larger access units are dropped and counted as malformed; bounds the memory of one track.
    package var maxAccessUnitBytes: Int
    /// Called with every resolved address before it is connected to; throwing refuses it.
    package var addressCheck: (@Sendable (SocketAddress) throws -> Void)?

    /// Everything but the endpoint has a default that suits cameras.
    package init(
        endpoint: RTSPEndpoint,
        transport: RTSPTransport = .tcp,
        connectTimeout: Duration = .seconds(5),
        responseTimeout: Duration = .seconds(10),
        firstPacketTimeout: Duration = .seconds(10),
        idleTimeout: Duration = .seconds(10),
        closeTimeout: Duration = .seconds(1),
        userAgent: String = "RTSP/1.0 client",
        wantAudio: Bool = true,
        maxAccessUnitBytes: Int = 16 << 20,
        addressCheck: (@Sendable (SocketAddress) throws -> Void)? = nil
    ) {
        self.endpoint = endpoint
        self.transport = transport
        self.connectTimeout = connectTimeout
        self.responseTimeout = responseTimeout
        self.firstPacketTimeout = firstPacketTimeout
        self.idleTimeout = idleTimeout
        self.closeTimeout = closeTimeout
        self.userAgent = userAgent
        self.wantAudio = wantAudio
        self.maxAccessUnitBytes = maxAccessUnitBytes
        self.addressCheck = addressCheck
    }
}

/// Why a session could not begin or ended. Never carries credentials.
package enum RTSPError: Error, Sendable, Equatable {
    /// The name did not resolve or no route led to the address.
    case unreachable(String)
    /// Nothing listens at the port.
    case refused
    /// Nothing happened in time; the phase is a method name, "connect", "first packet" or "media".
    case timeout(String)
    /// The server wants credentials that were not given, or did not accept those given.
    case unauthorized
    /// The server knows the user and refuses (403).
    case forbidden
    /// Any other answer that is not a success.
    case status(Int, String)
    /// The server speaks something that is not RTSP, or the description makes no sense.
    case malformed(String)
    /// There is no video track that can be depacketized.
    case noVideo(String)
    /// The server ended the session or the connection.
    case closed(String)
    /// TLS could not be agreed on.
    case tls(String)
    /// The address check refused every address of the host.
    case addressRefused(String)
}

/// What a session has counted since it was made.
package struct RTSPStatistics: Sendable, Equatable {
    /// RTP packets accepted.
    package var packets = 0
    /// Bytes of RTP packets accepted, headers included.
    package var bytes = 0
    /// RTP packets that never came.
    package var lost = 0
    /// RTP packets that came out of order and were put right.
    package var reordered = 0
    /// RTP packets that came too late or twice and were dropped.
    package var late = 0
    /// Pieces of input that made no sense.
    package var malformed = 0
    /// Datagrams from an address that is not the server's.
    package var foreign = 0
    /// Access units delivered.
    package var accessUnits = 0
    /// Access units delivered of which a part is missing.
    package var damaged = 0
    /// RTCP packets understood.
    package var reports = 0
    /// The transport in use; nil before set-up.
    package var transport: RTSPTransport?
    /// Whether UDP was asked for and refused.
    package var fellBackToTCP = false

    /// Everything but the endpoint has a default that suits cameras.
    package init() {}
}
