/// Which of a camera's streams: the full one, or the small one for grids and detection.
package enum StreamRole: String, Sendable, Hashable, Codable, CaseIterable {
    case main
    case sub
}

/// How an RTSP stream is carried.
package enum StreamTransport: String, Sendable, Hashable, Codable, CaseIterable {
    case tcp
    case udp
}

/// The connection state of a camera, as the API names it.
package enum CameraStatus: String, Sendable, Hashable, Codable, CaseIterable {
    case starting = "STARTING"
    case connected = "CONNECTED"
    case unreachable = "UNREACHABLE"
    case unauthorized = "UNAUTHORIZED"
    case disabled = "DISABLED"
}

/// A camera's state with why and since when: what a person needs to know to mend it.
package struct CameraHealth: Sendable, Hashable {
    package var status: CameraStatus
    /// One sentence, free of credentials; nil when there is nothing to say.
    package var reason: String?
    package var since: WallTime
    /// Wall time of the newest video frame.
    package var lastSeen: WallTime?
    /// Which source reads the main stream: "rtsp" (our client) or "libav".
    package var source: String?
    /// True while footage of the camera is being written.
    package var isRecording: Bool
    package var width: Int?
    package var height: Int?
    package var videoCodec: String?
    package var audioCodec: String?
    /// Bytes written to disk in the last minute.
    package var recentBytes: Int64

    package init(
        status: CameraStatus, reason: String? = nil, since: WallTime, lastSeen: WallTime? = nil, source: String? = nil,
        isRecording: Bool = false, width: Int? = nil, height: Int? = nil, videoCodec: String? = nil, audioCodec: String? = nil,
        recentBytes: Int64 = 0
    ) {
        self.status = status
        self.reason = reason
        self.since = since
        self.lastSeen = lastSeen
        self.source = source
        self.isRecording = isRecording
        self.width = width
        self.height = height
        self.videoCodec = videoCodec
        self.audioCodec = audioCodec
        self.recentBytes = recentBytes
    }
}
