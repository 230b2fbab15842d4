import ISOBMFF
import NIOCore
import NVRMedia
import NVRModel
import NVRWeb
import Testing

/// What a viewer who does not keep up still gets.
@Suite("Queue of a viewer")
struct ViewerQueueTests {
    private static func frame(_ sequence: UInt64, key: Bool = false, bytes: Int = 10, kind: MediaPacket.Kind = .video) -> LiveFrame {
        LiveFrame(kind: kind, isKeyframe: key, sequence: sequence, bytes: ByteBuffer(repeating: 0, count: bytes))
    }

    private static func run(_ run: Int64) -> LiveRun {
        LiveRun(
            description: StreamDescription(
                run: run, origin: WallTime(microseconds: 0), video: .avc(sps: [[0x67, 1, 0, 30]], pps: [[0x68]]), audio: nil),
            role: .main)
    }

    /// What comes out, in short: numbers of frames, `r` for a run, `i` for an interruption, minus what was lost.
    private static func drained(_ queue: inout ViewerQueue) -> [String] {
        var all: [String] = []
        while let item = queue.popFirst() {
            switch item {
            case .frame(let frame): all.append("\(frame.sequence)")
            case .lost(let pictures): all.append("-\(pictures)")
            case .run(let run): all.append("r\(run.description.run)")
            case .interruption: all.append("i")
            }
        }
        return all
    }

    @Test("who keeps up gets everything in order")
    func order() {
        var queue = ViewerQueue(largest: 1000, longest: 1000)
        queue.append(Self.run(1), at: 0)
        for number in 1...5 { queue.append(Self.frame(UInt64(number), key: number == 1), at: 0) }
        queue.appendInterruption(at: 0)
        #expect(queue.bytes == 50)
        #expect(Self.drained(&queue) == ["r1", "1", "2", "3", "4", "5", "i"])
        #expect(queue.bytes == 0 && queue.lost == 0)
    }

    @Test("too many bytes: it goes on at a keyframe that waits already, and says what is missing")
    func skipToWaitingKey() {
        var queue = ViewerQueue(largest: 60, longest: .max)
        for number in 1...4 { queue.append(Self.frame(UInt64(number), key: number == 1), at: 0) }
        queue.append(Self.frame(5, key: true), at: 0)
        queue.append(Self.frame(6), at: 0)
        queue.append(Self.frame(7), at: 0)
        #expect(queue.lost == 4)
        queue.append(Self.frame(8), at: 0)
        #expect(Self.drained(&queue) == ["-4", "5", "6", "7", "8"])
    }

    @Test("without one it waits for the next keyframe; sound and pictures until then are left out")
    func waitForKey() {
        var queue = ViewerQueue(largest: 40, longest: .max)
        queue.append(Self.run(1), at: 0)
        for number in 1...5 { queue.append(Self.frame(UInt64(number), key: number == 1), at: 0) }
        #expect(queue.bytes == 0 && queue.lost == 5)
        queue.append(Self.frame(6), at: 0)
        queue.append(Self.frame(7, kind: .audio), at: 0)
        queue.append(Self.frame(8, key: true), at: 0)
        queue.append(Self.frame(9), at: 0)
        #expect(Self.drained(&queue) == ["r1", "-6", "8", "9"])
        #expect(queue.lost == 6)
    }

    @Test("frames that have waited too long are left out, too")
    func age() {
        var queue = ViewerQueue(largest: .max, longest: 100)
        queue.append(Self.frame(1, key: true), at: 0)
        queue.append(Self.frame(2), at: 90)
        queue.append(Self.frame(3, key: true), at: 95)
        #expect(queue.lost == 0)
        queue.append(Self.frame(4), at: 120)
        #expect(Self.drained(&queue) == ["-2", "3", "4"])
        // One that waits alone is never too old.
        queue.append(Self.frame(5), at: 1000)
        #expect(Self.drained(&queue) == ["5"])
    }

    @Test("a keyframe larger than the bound is begun, and nothing is waited for that never comes")
    func huge() {
        var queue = ViewerQueue(largest: 40, longest: .max)
        queue.append(Self.frame(1, key: true, bytes: 500), at: 0)
        #expect(Self.drained(&queue) == ["1"])
        queue.append(Self.frame(2, key: true, bytes: 500), at: 0)
        queue.append(Self.frame(3), at: 0)
        queue.append(Self.frame(4, key: true, bytes: 500), at: 0)
        #expect(Self.drained(&queue) == ["-2", "4"])
    }

    @Test("a frozen viewer costs no more than the bound, however long it lasts")
    func frozen() {
        var queue = ViewerQueue(largest: 500, longest: 3_000_000)
        var most = 0
        for number in 0..<10_000 {
            queue.append(Self.frame(UInt64(number), key: number % 30 == 0, bytes: number % 30 == 0 ? 300 : 20), at: Int64(number) * 66_666)
            most = max(most, queue.bytes)
        }
        #expect(most <= 500 + 300)
        #expect(queue.lost > 9_900)
        let left = Self.drained(&queue)
        #expect(left.count(where: { $0.hasPrefix("-") }) <= 1, "one word about all of it: \(left)")
    }

    @Test("another stream takes the place of this one without a word about what waited")
    func change() {
        var queue = ViewerQueue(largest: 40, longest: .max)
        for number in 1...6 { queue.append(Self.frame(UInt64(number), key: number == 1), at: 0) }
        queue.removeAll()
        queue.append(Self.run(2), at: 0)
        queue.append(Self.frame(7, key: true), at: 0)
        #expect(Self.drained(&queue) == ["r2", "7"])
    }
}
