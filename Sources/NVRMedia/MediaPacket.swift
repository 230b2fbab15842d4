package import NVRModel
package import RTSP

/// One video frame or one audio frame of a stream, on the stream's repaired timeline. Never changed after it is published.
package struct MediaPacket: Sendable {
    package enum Kind: Sendable, Hashable {
        case video
        case audio
    }

    package var kind: Kind
    /// H.264/H.265: NAL units with 4-byte big-endian lengths, without parameter sets. MJPEG: one JPEG. Audio: one frame as the codec has it.
    package var bytes: MediaBytes
    /// Decode time in ticks of the track's timescale since the origin of the run; strictly increasing within a run and track.
    package var dts: Int64
    /// Presentation time on the same scale.
    package var pts: Int64
    package var isKeyframe: Bool
    /// True when network loss took a part of the frame.
    package var isDamaged: Bool
    /// Wall time of the frame: origin of the run plus `dts`, within 500 ms of its arrival.
    package var wall: WallTime
    /// Monotonic microseconds of arrival.
    package var arrival: Int64
    /// Counts all packets of a hub, so that a reader can tell whether it missed any.
    package var sequence: UInt64

    /// Bytes of the frame.
    package var byteCount: Int { bytes.count }

    /// The frame's bytes in place; they stay valid for as long as any copy of the packet lives.
    package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try bytes.withUnsafeBytes(body)
    }

    package init(
        kind: Kind, bytes: MediaBytes, dts: Int64, pts: Int64, isKeyframe: Bool, isDamaged: Bool, wall: WallTime, arrival: Int64,
        sequence: UInt64 = 0
    ) {
        self.kind = kind
        self.bytes = bytes
        self.dts = dts
        self.pts = pts
        self.isKeyframe = isKeyframe
        self.isDamaged = isDamaged
        self.wall = wall
        self.arrival = arrival
        self.sequence = sequence
    }
}
