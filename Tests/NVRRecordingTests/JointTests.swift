import NVRMedia
import NVRModel
import NVRRecording
import NVRStore
import Testing

@Suite("Recordings that follow each other")
struct JointTests {
    @Test("one that begins soon after another joins it: no frame is missing and none is stored twice")
    func joint() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let hub = StreamHub(role: .main, preRollSpan: 20_000_000)
        hub.publish(stream.description)
        let writer = rig.writer(listsSegments: false)
        let first = rig.recorder(writer, seconds: 60)
        let firstKey = hub.attach(first, from: .next)
        for packet in stream.packets(50) { hub.publish(packet) }
        // The end is asked for in the middle of a GOP, and the GOP is kept whole.
        first.endAtKeyframe()
        #expect(first.end == nil)
        for packet in stream.packets(40) { hub.publish(packet) }
        let end = try #require(first.end)
        let joint = try #require(end)
        hub.detach(firstKey)
        #expect(!first.goOn())
        // Its pre-roll would reach far into the first; it begins where that one ended.
        let second = rig.recorder(writer, seconds: 60)
        let secondKey = hub.attach(second, from: .time(max(stream.description.origin, joint)))
        for packet in stream.packets(60) { hub.publish(packet) }
        hub.detach(secondKey)
        await second.finish()
        let segments = try await rig.segments()
        let numbers = try segments.flatMap { try storedFrames(rig.absolute($0.path)).frames.map(\.number) }
        #expect(segments.count == 2)
        #expect(numbers == Array(1...150))
        #expect(abs(segments[1].start.microseconds(since: segments[0].end)) <= 1)
    }

    @Test("an end that is taken back before its keyframe leaves one recording")
    func takenBack() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(20) { recorder.receive(packet) }
        recorder.endAtKeyframe()
        for packet in stream.packets(5) { recorder.receive(packet) }
        #expect(recorder.goOn())
        for packet in stream.packets(35) { recorder.receive(packet) }
        await recorder.finish()
        let segments = try await rig.segments()
        #expect(segments.count == 1)
        #expect(try storedFrames(rig.absolute(segments[0].path)).frames.map(\.number) == Array(1...60))
    }

    @Test("a stream that breaks off ends a recording that waits for its keyframe")
    func brokenOff() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(20) { recorder.receive(packet) }
        recorder.endAtKeyframe()
        recorder.interrupted()
        #expect(recorder.end == .some(nil))
        await recorder.finish()
        #expect(try await rig.segments().count == 1)
    }
}
