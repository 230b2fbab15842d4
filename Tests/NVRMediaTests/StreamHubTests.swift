import NVRBase
import NVRMedia
import NVRModel
import Synchronization
import Testing

@Suite("Stream hub")
struct StreamHubTests {
    private final class Sinks: Sendable { let sinks = Mutex<[Collector]>([]) }

    /// Frame `number` of a stream at 10 a second with a keyframe every 10; sequences count from 1.
    private static func publish(_ range: Range<Int>, to hub: StreamHub) {
        for number in range { hub.publish(packet(Double(number) / 10, key: number % 10 == 0)) }
    }

    @Test("a sink attached at the newest keyframe gets it and everything after it, once and in order")
    func lastKeyframe() {
        let hub = StreamHub(role: .main)
        hub.publish(description())
        Self.publish(0..<25, to: hub)
        let sink = Collector()
        _ = hub.attach(sink, from: .lastKeyframe)
        #expect(sink.heard.isEmpty)
        Self.publish(25..<40, to: hub)
        #expect(sink.heard.first == .begin(1))
        #expect(sink.sequences == Array(21...40))
    }

    @Test("a sink attached just before a keyframe begins with that one")
    func keyframeNext() {
        let hub = StreamHub(role: .main)
        hub.publish(description())
        Self.publish(0..<20, to: hub)
        let sink = Collector()
        _ = hub.attach(sink, from: .lastKeyframe)
        Self.publish(20..<23, to: hub)
        #expect(sink.sequences == [21, 22, 23])
    }

    @Test("a sink attached at a time gets the pre-roll from the keyframe before it on")
    func time() {
        let hub = StreamHub(role: .main, preRollSpan: 3_000_000)
        hub.publish(description())
        Self.publish(0..<57, to: hub)
        let (inside, before) = (Collector(), Collector())
        _ = hub.attach(inside, from: .time(wallZero.advanced(byMicroseconds: 3_450_000)))
        _ = hub.attach(before, from: .time(wallZero.advanced(byMicroseconds: -1)))
        Self.publish(57..<60, to: hub)
        #expect(inside.sequences == Array(31...60))
        #expect(before.sequences == Array(21...60))
        hub.setPreRoll(span: 0)
        Self.publish(60..<65, to: hub)
        let last = Collector()
        _ = hub.attach(last, from: .time(wallZero))
        Self.publish(65..<66, to: hub)
        #expect(last.sequences == Array(61...66))
    }

    @Test("a sink attached at the next packet gets nothing of the past")
    func next() {
        let hub = StreamHub(role: .main)
        hub.publish(description())
        Self.publish(0..<13, to: hub)
        let sink = Collector()
        _ = hub.attach(sink, from: .next)
        Self.publish(13..<16, to: hub)
        #expect(sink.heard == [.begin(1), .packet(14), .packet(15), .packet(16)])
    }

    @Test("a sink attached before the stream starts hears its beginning once")
    func earlyBird() {
        for start in [StreamHub.Start.next, .lastKeyframe, .time(wallZero)] {
            let hub = StreamHub(role: .sub)
            let sink = Collector()
            _ = hub.attach(sink, from: start)
            hub.publish(description())
            Self.publish(0..<3, to: hub)
            #expect(sink.heard == [.begin(1), .packet(1), .packet(2), .packet(3)])
        }
    }

    @Test("new parameters, a new run and an interruption are told before the packets after them")
    func changes() {
        let hub = StreamHub(role: .main)
        let sink = Collector()
        _ = hub.attach(sink, from: .next)
        hub.publish(description())
        Self.publish(0..<2, to: hub)
        hub.publish(description(sps: 2))
        Self.publish(10..<11, to: hub)
        hub.interrupt()
        #expect(hub.description == nil && hub.newestPackets(after: nil) == nil)
        hub.publish(description(run: 2))
        Self.publish(20..<21, to: hub)
        #expect(sink.heard == [.begin(1), .packet(1), .packet(2), .begin(1), .packet(3), .interrupted, .begin(2), .packet(4)])
    }

    @Test("packets of an old run or of old parameters are not given to new sinks")
    func noStalePackets() {
        let hub = StreamHub(role: .main, preRollSpan: 60_000_000)
        hub.publish(description())
        Self.publish(0..<25, to: hub)
        for change in [description(sps: 2), description(run: 2, sps: 2)] {
            hub.publish(change)
            let sink = Collector()
            let key = hub.attach(sink, from: .time(wallZero))
            Self.publish(30..<32, to: hub)
            #expect(sink.sequences.count == 2)
            hub.detach(key)
        }
    }

    @Test("a detached sink hears nothing more, also when it had not begun")
    func detach() {
        let hub = StreamHub(role: .main)
        hub.publish(description())
        let (sink, waiting) = (Collector(), Collector())
        let key = hub.attach(sink, from: .next)
        Self.publish(0..<3, to: hub)
        let other = hub.attach(waiting, from: .next)
        #expect(hub.counters.sinks == 2)
        hub.detach(key)
        hub.detach(other)
        hub.detach(99)
        Self.publish(3..<9, to: hub)
        hub.interrupt()
        #expect(sink.sequences == [1, 2, 3] && sink.heard.last == .packet(3) && waiting.heard.isEmpty)
        #expect(hub.counters.sinks == 0)
    }

    @Test("sinks that come and go while packets are published get each packet exactly once, in order")
    func concurrency() async throws {
        let hub = StreamHub(role: .main, preRollSpan: 2_000_000)
        let thread = BlockingThread(name: "camera")
        defer { thread.stop() }
        hub.publish(description())
        let all = Sinks()
        async let publishing: Void = thread.run { Self.publish(0..<20_000, to: hub) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for round in 0..<100 {
                        let sink = Collector()
                        all.sinks.withLock { $0.append(sink) }
                        let start: StreamHub.Start =
                            switch (task + round) % 3 {
                            case 0: .next
                            case 1: .lastKeyframe
                            default: .time(wallZero.advanced(byMicroseconds: Int64(round) * 3_000_000))
                            }
                        let key = hub.attach(sink, from: start)
                        await Task.yield()
                        _ = hub.newestPackets(after: UInt64(round * 100))
                        if round % 2 == 0 { hub.detach(key) }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await publishing
        for sink in all.sinks.withLock({ $0 }) {
            let sequences = sink.sequences
            #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $1 == $0 + 1 })
            #expect(sequences.isEmpty || sink.heard.first == .begin(1))
        }
        #expect(hub.counters.packets == 20_000)
        // Those that stayed have everything up to the last packet.
        let stayed = all.sinks.withLock { $0 }.filter { $0.sequences.last == 20_000 }
        #expect(stayed.count <= 200)
    }

    @Test("a decoder gets what it needs to go on, or the newest GOP")
    func newestPackets() throws {
        let hub = StreamHub(role: .main)
        #expect(hub.newestPackets(after: nil) == nil)
        hub.publish(description())
        Self.publish(0..<17, to: hub)
        hub.publish(packet(1.65, kind: .audio))
        let fresh = try #require(hub.newestPackets(after: nil))
        #expect(fresh.packets.map(\.sequence) == Array(11...17) && !fresh.continues)
        let rest = try #require(hub.newestPackets(after: 14))
        #expect(rest.packets.map(\.sequence) == [15, 16, 17] && rest.continues)
        let none = try #require(hub.newestPackets(after: 18))
        #expect(none.packets.isEmpty && none.continues)
        let old = try #require(hub.newestPackets(after: 3))
        #expect(old.packets.map(\.sequence) == Array(11...17) && !old.continues)
        Self.publish(20..<24, to: hub)
        let newer = try #require(hub.newestPackets(after: 15))
        #expect(newer.packets.map(\.sequence) == Array(19...22) && !newer.continues)
        // The keyframe of a new run never continues an old one.
        hub.interrupt()
        hub.publish(description(run: 2))
        Self.publish(30..<31, to: hub)
        let restarted = try #require(hub.newestPackets(after: 22))
        #expect(restarted.packets.map(\.sequence) == [23] && !restarted.continues)
    }

    @Test("counters tell packets, bytes, frames, damage and memory")
    func counters() {
        let hub = StreamHub(role: .main)
        hub.publish(description())
        Self.publish(0..<5, to: hub)
        hub.publish(packet(0.55, kind: .audio))
        var damaged = packet(0.6)
        damaged.isDamaged = true
        hub.publish(damaged)
        let counters = hub.counters
        #expect(counters.packets == 7 && counters.videoFrames == 6 && counters.damagedFrames == 1)
        #expect(counters.bytes == 700 && counters.preRollBytes == 700)
        #expect(hub.lastVideoArrival == 600_000 && hub.lastVideoWall == wallZero.advanced(byMicroseconds: 600_000))
    }
}
