package import NIOCore

/// What a server plays and to whom: decided by whoever runs it. Any event loop may call it.
package protocol RTSPServerContent: Sendable {
    /// What the visitor may have of a path. Called for every DESCRIBE, SETUP and PLAY, so that rights count at once; it may wait.
    func admit(_ visit: RTSPVisit) async throws(RTSPRefusal) -> RTSPProgram
    /// Begins to play. `wake` is called, from any thread, when something waits to be sent; it may be called within this call.
    func play(_ program: RTSPProgram, to address: String, wake: @escaping @Sendable () -> Void) -> any RTSPPlayback
}

/// Who asks for what.
package struct RTSPVisit: Sendable {
    package var method: String
    /// Elements of the path, decoded, without that of a track.
    package var path: [String]
    /// What the client said with this request; nil when nothing, or what it said before with the same pass.
    package var authorization: RTSPAuthorization?
    /// From an earlier program of this connection, when the client is still the same.
    package var pass: (any RTSPPass)?
    /// What the connection is about so far; to be given again as long as it is the same.
    package var program: RTSPProgram?
    package var realm: String
    /// Of the client, without port.
    package var address: String
    package var isEncrypted: Bool

    /// A visit of somebody unknown.
    package init(method: String, path: [String], realm: String, address: String, isEncrypted: Bool = false) {
        self.method = method
        self.path = path
        self.realm = realm
        self.address = address
        self.isEncrypted = isEncrypted
    }
}

/// Proof that somebody was recognised; means something to the content only.
package protocol RTSPPass: AnyObject, Sendable {}

/// Something that can be played.
package struct RTSPProgram: Sendable {
    package var title: String
    package var tracks: [SDPFormat]
    package var pass: any RTSPPass
    /// The content's own; lives as long as somebody may play it.
    package var source: any AnyObject & Sendable

    /// Track n of the playback's frames is `tracks[n]`.
    package init(title: String, tracks: [SDPFormat], pass: any RTSPPass, source: any AnyObject & Sendable) {
        self.title = title
        self.tracks = tracks
        self.pass = pass
        self.source = source
    }
}

/// Why a visitor gets nothing.
package struct RTSPRefusal: Error, Sendable, Equatable {
    package var status: Int
    package var reason: String
    /// Seconds, for `Retry-After`.
    package var retryAfter: Int?

    /// `reason` is sent to the client.
    package init(_ status: Int, _ reason: String, retryAfter: Int? = nil) {
        self.status = status
        self.reason = reason
        self.retryAfter = retryAfter
    }

    package static let unauthorized = RTSPRefusal(401, "Unauthorized")
    package static let forbidden = RTSPRefusal(403, "Forbidden")
    package static let notFound = RTSPRefusal(404, "Not Found")
}

/// A program that plays to one client. Bounded: what the client does not take in time is left out there.
package protocol RTSPPlayback: AnyObject, Sendable {
    /// What is to be sent next, taken out; nil when nothing waits. Called on the client's event loop.
    func next() -> RTSPPlaybackItem?
    /// The client has gone. Called once.
    func stop()
}

/// Something for one client.
package enum RTSPPlaybackItem: Sendable {
    case frame(RTSPFrame)
    /// Nothing follows.
    case end
}

/// The packets of one access unit, as `Packetizer` makes them.
package struct RTSPFrame: Sendable {
    /// Of the program.
    package var track: Int
    /// Presentation time, microseconds UTC.
    package var wall: Int64
    package var packets: ByteBuffer

    /// The timestamps in the packets are those of `RTPClock` for `wall`.
    package init(track: Int, wall: Int64, packets: ByteBuffer) {
        self.track = track
        self.wall = wall
        self.packets = packets
    }
}
