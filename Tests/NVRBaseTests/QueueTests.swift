// What belongs here: bounded queues and broadcasts.
import NVRBase
import Testing

/// A fixed sequence of numbers: failures can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

@Suite("Bounded queue")
struct BoundedQueueTests {
    @Test("behaves like a plain list with bounds, over random operations")
    func model() {
        for seed in 0..<200 {
            var random = SeededGenerator(state: UInt64(seed))
            let maxCount = Int.random(in: 1...8, using: &random)
            let maxBytes = Int.random(in: 1...100, using: &random)
            var queue = BoundedQueue<Int>(maxCount: maxCount, maxBytes: maxBytes)
            var model: [(value: Int, bytes: Int)] = []
            var dropped = 0
            for value in 0..<200 {
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<6:
                    let bytes = Int.random(in: 0...40, using: &random)
                    let total = model.reduce(0) { $0 + $1.bytes }
                    let fits = model.isEmpty || (model.count < maxCount && total + bytes <= maxBytes)
                    #expect(queue.append(value, bytes: bytes) == fits)
                    if fits { model.append((value, bytes)) } else { dropped += 1 }
                case 6..<9:
                    #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst().value))
                default:
                    #expect(queue.removeAll() == model.map(\.value))
                    model = []
                }
                #expect(queue.count == model.count && queue.isEmpty == model.isEmpty)
                #expect(queue.bytes == model.reduce(0) { $0 + $1.bytes })
                #expect(queue.dropped == dropped)
                #expect(queue.count <= maxCount && (queue.count == 1 || queue.bytes <= maxBytes))
            }
        }
    }

    @Test("an empty queue takes a single element larger than its bounds")
    func oversized() {
        var queue = BoundedQueue<String>(maxCount: 3, maxBytes: 10)
        #expect(queue.append("large", bytes: 1000) == true)
        #expect(queue.append("next", bytes: 1) == false)
        #expect(queue.dropped == 1)
        #expect(queue.popFirst() == "large")
        #expect(queue.append("next", bytes: 1) == true)
    }

    @Test("bytes are not bounded when no bound is given")
    func unbounded() {
        var queue = BoundedQueue<Int>(maxCount: 3)
        #expect(queue.append(1, bytes: 1 << 40) && queue.append(2, bytes: 1 << 40))
    }
}

@Suite("Broadcast")
struct BroadcastTests {
    @Test("every subscriber gets the values sent after it subscribed, in order")
    func delivery() async {
        let broadcast = Broadcast<Int>(capacity: 16)
        broadcast.send(0)
        let first = broadcast.subscribe()
        broadcast.send(1)
        let second = broadcast.subscribe()
        broadcast.send(2)
        broadcast.send(3)
        broadcast.finish()
        #expect(await Self.all(first) == [1, 2, 3])
        #expect(await Self.all(second) == [2, 3])
    }

    @Test("a subscriber that falls behind keeps the newest values, and nobody else is hindered")
    func slowSubscriber() async {
        let broadcast = Broadcast<Int>(capacity: 4)
        let slow = broadcast.subscribe()
        for value in 1...1000 { broadcast.send(value) }
        let late = broadcast.subscribe()
        broadcast.send(1001)
        broadcast.finish()
        #expect(await Self.all(slow) == [998, 999, 1000, 1001])
        #expect(await Self.all(late) == [1001])
    }

    @Test("sending without subscribers and after the end is harmless")
    func nobody() async {
        let broadcast = Broadcast<Int>()
        broadcast.send(1)
        let stream = broadcast.subscribe()
        broadcast.finish()
        broadcast.send(2)
        #expect(await Self.all(stream) == [])
    }

    @Test("a subscription ends when its task is cancelled")
    func cancellation() async {
        let broadcast = Broadcast<Int>()
        let stream = broadcast.subscribe()
        let task = Task { await Self.all(stream) }
        task.cancel()
        _ = await task.value
        broadcast.send(1)
        broadcast.finish()
    }

    private static func all(_ stream: AsyncStream<Int>) async -> [Int] {
        var values: [Int] = []
        for await value in stream { values.append(value) }
        return values
    }
}
