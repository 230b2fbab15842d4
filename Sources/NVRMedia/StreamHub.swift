package import NVRModel
import ISOBMFF
import RTSP
import Synchronization

/// Somebody who takes a stream's packets: a recorder, a viewer, a detector. Calls come one after another on the thread that reads
/// the camera, so they must not block: what takes time goes into a bounded queue of the sink's own.
package protocol PacketSink: AnyObject, Sendable {
    /// A run begins, or its parameters changed; the next video packet is a keyframe.
    func begin(_ description: StreamDescription)
    func receive(_ packet: MediaPacket)
    /// The stream broke off: no packet of the current run follows.
    func interrupted()
}

/// One stream of one camera inside the server: one source publishes, any number of sinks receive. Owns the pre-roll.
package final class StreamHub: Sendable {
    /// What a sink wants of the past when it is attached.
    package enum Start: Sendable {
        /// From the next packet on, which may be in the middle of a GOP.
        case next
        /// From the newest keyframe in memory: the first picture needs no wait.
        case lastKeyframe
        /// From the last keyframe at or before this time, as far as the pre-roll reaches.
        case time(WallTime)
    }

    /// Totals since the hub was made.
    package struct Counters: Sendable {
        package var packets: UInt64 = 0
        package var bytes: UInt64 = 0
        package var videoFrames: UInt64 = 0
        package var damagedFrames: UInt64 = 0
        package var preRollBytes = 0
        package var sinks = 0
    }

    private struct Attached {
        var key: Int
        var sink: any PacketSink
    }

    private struct State {
        var description: StreamDescription?
        var preRoll: PreRoll
        var sinks: [Attached] = []
        var waiting: [(key: Int, sink: any PacketSink, start: Start)] = []
        var nextKey = 0
        var sequence: UInt64 = 0
        var counters = Counters()
        var lastVideoArrival: Int64?
        var lastVideoWall: WallTime?
    }

    package let role: StreamRole
    private let state: Mutex<State>

    /// `preRollSpan`: microseconds kept for motion recordings beside the last GOP.
    package init(role: StreamRole, preRollSpan: Int64 = 0, preRollBytes: Int = 64 << 20) {
        self.role = role
        state = Mutex(State(preRoll: PreRoll(span: preRollSpan, maxBytes: preRollBytes)))
    }

    package func setPreRoll(span: Int64) {
        state.withLock { $0.preRoll.span = span }
    }

    // MARK: Publishing, by the one source

    /// Starts a run or announces new parameters. Sinks hear of it before the next packet.
    package func publish(_ description: StreamDescription) {
        let sinks = state.withLock { state in
            if state.description?.run != description.run || state.description?.video != description.video {
                state.preRoll.removeAll()
            }
            state.description = description
            return state.sinks
        }
        for attached in sinks { attached.sink.begin(description) }
    }

    package func publish(_ packet: MediaPacket) {
        var packet = packet
        let (sinks, joining) = state.withLock { state in
            state.sequence += 1
            packet.sequence = state.sequence
            var joining: [(sink: any PacketSink, description: StreamDescription, packets: [MediaPacket])] = []
            let sinks = state.sinks
            if !state.waiting.isEmpty, let description = state.description {
                for item in state.waiting {
                    let past: [MediaPacket] =
                        switch item.start {
                        case .next: []
                        case .lastKeyframe: packet.isKeyframe && packet.kind == .video ? [] : state.preRoll.lastGOP()
                        case .time(let time): state.preRoll.packets(from: time)
                        }
                    joining.append((item.sink, description, past))
                    state.sinks.append(Attached(key: item.key, sink: item.sink))
                }
                state.waiting.removeAll()
            }
            state.preRoll.append(packet)
            state.counters.packets += 1
            state.counters.bytes += UInt64(packet.bytes.count)
            if packet.kind == .video {
                state.counters.videoFrames += 1
                if packet.isDamaged { state.counters.damagedFrames += 1 }
                state.lastVideoArrival = packet.arrival
                state.lastVideoWall = packet.wall
            }
            return (sinks, joining)
        }
        for attached in sinks { attached.sink.receive(packet) }
        for item in joining {
            item.sink.begin(item.description)
            for past in item.packets { item.sink.receive(past) }
            item.sink.receive(packet)
        }
    }

    /// The source lost the stream.
    package func interrupt() {
        let sinks = state.withLock { state in
            state.description = nil
            state.preRoll.removeAll()
            return state.sinks
        }
        for attached in sinks { attached.sink.interrupted() }
    }

    // MARK: Listening

    /// Adds a sink; it receives from the next published packet on, after what `start` asks of the past. Gives the key to detach with.
    package func attach(_ sink: any PacketSink, from start: Start) -> Int {
        state.withLock { state in
            state.nextKey += 1
            state.waiting.append((state.nextKey, sink, start))
            return state.nextKey
        }
    }

    /// Removes a sink. A call that is under way on the reading thread may still end afterwards.
    package func detach(_ key: Int) {
        state.withLock { state in
            state.sinks.removeAll { $0.key == key }
            state.waiting.removeAll { $0.key == key }
        }
    }

    // MARK: Looking

    package var description: StreamDescription? { state.withLock { $0.description } }

    /// Monotonic microseconds of the newest video frame's arrival.
    package var lastVideoArrival: Int64? { state.withLock { $0.lastVideoArrival } }
    package var lastVideoWall: WallTime? { state.withLock { $0.lastVideoWall } }

    package var counters: Counters {
        state.withLock { state in
            var counters = state.counters
            counters.preRollBytes = state.preRoll.bytes
            counters.sinks = state.sinks.count + state.waiting.count
            return counters
        }
    }

    /// Everything from the newest keyframe on, with sound.
    package func newestGOP() -> (description: StreamDescription, packets: [MediaPacket])? {
        state.withLock { state in state.description.map { ($0, state.preRoll.lastGOP()) } }
    }

    /// The video packets a decoder needs to show the newest frame: those after `sequence` when it can go on from there, else the
    /// newest GOP. `continues` tells which.
    package func newestPackets(after sequence: UInt64?) -> (description: StreamDescription, packets: [MediaPacket], continues: Bool)? {
        state.withLock { state in
            guard let description = state.description else { return nil }
            if let sequence, let rest = state.preRoll.packets(after: sequence) {
                // A newer keyframe makes everything before it needless.
                if let key = rest.lastIndex(where: { $0.kind == .video && $0.isKeyframe }) {
                    return (description, rest[key...].filter { $0.kind == .video }, false)
                }
                return (description, rest.filter { $0.kind == .video }, true)
            }
            return (description, state.preRoll.lastGOP().filter { $0.kind == .video }, false)
        }
    }
}
