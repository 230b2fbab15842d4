/// The codecs that are depacketized.
package enum RTSPCodec: Sendable, Hashable {
    case h264, h265, mjpeg, aac, pcmu, pcma, opus

    package var isVideo: Bool {
        switch self {
        case .h264, .h265, .mjpeg: true
        case .aac, .pcmu, .pcma, .opus: false
        }
    }
}

/// Parameter sets of H.264 or H.265 as NAL units with header and emulation-prevention bytes, without start codes.
package struct ParameterSets: Sendable, Equatable {
    package var vps: [[UInt8]]
    package var sps: [[UInt8]]
    package var pps: [[UInt8]]

    /// The sets as they are; nothing is checked.
    package init(vps: [[UInt8]] = [], sps: [[UInt8]] = [], pps: [[UInt8]] = []) {
        self.vps = vps
        self.sps = sps
        self.pps = pps
    }

    package var isEmpty: Bool { vps.isEmpty && sps.isEmpty && pps.isEmpty }
}

/// One track that is being received.
package struct RTSPTrack: Sendable {
    /// Position in the list given to `described`; access units and reports name the track by it.
    package var index: Int
    package var codec: RTSPCodec
    /// Ticks per second of the RTP timestamps.
    package var clockRate: Int
    /// Audio channels; 0 for video.
    package var channels: Int
    /// From the description; may be empty or wrong, see `AccessUnit.parameterSets`.
    package var parameterSets: ParameterSets
    /// AudioSpecificConfig of ISO 14496-3 for AAC, else empty.
    package var audioSpecificConfig: [UInt8]
    /// `a=framerate` of the description.
    package var framerate: Double?

    /// A track of which only these things are known.
    package init(
        index: Int, codec: RTSPCodec, clockRate: Int, channels: Int = 0, parameterSets: ParameterSets = ParameterSets(),
        audioSpecificConfig: [UInt8] = [], framerate: Double? = nil
    ) {
        self.index = index
        self.codec = codec
        self.clockRate = clockRate
        self.channels = channels
        self.parameterSets = parameterSets
        self.audioSpecificConfig = audioSpecificConfig
        self.framerate = framerate
    }
}

/// One access unit: a picture, an audio frame or an audio packet.
package struct AccessUnit: Sendable {
    /// `RTSPTrack.index`.
    package var track: Int
    /// H.264/H.265: NAL units each behind a 4-byte big-endian length, without delimiters, filler and parameter sets.
    /// MJPEG: one JPEG file. AAC: one raw access unit. G.711 and Opus: the payload of one packet.
    package var bytes: MediaBytes
    /// As sent, 32 bits that wrap.
    package var rtpTimestamp: UInt32
    /// When the first packet was read; monotonic microseconds.
    package var arrival: Int64
    /// Decoding can begin here; always true for audio and MJPEG.
    package var isKeyframe: Bool
    /// RTP packets lost since the previous access unit of the track.
    package var lostPackets: Int
    /// A part of this unit was lost; `bytes` holds the NAL units that are whole.
    package var isDamaged: Bool
    /// All parameter sets now in force, when they changed in band right before or in this unit.
    package var parameterSets: ParameterSets?
    /// Holds B slices, so the order of decoding may differ from the order of display.
    package var isReordered: Bool

    /// A whole unit unless said otherwise.
    package init(
        track: Int, bytes: MediaBytes, rtpTimestamp: UInt32, arrival: Int64, isKeyframe: Bool, lostPackets: Int = 0,
        isDamaged: Bool = false, parameterSets: ParameterSets? = nil, isReordered: Bool = false
    ) {
        self.track = track
        self.bytes = bytes
        self.rtpTimestamp = rtpTimestamp
        self.arrival = arrival
        self.isKeyframe = isKeyframe
        self.lostPackets = lostPackets
        self.isDamaged = isDamaged
        self.parameterSets = parameterSets
        self.isReordered = isReordered
    }
}

/// The server's statement which moment of its own clock an RTP timestamp stands for (RFC 3550 section 6.4.1).
package struct SenderReport: Sendable, Equatable {
    /// `RTSPTrack.index`.
    package var track: Int
    /// UTC microseconds since 1970 by the server's clock, which may be wrong by years.
    package var ntpMicroseconds: Int64
    package var rtpTimestamp: UInt32
    /// Monotonic microseconds.
    package var arrival: Int64

    /// Times in microseconds.
    package init(track: Int, ntpMicroseconds: Int64, rtpTimestamp: UInt32, arrival: Int64) {
        self.track = track
        self.ntpMicroseconds = ntpMicroseconds
        self.rtpTimestamp = rtpTimestamp
        self.arrival = arrival
    }
}

/// Takes what a session receives. Called on the session's event loop; must not block.
package protocol RTSPReceiver: Sendable {
    /// Once per run, before any access unit: the tracks that were set up.
    func described(_ tracks: [RTSPTrack])
    func received(_ unit: AccessUnit)
    func received(_ report: SenderReport)
}
