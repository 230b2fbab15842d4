import NIOCore
import Synchronization

/// One session of a client: its tracks, where they go, what is sent, and whether the client lives.
///
/// `@unchecked Sendable`: everything that changes is confined to the connection's event loop.
final class RTSPServerSession: @unchecked Sendable {
    /// Where the packets of a track go.
    enum Transport {
        case interleaved(rtp: UInt8, rtcp: UInt8)
        case udp(rtp: SocketAddress, rtcp: SocketAddress)
    }

    private struct Track {
        var transport: Transport
        var sender: RTPSender
    }

    private enum Datagram {
        case rtp(SocketAddress, ByteBuffer)
        case rtcp(SocketAddress, ByteBuffer)
    }

    /// Datagrams at once and the pause behind them: what any receiver's buffer takes, and 20 MB a second.
    private static let datagramsAtOnce = 32
    private static let datagramPause = TimeAmount.milliseconds(2)
    /// How long a connection may take nothing.
    private static let stuckTimeout = TimeAmount.seconds(30)
    /// A wall clock that goes back by more than this, microseconds, was set; by less, frames are merely reordered.
    private static let reordering: Int64 = 2_000_000

    /// Names the session; nobody can guess it.
    let id = Text.hexEncoded((0..<16).map { _ in UInt8.random(in: 0...255) })
    let program: RTSPProgram
    private let channel: any Channel
    private let configuration: RTSPServerConfiguration
    private let cname: String
    private let onEnd: () -> Void
    private var tracks: [Int: Track] = [:]
    private var ports: RTSPServerPorts?
    private var playback: (any RTSPPlayback)?
    private var first: RTSPPlaybackItem?
    private var datagrams = CircularBuffer<Datagram>()
    private var isPaused = false
    private var isDraining = false
    private var hasReported = false
    private var hasEnded = false
    private var newestWall: Int64?
    private var shift: Int64 = 0
    private var heardAt = NIODeadline.now()
    private var stuckSince: NIODeadline?
    private var ticks: RepeatedTask?

    /// `onEnd` is called when the program ends or the client is dead, not for `end`.
    init(program: RTSPProgram, channel: any Channel, configuration: RTSPServerConfiguration, onEnd: @escaping () -> Void) {
        self.program = program
        self.channel = channel
        self.configuration = configuration
        self.onEnd = onEnd
        cname = "\(configuration.software)-" + Text.hexEncoded((0..<4).map { _ in UInt8.random(in: 0...255) })
        let interval = configuration.reportInterval
        ticks = channel.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in self?.look() }
    }

    var isPlaying: Bool { playback != nil }
    var hasTracks: Bool { !tracks.isEmpty }

    // MARK: Setting up

    /// The channels that a track gets on the connection: those it asks for, unless another track has them.
    func freeChannels(for track: Int, wished: (rtp: UInt8, rtcp: UInt8)?) -> (rtp: UInt8, rtcp: UInt8) {
        var taken: Set<UInt8> = []
        for (other, state) in tracks where other != track {
            if case .interleaved(let rtp, let rtcp) = state.transport { taken.formUnion([rtp, rtcp]) }
        }
        if let wished, !taken.contains(wished.rtp), !taken.contains(wished.rtcp) { return wished }
        let free = stride(from: 0 as UInt8, to: 254, by: 2).first { !taken.contains($0) && !taken.contains($0 + 1) } ?? 254
        return (free, free + 1)
    }

    /// The UDP ports of the session, bound at the first call.
    func openPorts() -> EventLoopFuture<RTSPServerPorts> {
        if let ports { return channel.eventLoop.makeSucceededFuture(ports) }
        guard let local = channel.localAddress else { return channel.eventLoop.makeFailedFuture(ChannelError.unknownLocalAddress) }
        return RTSPServerPorts.bind(
            at: local, on: channel.eventLoop, heard: { [weak self] in self?.heard(from: $0) }, drained: { [weak self] in self?.drain() }
        ).map { [self] bound in
            if hasEnded { bound.close() } else { ports = bound }
            return bound
        }
    }

    /// Sends a track there; gives its SSRC.
    func setUp(_ track: Int, _ transport: Transport) -> UInt32 {
        let sender = tracks[track]?.sender ?? RTPSender(rate: program.tracks[track].clockRate)
        tracks[track] = Track(transport: transport, sender: sender)
        return sender.ssrc
    }

    // MARK: Signs of life

    /// A request of the client, or a report on its connection.
    func heard() { heardAt = .now() }

    private func heard(from address: SocketAddress) {
        let isOurs = tracks.values.contains { track in
            if case .udp(let rtp, let rtcp) = track.transport { address == rtcp || address == rtp } else { false }
        }
        if isOurs { heard() }
    }

    private func look() {
        guard !hasEnded else { return }
        if isPlaying, hasReported { report(wall: configuration.wall()) }
        let now = NIODeadline.now()
        if channel.isWritable { stuckSince = nil } else if stuckSince == nil { stuckSince = now }
        if let stuckSince, now - stuckSince >= Self.stuckTimeout { return onEnd() }
        // Whoever takes what is sent on his connection lives.
        let isServed = isPlaying && ports == nil
        if !isServed, now - heardAt >= .seconds(Int64(configuration.sessionTimeout)) { onEnd() }
    }

    // MARK: Playing

    /// Begins. Gives a line of `RTP-Info` for each track (RFC 2326 section 12.33); frames follow with `drain`.
    func play(_ content: any RTSPServerContent, to address: String, base: String) -> String {
        let wakeUp = WakeUp(channel.eventLoop) { [weak self] in self?.drain() }
        let playback = content.play(program, to: address) { wakeUp.call() }
        self.playback = playback
        heard()
        first = playback.next()
        var wall: Int64?
        if case .frame(let frame) = first { wall = frame.wall }
        return tracks.sorted { $0.key < $1.key }.map { index, track in
            let time = wall.map { ";rtptime=\(track.sender.timestamp(wall: $0))" } ?? ""
            return "url=\(base)/trackID=\(index);seq=\(track.sender.sequence)\(time)"
        }.joined(separator: ",")
    }

    /// Calls to the loop, one for all that waits.
    private final class WakeUp: Sendable {
        private let isDue = Atomic(false)
        private let loop: any EventLoop
        private let body: @Sendable () -> Void

        init(_ loop: any EventLoop, _ body: @escaping @Sendable () -> Void) {
            self.loop = loop
            self.body = body
        }

        func call() {
            guard !isDue.exchange(true, ordering: .acquiringAndReleasing) else { return }
            loop.execute { [self] in
                isDue.store(false, ordering: .releasing)
                body()
            }
        }
    }

    private var canSend: Bool { ports.map { datagrams.isEmpty && $0.rtp.isWritable } ?? channel.isWritable }

    /// Sends what waits, as far as the client takes it. One flush for all of it.
    func drain() {
        guard let playback, !isDraining, !isPaused, !hasEnded else { return }
        isDraining = true
        defer { isDraining = false }
        sendDatagrams()
        var isOver = false
        repeat {
            var hasWritten = false
            while canSend, !isPaused, let item = first ?? playback.next() {
                first = nil
                guard case .frame(let frame) = item else {
                    isOver = true
                    break
                }
                send(frame)
                sendDatagrams()
                hasWritten = true
            }
            guard hasWritten else { break }
            if ports == nil { channel.flush() }
        } while !isOver && canSend && !isPaused
        if isOver { onEnd() }
    }

    private func send(_ frame: RTSPFrame) {
        guard tracks[frame.track] != nil else { return }
        follow(frame.wall)
        // First, so that the client knows from the first frame on how the tracks belong together.
        if !hasReported { report(wall: frame.wall) }
        guard var track = tracks[frame.track] else { return }
        switch track.transport {
        case .interleaved(let rtp, _):
            channel.write(track.sender.stamp(frame.packets, channel: rtp), promise: nil)
        case .udp(let address, _):
            RTPSender.forEachPacket(track.sender.stamp(frame.packets, channel: 0)) { datagrams.append(.rtp(address, $0)) }
        }
        tracks[frame.track] = track
    }

    /// Keeps the client's timeline going on where the wall clock was set back.
    private func follow(_ wall: Int64) {
        let shifted = wall &+ shift
        if let newest = newestWall, shifted < newest - Self.reordering {
            let step = newest - shifted + 40_000
            shift &+= step
            for index in tracks.keys { tracks[index]?.sender.advance(byMicroseconds: step) }
            newestWall = newest + 40_000
        } else {
            newestWall = max(newestWall ?? shifted, shifted)
        }
    }

    private func sendDatagrams() {
        guard let ports, !datagrams.isEmpty else { return }
        var count = 0
        while count < Self.datagramsAtOnce, let datagram = datagrams.popFirst() {
            switch datagram {
            case .rtp(let address, let bytes): ports.rtp.write(AddressedEnvelope(remoteAddress: address, data: bytes), promise: nil)
            case .rtcp(let address, let bytes): ports.rtcp.write(AddressedEnvelope(remoteAddress: address, data: bytes), promise: nil)
            }
            count += 1
        }
        ports.rtcp.flush()
        ports.rtp.flush()
        guard count == Self.datagramsAtOnce else { return }
        isPaused = true
        channel.eventLoop.scheduleTask(in: Self.datagramPause) { [weak self] in
            self?.isPaused = false
            self?.drain()
        }
    }

    // MARK: Reports

    private func report(wall: Int64) {
        hasReported = true
        for track in tracks.values { sendControl(track.sender.report(wall: wall, cname: cname), track.transport) }
        if ports == nil, !isDraining { channel.flush() }
        if !isDraining, !isPaused { sendDatagrams() }
    }

    private func sendControl(_ bytes: [UInt8], _ transport: Transport) {
        switch transport {
        case .interleaved(_, let rtcp):
            var buffer = channel.allocator.buffer(capacity: bytes.count + 4)
            buffer.writeMultipleIntegers(UInt8(ascii: "$"), rtcp, UInt16(clamping: bytes.count))
            buffer.writeBytes(bytes)
            channel.write(buffer, promise: nil)
        case .udp(_, let address): datagrams.append(.rtcp(address, ByteBuffer(bytes: bytes)))
        }
    }

    // MARK: Ending

    /// Stops playing and lets go of everything; `saysGoodbye` tells the client on the way of its media.
    func end(saysGoodbye: Bool) {
        guard !hasEnded else { return }
        if saysGoodbye, isPlaying {
            datagrams.removeAll()
            for track in tracks.values { sendControl(RTCP.bye(from: track.sender.ssrc, cname: cname), track.transport) }
            sendDatagrams()
        }
        hasEnded = true
        ticks?.cancel()
        ticks = nil
        playback?.stop()
        playback = nil
        first = nil
        datagrams.removeAll()
        ports?.close()
        ports = nil
    }
}
