import ISOBMFF
import NVRMedia
import NVRModel
import RTSP
import Testing

@Suite("Packet assembler")
struct PacketAssemblerTests {
    /// A source at 25 frames a second with a keyframe every 10.
    private struct Source {
        var assembler: PacketAssembler
        var frame = 0
        /// Wall minus monotonic time, microseconds.
        var offset: Int64 = 1_700_000_000_000_000
        var entry: VideoSampleEntry? = .avc(sps: [[0x67, 1, 0, 30]], pps: [[0x68, 1]])
        var outputs: [PacketAssembler.Output] = []

        init(audio: StreamDescription.AudioTrack? = nil) { assembler = PacketAssembler(audio: audio, framerate: 25) }

        var arrival: Int64 { 1_000_000 + Int64(frame) * 40_000 }

        mutating func send(_ count: Int = 1, key: Bool? = nil, reordered: Bool = false) {
            for _ in 0..<count {
                let video = PacketAssembler.VideoFrame(
                    bytes: MediaBytes([UInt8(truncatingIfNeeded: frame)]), stamp: .wrapping(UInt64(frame) * 3600 & 0xFFFF_FFFF, bits: 32),
                    arrival: arrival, isKeyframe: key ?? (frame % 10 == 0), isDamaged: false, isReordered: reordered)
                assembler.video(video, entry: entry, wall: arrival + offset) { outputs.append($0) }
                frame += 1
            }
        }

        mutating func sound(reference: Int64? = nil) {
            assembler.audio(
                MediaBytes([1]), stamp: .wrapping(UInt64(frame) * 320, bits: 32), arrival: arrival, referenceArrival: reference
            ) { outputs.append($0) }
        }

        var packets: [MediaPacket] { outputs.compactMap { if case .packet(let packet) = $0 { packet } else { nil } } }
        var descriptions: [StreamDescription] { outputs.compactMap { if case .description(let description) = $0 { description } else { nil } } }
    }

    @Test("nothing is published before the first keyframe with parameter sets; what is left out is counted")
    func beforeKeyframe() {
        var source = Source(audio: .init(codec: .pcmu, timescale: 8000, channels: 1))
        source.frame = 3
        source.send(7)
        source.sound()
        #expect(source.outputs.isEmpty && source.assembler.skippedFrames == 7)
        source.entry = nil
        source.send(10)
        #expect(source.outputs.isEmpty && source.assembler.skippedFrames == 17)
        source.entry = .avc(sps: [[0x67, 1, 0, 30]], pps: [[0x68, 1]])
        source.send(2)
        #expect(source.packets.count == 2 && source.packets[0].isKeyframe && source.descriptions.count == 1)
        guard case .description = source.outputs[0] else { Issue.record("a packet before its description"); return }
        #expect(source.assembler.skippedFrames == 17)
    }

    @Test("a run begins at tick 0 with the wall time of its first keyframe, and frames keep the sender's steps")
    func origin() {
        var source = Source()
        source.send(30)
        #expect(source.descriptions.count == 1)
        #expect(source.descriptions[0].origin.microseconds == 1_000_000 + source.offset)
        #expect(source.packets.map(\.dts) == (0..<30).map { Int64($0) * 3600 })
        for (index, packet) in source.packets.enumerated() {
            #expect(packet.wall.microseconds == packet.arrival + source.offset && packet.pts == packet.dts && packet.isKeyframe == (index % 10 == 0))
        }
    }

    @Test(
        "when the wall clock is set, the next keyframe begins a new run, and nothing is lost or reordered",
        arguments: [3_600_000_000, -10_800_000_000, 315_360_000_000_000, -1_700_000_000_000_000 as Int64])
    func wallStep(step: Int64) {
        var source = Source()
        source.send(25)
        source.offset += step
        source.send(35)
        #expect(source.descriptions.count == 2 && source.packets.count == 60)
        #expect(Set(source.descriptions.map(\.run)).count == 2)
        // Frames up to the keyframe go on in the old run.
        let second = source.outputs.lastIndex { if case .description = $0 { true } else { false } } ?? 0
        guard case .packet(let first) = source.outputs[second + 1] else { Issue.record("no packet after the description"); return }
        #expect(first.isKeyframe && first.dts == 0 && second == 31)
        #expect(first.wall.microseconds == first.arrival + source.offset)
        #expect(source.packets.map(\.arrival) == source.packets.map(\.arrival).sorted())
        for packet in source.packets[30...] { #expect(packet.wall.microseconds == packet.arrival + source.offset) }
    }

    @Test("small corrections of the wall clock begin no run")
    func smallSteps() {
        var source = Source()
        for step in 0..<50 {
            source.offset += step % 2 == 0 ? 90_000 : -90_000
            source.send(10)
        }
        #expect(source.descriptions.count == 1 && source.packets.count == 500)
    }

    @Test("changed parameter sets are announced within the run, before their keyframe")
    func parameterChange() {
        var source = Source()
        source.send(15)
        source.entry = .avc(sps: [[0x67, 2, 0, 30]], pps: [[0x68, 1]])
        source.send(15)
        #expect(source.descriptions.count == 2)
        #expect(source.descriptions[0].run == source.descriptions[1].run && source.descriptions[0].origin == source.descriptions[1].origin)
        guard case .description = source.outputs[21], case .packet(let key) = source.outputs[22] else { Issue.record("wrong order"); return }
        #expect(key.isKeyframe && key.dts == 20 * 3600)
        // Sets that are unknown for a moment change nothing.
        source.entry = nil
        source.send(10)
        #expect(source.descriptions.count == 2 && source.packets.count == 40)
    }

    @Test("after an interruption the next keyframe begins a new run")
    func interruption() {
        var source = Source()
        source.send(15)
        source.assembler.interrupted()
        #expect(source.assembler.lastVideoMonotonic == nil)
        source.send(15)
        #expect(source.descriptions.count == 2 && source.assembler.skippedFrames == 5 && source.packets.count == 25)
        #expect(source.packets[15].dts == 0)
    }

    @Test("sound lies on the run's timeline, in ticks of its own clock")
    func sound() {
        var source = Source(audio: .init(codec: .pcmu, timescale: 8000, channels: 1))
        for _ in 0..<100 {
            source.send()
            source.sound()
        }
        let sound = source.packets.filter { $0.kind == .audio }
        #expect(sound.count == 100)
        for packet in sound {
            #expect(abs(packet.wall.microseconds - packet.arrival - source.offset) <= 1_000)
            #expect(packet.dts == packet.pts && packet.isKeyframe)
        }
        #expect(zip(sound, sound.dropFirst()).allSatisfy { $1.dts - $0.dts == 320 })
    }

    @Test("sound is moved to where the camera's sender reports place it")
    func audioReference() {
        var source = Source(audio: .init(codec: .pcmu, timescale: 8000, channels: 1))
        for _ in 0..<2000 {
            source.send()
            // It arrives 200 ms after the picture it belongs to.
            source.sound(reference: source.arrival - 200_000)
        }
        guard let last = source.packets.last(where: { $0.kind == .audio }) else { Issue.record("no sound"); return }
        let late = last.arrival + source.offset - last.wall.microseconds
        #expect(abs(late - 200_000) < 80_000, "\(late)")
        #expect(
            zip(source.packets.filter { $0.kind == .audio }, source.packets.filter { $0.kind == .audio }.dropFirst()).allSatisfy { $0.dts < $1.dts })
    }

    @Test("sound is dropped where the stream has no audio track that is taken")
    func noTrack() {
        var source = Source()
        source.send(10)
        source.sound()
        #expect(source.packets.allSatisfy { $0.kind == .video })
    }

    @Test("once frames were reordered, presentation never precedes decoding in the run")
    func reordering() {
        var source = Source()
        source.send(5)
        source.send(1, reordered: true)
        source.send(100)
        #expect(source.packets.allSatisfy { $0.pts >= $0.dts })
        #expect(zip(source.packets, source.packets.dropFirst()).allSatisfy { $0.dts < $1.dts })
    }
}
