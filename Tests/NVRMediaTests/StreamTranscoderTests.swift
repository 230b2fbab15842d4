import Foundation
import ISOBMFF
import NVRMedia
import NVRModel
import RTSP
import Synchronization
import Testing

/// Streams that are made H.264 for players that take nothing else.
@Suite("Transcoding for viewers")
struct StreamTranscoderTests {
    private static let h265 = [
        "-pix_fmt", "yuv420p", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
        "log-level=none:keyint=10:min-keyint=10:pools=none:bframes=0", "-tag:v",
        "hvc1",
    ]

    /// A clip's description and packets as a camera would send them.
    private static func clip(_ codec: [String], _ name: String) async throws -> (StreamDescription, [MediaPacket]) {
        let folder = try TemporaryFolder()
        let (_, heard, _) = try await FileTests.read(try makeClip(folder, name, codec))
        return (try #require(heard.descriptions.withLock { $0.first }), heard.packets.withLock { $0 })
    }

    private static func wait(_ what: String, _ condition: () -> Bool) async throws {
        for _ in 0..<2000 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("still not: \(what)")
    }

    private static func publish(_ packets: [MediaPacket], to hub: StreamHub) async throws {
        // As a camera does it: not faster than the thread takes them.
        for (number, packet) in packets.enumerated() {
            hub.publish(packet)
            if number % 10 == 9 { try await Task.sleep(for: .milliseconds(50)) }
        }
    }

    @Test("H.265 and motion JPEG come out as H.264 with every picture, the times they had, and key frames where they were")
    func pictures() async throws {
        for (codec, name) in [(Self.h265, "a.mp4"), (["-c:v", "mjpeg", "-q:v", "3"], "b.avi")] {
            let (description, packets) = try await Self.clip(codec, name)
            let (hub, room) = (StreamHub(role: .main), TranscodeRoom(most: 1))
            let source = LiveStream(hub: hub) { _ in }
            let stream = TranscodedStream(of: source, hub: hub, room: room)
            hub.publish(description)
            let transcoder = StreamTranscoder(input: hub, room: room)
            let sink = Collector()
            _ = transcoder.output.attach(sink, from: .next)
            transcoder.setWanted(true)
            try await Self.publish(packets, to: hub)
            try await Self.wait("all pictures of \(name)") { room.reading.pictures + room.reading.dropped >= packets.count - 3 }
            transcoder.setWanted(false)
            try await Self.wait("the end is told") { sink.heard.last == .interrupted }
            let coded = sink.packets.withLock { $0 }
            #expect(coded.count >= packets.count - 3 && room.reading.dropped == 0)
            let made = try #require(sink.descriptions.withLock { $0.first })
            #expect(made.videoCodecName == "h264" && (made.width, made.height) == (description.width, description.height))
            #expect(made.origin == description.origin)
            let times = Set(packets.map(\.pts))
            #expect(coded.allSatisfy { times.contains($0.pts) && $0.dts == $0.pts })
            #expect(zip(coded, coded.dropFirst()).allSatisfy { $0.pts < $1.pts })
            let keys = codec == Self.h265 ? Set(packets.filter(\.isKeyframe).map(\.pts)) : []
            #expect(coded.allSatisfy { !keys.contains($0.pts) || $0.isKeyframe })
            #expect(room.reading.running == 0 && stream.refusal() == nil)
        }
    }

    @Test("there is room for so many; who comes later is told, and comes in when somebody leaves")
    func room() async throws {
        let room = TranscodeRoom(most: 1)
        let hubs = [StreamHub(role: .main), StreamHub(role: .main)]
        let wanted = Mutex<[Int: Bool]>([:])
        let streams = hubs.enumerated().map { number, hub in
            let source = LiveStream(hub: hub) { isWanted in wanted.withLock { $0[number] = isWanted } }
            return TranscodedStream(of: source, hub: hub, room: room)
        }
        streams[0].live.want()
        #expect(streams[0].refusal() == nil && room.reading.running == 1)
        streams[1].live.want()
        // The camera is read live for whoever waits, too.
        #expect(wanted.withLock { $0 } == [0: true, 1: true])
        #expect(streams[1].refusal()?.contains("room") == true)
        #expect(streams[1].refusal() != nil && room.reading.refused == 1)
        streams[0].live.release()
        #expect(streams[1].refusal() == nil && room.reading.running == 1)
        streams[1].live.release()
        #expect(room.reading.running == 0 && room.reading.begun == 2)
        #expect(wanted.withLock { $0 } == [0: false, 1: false])
        // Nobody watches: asking begins nothing.
        #expect(streams[1].refusal() == nil && room.reading.running == 0)
        let off = TranscodedStream(of: LiveStream(hub: hubs[0]) { _ in }, hub: hubs[0], room: TranscodeRoom(most: 0))
        off.live.want()
        #expect(off.refusal()?.contains("switched off") == true)
    }

    @Test("bytes that are no video give no picture and end nothing")
    func garbage() async throws {
        let (description, packets) = try await Self.clip(Self.h265, "a.mp4")
        let (hub, room) = (StreamHub(role: .main), TranscodeRoom(most: 1))
        hub.publish(description)
        let transcoder = StreamTranscoder(input: hub, room: room)
        let sink = Collector()
        _ = transcoder.output.attach(sink, from: .next)
        transcoder.setWanted(true)
        var random = SeededGenerator(state: 4)
        let broken = packets.map { packet in
            var packet = packet
            var bytes = packet.withUnsafeBytes { [UInt8]($0) }
            for _ in 0..<20 where !bytes.isEmpty { bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random) }
            packet.bytes = MediaBytes(bytes)
            return packet
        }
        try await Self.publish(broken, to: hub)
        let step = try #require(packets.last).dts + 3600
        let later = packets.map { packet in
            var packet = packet
            packet.dts += step
            packet.pts += step
            return packet
        }
        try await Self.publish(later, to: hub)
        try await Self.wait("pictures after the garbage") { sink.packets.withLock { $0.last?.pts ?? 0 } > step + 90_000 }
        transcoder.setWanted(false)
    }
}
