import ISOBMFF
import NIOCore
import NVRMedia
import NVRModel
import RTSP
import Synchronization
import Testing

/// Frames as viewers get them, and who gets which.
@Suite("Live streams")
struct LiveTests {
    /// A viewer that notes what it gets.
    private final class Viewer: LiveViewer {
        enum Item: Equatable {
            case begin(run: Int64, sps: UInt8)
            case frame(UInt64)
            case interrupted
        }

        let items = Mutex<[Item]>([])
        let frames = Mutex<[LiveFrame]>([])
        let rates = Mutex<[Double?]>([])

        func begin(_ description: StreamDescription, framesPerSecond: Double?) {
            let sps: UInt8 = if case .avc(let sps, _) = description.video { sps[0][1] } else { 0 }
            items.withLock { $0.append(.begin(run: description.run, sps: sps)) }
            rates.withLock { $0.append(framesPerSecond) }
        }
        func receive(_ frame: LiveFrame) {
            items.withLock { $0.append(.frame(frame.sequence)) }
            frames.withLock { $0.append(frame) }
        }
        func interrupted() { items.withLock { $0.append(.interrupted) } }

        var heard: [Item] { items.withLock { $0 } }
    }

    private static func publish(_ range: Range<Int>, to hub: StreamHub) {
        for number in range { hub.publish(packet(Double(number) / 10, key: number % 10 == 0)) }
    }

    @Test("lengths become start codes of the same size; parameter sets go in front of keyframes")
    func annexB() throws {
        let entry = VideoSampleEntry.hevc(vps: [[64, 1]], sps: [[66, 2, 2]], pps: [[68]])
        let description = StreamDescription(run: 1, origin: wallZero, video: entry, audio: nil)
        let encoder = LiveEncoder(format: .frames, description: description, epoch: wallZero)
        func unit(key: Bool) -> MediaPacket {
            MediaPacket(
                kind: .video, bytes: MediaBytes([0, 0, 0, 2, 38, 9, 0, 0, 0, 1, 40]), dts: 45_000, pts: 90_000, isKeyframe: key, isDamaged: false,
                wall: wallZero, arrival: 0, sequence: 5)
        }
        let key = try #require(encoder.frame(unit(key: true), videoStep: 1))
        let header: [UInt8] = [0, 1, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
        let sets: [UInt8] = [0, 0, 0, 1, 64, 1, 0, 0, 0, 1, 66, 2, 2, 0, 0, 0, 1, 68]
        let units: [UInt8] = [0, 0, 0, 1, 38, 9, 0, 0, 0, 1, 40]
        #expect(Array(key.bytes.readableBytesView) == header + sets + units)
        #expect(key.isKeyframe && key.sequence == 5)
        let other = try #require(encoder.frame(unit(key: false), videoStep: 1))
        #expect(Array(other.bytes.readableBytesView) == [0, 0] + header[2...] + units)
    }

    @Test(
        "lengths that lie change nothing beyond the frame",
        arguments: [[UInt8](), [0, 0], [255, 255, 255, 255, 1], [0, 0, 0, 9, 1, 2], [0, 0, 0, 0]])
    func hostileLengths(bytes: [UInt8]) {
        var buffer = ByteBuffer(bytes: [1, 2] + bytes)
        AnnexB.replaceLengths(in: &buffer, from: 2)
        #expect(buffer.readableBytes == bytes.count + 2)
        #expect(Array(buffer.readableBytesView.prefix(2)) == [1, 2])
    }

    @Test("sound goes as it comes, on the same scale of seconds")
    func audio() throws {
        let track = StreamDescription.AudioTrack(codec: .pcma, timescale: 8000, channels: 1)
        let encoder = LiveEncoder(format: .frames, description: description(audio: track), epoch: wallZero)
        var sound = packet(0, kind: .audio, bytes: 3)
        sound.pts = 4000
        let frame = try #require(encoder.frame(sound, videoStep: 1))
        #expect(Array(frame.bytes.readableBytesView) == [1, 1, 0, 0, 0, 0, 0, 0, 0xE0, 0x3F, 7, 7, 7])
        #expect(!frame.isKeyframe && frame.kind == .audio)
        // No browser plays G.711 in MP4.
        #expect(LiveEncoder(format: .fragments, description: description(audio: track), epoch: wallZero).frame(sound, videoStep: 1) == nil)
    }

    @Test("every frame is a fragment that our own reader finds at its time, also after the camera came back")
    func fragments() throws {
        let audio = StreamDescription.AudioTrack(codec: .aac(audioSpecificConfig: [0x14, 0x08]), timescale: 16_000, channels: 1)
        var first = description(audio: audio)
        first.origin = wallZero.advanced(byMicroseconds: 2_000_000)
        let encoder = LiveEncoder(format: .fragments, description: first, epoch: wallZero)
        var bytes = Array(LiveFragments.initSegment(of: first, withAudio: true).readableBytesView)
        #expect(LiveFragments.mimeType(of: first, withAudio: true) == "video/mp4; codecs=\"avc1.01001E,mp4a.40.2\"")
        #expect(LiveFragments.mimeType(of: first, withAudio: false) == "video/mp4; codecs=\"avc1.01001E\"")
        var sequence: UInt64 = 0
        for number in 0..<4 {
            sequence += 1
            var video = packet(Double(number) / 10, key: number == 0)
            video.sequence = sequence
            bytes += try #require(encoder.frame(video, videoStep: 9000)).bytes.readableBytesView
        }
        var sound = packet(0, kind: .audio)
        sound.dts = 1024
        sound.sequence = 9
        bytes += try #require(encoder.frame(sound, videoStep: 9000)).bytes.readableBytesView
        let boxes = Self.boxes(bytes)
        #expect(boxes == ["ftyp", "moov", "moof", "mdat", "moof", "mdat", "moof", "mdat", "moof", "mdat", "moof", "mdat"])
        #expect(Self.decodeTimes(bytes) == [180_000, 189_000, 198_000, 207_000, 2 * 16_000 + 1024])
        #expect(
            LiveFragments.mimeType(of: StreamDescription(run: 1, origin: wallZero, video: .mjpeg(width: 4, height: 4), audio: nil), withAudio: true)
                == nil)
    }

    /// Types of the boxes at the top.
    private static func boxes(_ bytes: [UInt8]) -> [String] {
        var names: [String] = []
        var at = 0
        while at + 8 <= bytes.count {
            let size = bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
            names.append(String(decoding: bytes[at + 4..<at + 8], as: UTF8.self))
            guard size >= 8 else { break }
            at += size
        }
        return names
    }

    /// The times of all `tfdt` boxes, which are of version 1.
    private static func decodeTimes(_ bytes: [UInt8]) -> [UInt64] {
        let name = Array("tfdt".utf8)
        return bytes.indices.filter { $0 + 16 <= bytes.count && Array(bytes[$0..<$0 + 4]) == name }.map { at in
            bytes[at + 8..<at + 16].reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    @Test("whoever joins gets the newest GOP at once, and everything after it once and in order")
    func joining() {
        let hub = StreamHub(role: .main)
        let stream = LiveStream(hub: hub) { _ in }
        hub.publish(description())
        Self.publish(0..<25, to: hub)
        let first = Viewer()
        let key = stream.join(first, as: .frames)
        #expect(first.heard == [.begin(run: 1, sps: 1)] + (21...25).map { .frame($0) })
        #expect(first.rates.withLock { $0 } == [10])
        Self.publish(25..<28, to: hub)
        let second = Viewer()
        _ = stream.join(second, as: .frames)
        #expect(second.heard == [.begin(run: 1, sps: 1)] + (21...28).map { .frame($0) })
        Self.publish(28..<33, to: hub)
        let expected = [Viewer.Item.begin(run: 1, sps: 1)] + (21...33).map { .frame($0) }
        #expect(first.heard == expected && second.heard == expected)
        stream.leave(key, as: .frames)
        Self.publish(33..<35, to: hub)
        #expect(first.heard == expected && second.heard.count == expected.count + 2)
    }

    @Test("all viewers of a stream share the bytes of a frame")
    func sharing() throws {
        let hub = StreamHub(role: .main)
        let stream = LiveStream(hub: hub) { _ in }
        hub.publish(description())
        Self.publish(0..<5, to: hub)
        let viewers = (0..<3).map { _ in Viewer() }
        for viewer in viewers { _ = stream.join(viewer, as: .frames) }
        Self.publish(5..<8, to: hub)
        for number in 0..<8 {
            let places = viewers.map { viewer in
                viewer.frames.withLock { $0[number] }.bytes.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
            }
            #expect(Set(places).count == 1, "frame \(number)")
        }
    }

    @Test("new parameters and breaks reach viewers between the right frames")
    func changes() {
        let hub = StreamHub(role: .main)
        let stream = LiveStream(hub: hub) { _ in }
        let viewer = Viewer()
        _ = stream.join(viewer, as: .frames)
        #expect(viewer.heard == [])
        hub.publish(description())
        Self.publish(0..<2, to: hub)
        hub.publish(description(sps: 2))
        Self.publish(10..<12, to: hub)
        hub.interrupt()
        hub.publish(description(run: 2, sps: 2))
        Self.publish(20..<21, to: hub)
        #expect(
            viewer.heard == [
                .begin(run: 1, sps: 1), .frame(1), .frame(2), .begin(run: 1, sps: 2), .frame(3), .frame(4), .interrupted,
                .begin(run: 2, sps: 2), .frame(5),
            ])
    }

    @Test("a stream hears of its first and of its last viewer, whatever they watch while it starts")
    func demand() {
        let news = Mutex<[Bool]>([])
        let stream = LiveStream(hub: StreamHub(role: .sub)) { isWanted in news.withLock { $0.append(isWanted) } }
        stream.want()
        stream.want()
        stream.release()
        stream.release()
        stream.want()
        #expect(news.withLock { $0 } == [true, false, true])
        #expect(!stream.isRunning)
    }

    @Test("viewers who join while frames come, from other threads, miss none and see none twice")
    func racing() async {
        let hub = StreamHub(role: .main)
        let stream = LiveStream(hub: hub) { _ in }
        hub.publish(description())
        Self.publish(0..<1, to: hub)
        let viewers = (0..<20).map { _ in Viewer() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { Self.publish(1..<2000, to: hub) }
            group.addTask { for viewer in viewers { _ = stream.join(viewer, as: .frames) } }
        }
        Self.publish(2000..<2010, to: hub)
        for viewer in viewers {
            let sequences = viewer.frames.withLock { $0.map(\.sequence) }
            guard let first = sequences.first else { Issue.record("nothing came"); continue }
            #expect(sequences == Array(first...2010))
            #expect(first % 10 == 1, "it begins with a keyframe")
        }
    }
}
