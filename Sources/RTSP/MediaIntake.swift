/// Everything between the sockets and the receiver: which channel is which track, RTP, RTCP, counting, and when the
/// last picture came. Confined to the session's event loop.
final class MediaIntake {
    private let receiver: any RTSPReceiver
    private(set) var tracks: [MediaTrack] = []
    var statistics = RTSPStatistics()
    /// Per interleaved channel: track * 2, plus 1 for RTCP; -1 unused; -2 shared by several tracks.
    private var routes = [Int16](repeating: -1, count: 256)
    private let ssrc = UInt32.random(in: 1...UInt32.max)
    private let cname: String
    /// When the last access unit came that the watchdog accepts; monotonic microseconds.
    private(set) var lastUnit: Int64?
    private var watchesVideo = false
    /// When the video said BYE; monotonic microseconds.
    private var videoEnded: Int64?
    /// Nothing is handed over any more.
    private var isClosed = false

    init(receiver: any RTSPReceiver) {
        self.receiver = receiver
        cname = Text.hexEncoded((0..<8).map { _ in UInt8.random(in: 0...255) })
    }

    func add(_ track: MediaTrack) {
        tracks.append(track)
        if track.format.codec.isVideo { watchesVideo = true }
    }

    func removeTracks() {
        tracks.removeAll()
        routes = [Int16](repeating: -1, count: 256)
        watchesVideo = false
        videoEnded = nil
    }

    /// Interleaved channels of a track.
    func route(track: Int, rtp: UInt8, rtcp: UInt8) {
        for (channel, code) in [(rtp, Int16(track * 2)), (rtcp, Int16(track * 2 + 1))] {
            let before = routes[Int(channel)]
            routes[Int(channel)] = before == -1 || before == code ? code : -2
        }
    }

    /// Tells the receiver what will come.
    func announce() {
        receiver.described(tracks.map(\.description))
    }

    @inline(__always)
    func knows(channel: UInt8) -> Bool { routes[Int(channel)] != -1 }

    /// One interleaved frame.
    @inline(__always)
    func frame(channel: UInt8, _ bytes: ByteView, arrival: Int64) {
        let code = Int(routes[Int(channel)])
        guard code >= 0 else {
            if code == -2 { sharedChannel(bytes, arrival) }
            return
        }
        take(track: code >> 1, isControl: code & 1 == 1, bytes, arrival)
    }

    /// Several tracks were given the same channel: the payload type tells them apart.
    private func sharedChannel(_ bytes: ByteView, _ arrival: Int64) {
        guard bytes.count >= 2 else { return }
        if (192...223).contains(bytes[1]) {
            control(bytes, track: nil, arrival)
        } else if let track = tracks.first(where: { $0.format.payloadType == bytes[1] & 0x7f }) {
            take(track: track.index, isControl: false, bytes, arrival)
        }
    }

    /// One RTP or RTCP packet of a track. What the packet itself says wins over the channel it came on.
    @inline(__always)
    func take(track number: Int, isControl: Bool, _ bytes: ByteView, _ arrival: Int64) {
        guard number < tracks.count, bytes.count >= 2, !isClosed else { return }
        let track = tracks[number]
        if (200...204).contains(bytes[1]) || (isControl && (192...223).contains(bytes[1])) {
            return control(bytes, track: track, arrival)
        }
        track.receive(bytes, arrival: arrival, &statistics)
        if !track.units.isEmpty { deliver(track, arrival) }
    }

    @inline(never)
    private func deliver(_ track: MediaTrack, _ now: Int64) {
        statistics.malformed &+= track.newlyMalformed()
        if track.format.codec.isVideo || !watchesVideo { lastUnit = now }
        for unit in track.units {
            statistics.accessUnits &+= 1
            if unit.isDamaged { statistics.damaged &+= 1 }
            receiver.received(unit)
        }
        track.units.removeAll(keepingCapacity: true)
    }

    private func control(_ bytes: ByteView, track: MediaTrack?, _ arrival: Int64) {
        guard let packets = RTCP.parse(bytes) else {
            statistics.malformed &+= 1
            return
        }
        statistics.reports &+= 1
        for packet in packets {
            switch packet {
            case .senderReport(let ssrc, let ntp, let rtpTimestamp):
                // Cameras put a wrong SSRC into their reports; the channel is the better witness.
                guard let track = tracks.first(where: { $0.ssrc == ssrc }) ?? track else { continue }
                track.lastReport = (UInt32(truncatingIfNeeded: ntp >> 16), arrival)
                if let time = RTCP.microseconds(ntp: ntp) {
                    receiver.received(SenderReport(track: track.index, ntpMicroseconds: time, rtpTimestamp: rtpTimestamp, arrival: arrival))
                }
            case .bye(let ssrcs):
                let named = tracks.filter { $0.ssrc.map(ssrcs.contains) ?? false }
                for track in named.isEmpty ? [track].compactMap({ $0 }) : named { track.hasEnded = true }
                if videoEnded == nil, tracks.contains(where: { $0.hasEnded && $0.format.codec.isVideo }) { videoEnded = arrival }
            }
        }
    }

    /// Every track said BYE, or the video did a second ago and the rest does not follow.
    func hasEnded(_ now: Int64) -> Bool {
        guard !tracks.isEmpty else { return false }
        return tracks.allSatisfy(\.hasEnded) || videoEnded.map { now - $0 > 1_000_000 } ?? false
    }

    /// Gives up datagrams that were waited for too long.
    func drain(now: Int64) {
        for track in tracks where !track.isOrdered {
            track.drain(now: now, &statistics)
            if !track.units.isEmpty { deliver(track, now) }
        }
    }

    /// Hands over what is in progress; the source has ended.
    func flush(now: Int64) {
        guard !isClosed else { return }
        for track in tracks {
            track.flush(&statistics)
            if !track.units.isEmpty { deliver(track, now) }
        }
    }

    /// Nothing is handed over from here on.
    func close() {
        isClosed = true
    }

    func report(track: MediaTrack, now: Int64) -> [UInt8] {
        track.report(from: ssrc, cname: cname, now: now)
    }
}
