import Foundation
import Libav
import Testing

@Suite struct VideoDecoderTests {
    private func meanLuma(_ frame: Frame) -> Double? {
        frame.withLuma { plane in
            var sum = 0
            for y in 0..<plane.height {
                for x in 0..<plane.width { sum += Int(plane.base[y * plane.stride + x]) }
            }
            return Double(sum) / Double(plane.width * plane.height)
        }
    }

    private func decodeAll(_ path: String, options: VideoDecoderOptions = .picture) throws -> (frames: [Frame], decoder: VideoDecoder) {
        let (stream, packets) = try demux(path)
        let decoder = try VideoDecoder(codec: stream.codec, extradata: stream.extradata, options: options)
        var frames: [Frame] = []
        for packet in packets { frames += decoder.decode(packet) }
        frames += decoder.flush()
        return (frames, decoder)
    }

    @Test(
        "every frame is decoded once, in order",
        arguments: [
            (["-c:v", "libx264", "-bf", "2"], "mp4"), (["-c:v", "libx264"], "ts"), (["-c:v", "libx265", "-x265-params", "log-level=none"], "mp4"),
            (["-c:v", "mjpeg"], "avi"),
        ])
    func counts(codec: [String], container: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.\(container)")
        try ffmpeg(["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "2", "-pix_fmt", "yuv420p"] + codec + [path])
        let (frames, decoder) = try decodeAll(path)
        #expect(frames.count == 50)
        #expect(decoder.frameCount == 50)
        #expect(decoder.errorCount == 0)
        #expect(frames.allSatisfy { $0.width == 320 && $0.height == 240 })
        let times = frames.compactMap(\.pts)
        if container != "avi" { #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 }) }
        let quick = try decodeAll(path, options: .detection)
        #expect(quick.frames.count == 50)
        let a = try #require(frames.last.flatMap { meanLuma($0) })
        let b = try #require(quick.frames.last.flatMap { meanLuma($0) })
        #expect(abs(a - b) < 3)
    }

    @Test("key frames alone, non-reference frames left out, and nothing before the first key frame")
    func skipping() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.mp4")
        try ffmpeg([
            "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "4", "-c:v", "libx264", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0",
            "-bf", "2",
            "-b_strategy", "0", "-b-pyramid", "none", path,
        ])
        #expect(try decodeAll(path, options: VideoDecoderOptions(skipFrames: .nonKey)).frames.count == 4)
        let referenced = try decodeAll(path, options: VideoDecoderOptions(skipFrames: .nonReference)).frames.count
        #expect((30...40).contains(referenced))
        let (stream, packets) = try demux(path)
        let decoder = try VideoDecoder(codec: .h264, extradata: stream.extradata)
        #expect(packets.dropFirst(5).prefix(20).allSatisfy { decoder.decode($0).isEmpty })
        #expect(decoder.skippedCount == 20)
        #expect(decoder.errorCount == 0)
    }

    @Test("an MJPEG picture can be decoded at a fraction of its size")
    func lowResolution() throws {
        let folder = try TemporaryFolder()
        try ffmpeg(["-f", "lavfi", "-i", "testsrc2=size=640x480:rate=5", "-t", "1", "-c:v", "mjpeg", folder.path("a.avi")])
        let (frames, _) = try decodeAll(folder.path("a.avi"), options: VideoDecoderOptions(lowResolution: 1))
        #expect(frames.count == 5)
        #expect(frames.allSatisfy { $0.width == 320 && $0.height == 240 })
    }

    @Test("hostile bytes give no frames or wrong ones, never a crash", arguments: ["libx264", "libx265", "mjpeg"])
    func hostile(encoder: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.\(encoder == "mjpeg" ? "avi" : "mp4")")
        try ffmpeg(
            ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25", "-t", "1", "-c:v", encoder, "-g", "5"]
                + (encoder == "libx265" ? ["-x265-params", "log-level=none"] : []) + [path])
        let (stream, packets) = try demux(path)
        var random = SeededGenerator(state: 7)
        let scaler = LumaScaler()
        for round in 0..<40 {
            var extradata = stream.extradata
            if round % 2 == 1, !extradata.isEmpty {
                extradata[Int.random(in: 0..<extradata.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            guard let decoder = try? VideoDecoder(codec: stream.codec, extradata: extradata, options: round % 3 == 0 ? .picture : .detection) else {
                continue
            }
            for packet in packets {
                var bytes = packet.bytes
                for _ in 0..<Int.random(in: 0...4, using: &random) {
                    switch Int.random(in: 0...3, using: &random) {
                    case 0 where !bytes.isEmpty:
                        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8(1) << UInt8.random(in: 0...7, using: &random)
                    case 1: bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
                    case 2 where bytes.count > 4: for i in 0..<4 { bytes[i] = .random(in: 0...255, using: &random) }
                    default:
                        bytes.insert(
                            contentsOf: (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) },
                            at: Int.random(in: 0...bytes.count, using: &random))
                    }
                }
                for frame in decoder.decode(bytes, pts: nil, isKey: Bool.random(using: &random)) { _ = try scaler.scale(frame) }
            }
            _ = decoder.flush()
            _ = decoder.decode([], pts: 0, isKey: true)
        }
    }

    @Test("a codec that is no video, or unknown, is refused")
    func unsupported() throws {
        #expect(throws: LibavError.self) { try VideoDecoder(codec: .aac) }
        let error = try #require(throws: LibavError.self) { try VideoDecoder(codec: CodecID(rawValue: 0xffff_ffff)) }
        #expect(error.reason == .unsupported)
    }
}
