package import NVRModel
import DequeModule
import RTSP

/// The newest packets of a stream in memory: always the last GOP, more while a motion recording may ask for the seconds before it.
/// Bounded by time and by bytes; packets leave in whole GOPs from the old end. Pure.
package struct PreRoll: Sendable {
    /// Microseconds of wall time to keep before the newest packet.
    package var span: Int64
    /// Bytes at most. The last GOP stays even when it is larger, unless it passes `hardLimit`.
    package var maxBytes: Int
    /// Packets of a stream that sends no keyframes are dropped beyond this many bytes.
    package static let hardLimit = 48 << 20

    private var packets = Deque<MediaPacket>()
    /// Positions of keyframes, counted from the first packet ever kept.
    private var keyframes = Deque<(position: Int, wall: WallTime)>()
    private var removed = 0
    package private(set) var bytes = 0

    package init(span: Int64, maxBytes: Int) {
        self.span = span
        self.maxBytes = maxBytes
    }

    package var count: Int { packets.count }
    package var newest: MediaPacket? { packets.last }

    package mutating func append(_ packet: MediaPacket) {
        if packet.kind == .video, packet.isKeyframe {
            keyframes.append((removed + packets.count, packet.wall))
        } else if keyframes.isEmpty {
            return
        }
        packets.append(packet)
        bytes += packet.bytes.count
        while keyframes.count > 1 {
            let second = keyframes[1]
            let isOutdated = packet.wall.microseconds(since: second.wall) >= span
            guard isOutdated || bytes > min(maxBytes, Self.hardLimit) else { break }
            keyframes.removeFirst()
            drop(upTo: second.position)
        }
        if bytes > Self.hardLimit { removeAll() }
    }

    private mutating func drop(upTo position: Int) {
        while removed < position, let first = packets.popFirst() {
            bytes -= first.bytes.count
            removed += 1
        }
    }

    package mutating func removeAll() {
        removed += packets.count
        packets.removeAll(keepingCapacity: false)
        keyframes.removeAll(keepingCapacity: false)
        bytes = 0
    }

    /// Everything from the last keyframe at or before `time` on, or from the oldest one kept.
    package func packets(from time: WallTime) -> [MediaPacket] {
        guard let first = keyframes.first else { return [] }
        let start = keyframes.last { $0.wall <= time } ?? first
        return Array(packets[(start.position - removed)...])
    }

    /// The packets of the newest GOP.
    package func lastGOP() -> [MediaPacket] {
        guard let last = keyframes.last else { return [] }
        return Array(packets[(last.position - removed)...])
    }

    /// Packets after `sequence`, when every packet since it is still here; nil otherwise.
    package func packets(after sequence: UInt64) -> [MediaPacket]? {
        guard let first = packets.first, first.sequence <= sequence &+ 1 else { return nil }
        guard let last = packets.last, last.sequence > sequence else { return [] }
        let skip = Int(clamping: sequence &+ 1 &- first.sequence)
        return skip < packets.count ? Array(packets[skip...]) : []
    }
}
