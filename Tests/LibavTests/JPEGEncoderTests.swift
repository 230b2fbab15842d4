import Foundation
import Libav
import Testing

@Suite struct JPEGEncoderTests {
    private func firstFrame(_ filter: [String], _ name: String, _ folder: TemporaryFolder) throws -> Frame {
        try ffmpeg(["-f", "lavfi", "-i", "color=c=0x808080:size=320x240:rate=5"] + filter + ["-frames:v", "1", folder.path(name)])
        let (stream, packets) = try demux(folder.path(name))
        let decoder = try VideoDecoder(codec: stream.codec, extradata: stream.extradata)
        return try #require((packets.flatMap { decoder.decode($0) } + decoder.flush()).first)
    }

    private func decoded(_ image: JPEGImage) throws -> Frame {
        let decoder = try VideoDecoder(codec: .mjpeg)
        return try #require(decoder.decode(image.bytes, pts: 0, isKey: true).first)
    }

    private func mean(_ frame: Frame) throws -> Double {
        let pixels = try LumaScaler().scale(frame)
        return Double(pixels.reduce(0) { $0 + Int($1) }) / Double(pixels.count)
    }

    @Test("grey stays the same grey, whatever range the source has", arguments: ["tv", "pc"])
    func ranges(range: String) throws {
        let folder = try TemporaryFolder()
        let frame = try firstFrame(
            ["-vf", "scale=out_range=\(range),format=yuv420p", "-color_range", range, "-c:v", "libx264", "-qp", "1"], "a.mp4", folder)
        #expect(frame.isFullRange == (range == "pc"))
        let image = try JPEGEncoder(quality: 95).encode(frame)
        let result = try decoded(image)
        #expect((image.width, image.height) == (320, 240))
        #expect((result.width, result.height) == (320, 240))
        #expect(result.isFullRange)
        #expect(abs(try mean(result) - 128) < 2)
    }

    @Test("white is 255, not 235")
    func white() throws {
        let folder = try TemporaryFolder()
        try ffmpeg([
            "-f", "lavfi", "-i", "color=c=white:size=320x240:rate=5", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-frames:v", "1",
            folder.path("w.mp4"),
        ])
        let (stream, packets) = try demux(folder.path("w.mp4"))
        let decoder = try VideoDecoder(codec: stream.codec, extradata: stream.extradata)
        let frame = try #require((packets.flatMap { decoder.decode($0) } + decoder.flush()).first)
        #expect(try mean(frame) < 237)
        #expect(try mean(try decoded(JPEGEncoder().encode(frame))) > 253)
    }

    @Test("the target width holds the shape, and never enlarges")
    func scaling() throws {
        let folder = try TemporaryFolder()
        let frame = try firstFrame(["-c:v", "libx264", "-pix_fmt", "yuv420p"], "a.mp4", folder)
        let small = try JPEGEncoder(quality: 80, targetWidth: 160).encode(frame)
        #expect((small.width, small.height) == (160, 120))
        let large = try JPEGEncoder(quality: 80, targetWidth: 4000).encode(frame)
        #expect((large.width, large.height) == (320, 240))
        let tiny = try JPEGEncoder(quality: -5, targetWidth: -3).encode(frame)
        #expect((tiny.width, tiny.height) == (16, 12))
    }

    @Test("pixels that are not square become square")
    func pixelAspect() throws {
        let folder = try TemporaryFolder()
        let frame = try firstFrame(["-vf", "setsar=2/1", "-c:v", "libx264", "-pix_fmt", "yuv420p"], "a.mp4", folder)
        let image = try JPEGEncoder().encode(frame)
        #expect((image.width, image.height) == (640, 240))
    }

    @Test("better quality is larger")
    func quality() throws {
        let folder = try TemporaryFolder()
        try ffmpeg([
            "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=5", "-frames:v", "1", "-c:v", "libx264", "-qp", "10", "-pix_fmt", "yuv420p",
            folder.path("a.mp4"),
        ])
        let (stream, packets) = try demux(folder.path("a.mp4"))
        let decoder = try VideoDecoder(codec: stream.codec, extradata: stream.extradata)
        let frame = try #require((packets.flatMap { decoder.decode($0) } + decoder.flush()).first)
        let sizes = try [10, 50, 80, 100].map { try JPEGEncoder(quality: $0).encode(frame).bytes.count }
        #expect(zip(sizes, sizes.dropFirst()).allSatisfy { $0 < $1 })
        #expect(try JPEGEncoder().encode(frame).bytes.starts(with: [0xff, 0xd8, 0xff]))
    }
}
