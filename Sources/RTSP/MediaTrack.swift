/// One track being received: source, order, loss, and its depacketizer. Confined to the session's event loop.
final class MediaTrack {
    let index: Int
    let format: SDPFormat
    let depacketizer: Depacketizer
    /// Packets cannot come out of order (TCP).
    var isOrdered: Bool
    private(set) var ssrc: UInt32?
    private var payloadType: UInt8
    private(set) var reception = RTPReception()
    private var reorder = ReorderBuffer()
    private var malformedSeen = 0
    var lastReport: (ntpMiddle: UInt32, arrival: Int64)?
    var hasEnded = false
    /// Complete units not yet handed over.
    var units: [AccessUnit] = []

    init(index: Int, format: SDPFormat, isOrdered: Bool, unitLimit: Int) {
        self.index = index
        self.format = format
        self.isOrdered = isOrdered
        payloadType = format.payloadType
        depacketizer = Depacketizer(format, track: index, unitLimit: unitLimit)
    }

    /// What is said of this track to the receiver.
    var description: RTSPTrack {
        RTSPTrack(
            index: index, codec: format.codec, clockRate: format.clockRate, channels: format.channels,
            parameterSets: format.parameterSets, audioSpecificConfig: format.audioSpecificConfig, framerate: format.framerate)
    }

    /// Takes one RTP packet. `arrival`: monotonic microseconds.
    @inline(__always)
    func receive(_ bytes: ByteView, arrival: Int64, _ statistics: inout RTSPStatistics) {
        guard let packet = RTPPacket(bytes) else {
            statistics.malformed &+= 1
            return
        }
        if packet.ssrc != ssrc, !adopt(packet) {
            statistics.malformed &+= 1
            return
        }
        if isOrdered || !reception.isStarted || packet.sequence == reception.nextSequence {
            take(packet, bytes.count, arrival, &statistics)
            if !isOrdered, !reorder.isEmpty { drain(now: arrival, &statistics) }
        } else {
            hold(packet, bytes, arrival, &statistics)
        }
    }

    /// Another source on this track: the first, or a sender that began anew. False when it is something else altogether.
    private func adopt(_ packet: RTPPacket) -> Bool {
        if ssrc != nil {
            guard packet.payloadType == payloadType || packet.payloadType == format.payloadType else { return false }
            depacketizer.reset()
            reception = RTPReception()
            reorder.removeAll()
            lastReport = nil
        }
        ssrc = packet.ssrc
        payloadType = packet.payloadType
        return true
    }

    @inline(__always)
    private func take(_ packet: RTPPacket, _ size: Int, _ arrival: Int64, _ statistics: inout RTSPStatistics) {
        switch reception.judge(packet.sequence, ordered: isOrdered) {
        case .take(let lost):
            statistics.lost &+= lost
            accept(packet, size, lost, arrival, &statistics)
        case .drop:
            statistics.late &+= 1
        case .restart:
            depacketizer.reset()
            reorder.removeAll()
            accept(packet, size, 0, arrival, &statistics)
        }
    }

    @inline(__always)
    private func accept(_ packet: RTPPacket, _ size: Int, _ lost: Int, _ arrival: Int64, _ statistics: inout RTSPStatistics) {
        statistics.packets &+= 1
        statistics.bytes &+= size
        let ticks = UInt32(truncatingIfNeeded: arrival.multipliedFullWidth(by: Int64(format.clockRate)).low / 1_000_000)
        reception.measure(arrival: ticks, timestamp: packet.timestamp)
        depacketizer.receive(packet, lost: lost, arrival: arrival, into: &units)
    }

    private func hold(_ packet: RTPPacket, _ bytes: ByteView, _ arrival: Int64, _ statistics: inout RTSPStatistics) {
        let ahead = Int(packet.sequence &- reception.nextSequence)
        guard ahead < RTPReception.maximumDropout else {
            // Late, or a restart: the reception knows.
            return take(packet, bytes.count, arrival, &statistics)
        }
        let held = ReorderBuffer.Held(sequence: packet.sequence, arrival: arrival, bytes: bytes.array)
        guard reorder.insert(held, next: reception.nextSequence) else {
            statistics.late &+= 1
            return
        }
        drain(now: arrival, &statistics)
    }

    /// Delivers datagrams that waited: those whose turn has come, and those that waited too long.
    func drain(now: Int64, _ statistics: inout RTSPStatistics) {
        while let held = reorder.pop(next: reception.nextSequence, now: now) { takeHeld(held, &statistics) }
    }

    private func takeHeld(_ held: ReorderBuffer.Held, _ statistics: inout RTSPStatistics) {
        if held.sequence == reception.nextSequence { statistics.reordered &+= 1 }
        held.bytes.withUnsafeBytes { buffer in
            if let packet = RTPPacket(ByteView(buffer)) { take(packet, buffer.count, held.arrival, &statistics) }
        }
    }

    /// Delivers everything that waits; the source has ended.
    func flush(_ statistics: inout RTSPStatistics) {
        while let held = reorder.popAny() { takeHeld(held, &statistics) }
        depacketizer.flush(into: &units)
    }

    /// Malformed pieces since the last call.
    func newlyMalformed() -> Int {
        let total = depacketizer.malformed
        defer { malformedSeen = total }
        return total - malformedSeen
    }

    /// A receiver report about this track.
    func report(from own: UInt32, cname: String, now: Int64) -> [UInt8] {
        guard let ssrc, reception.isStarted else { return RTCP.receiverReport(from: own, cname: cname, about: nil, last: nil) }
        let last = lastReport.map { RTCP.LastReport(ntpMiddle: $0.ntpMiddle, age: now - $0.arrival) }
        return RTCP.receiverReport(from: own, cname: cname, about: (ssrc, reception.report()), last: last)
    }
}
