import Foundation
import Libav
import Testing

@Suite struct VideoEncoderTests {
    private func pictures(_ folder: TemporaryFolder, size: String = "320x240", frames: Int = 20) throws -> [Frame] {
        try ffmpeg([
            "-f", "lavfi", "-i", "testsrc=s=\(size):r=10", "-frames:v", "\(frames)", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-qp", "10",
            folder.path("source.mp4"),
        ])
        let (stream, packets) = try demux(folder.path("source.mp4"))
        let decoder = try VideoDecoder(codec: stream.codec, extradata: stream.extradata)
        return packets.flatMap { decoder.decode($0) } + decoder.flush()
    }

    @Test("every picture gives its access unit at once, key frames where they are asked for, and decodes to what it was")
    func roundTrip() throws {
        let frames = try pictures(try TemporaryFolder())
        let encoder = try VideoEncoder(VideoEncoderOptions(width: 320, height: 240))
        let decoder = try VideoDecoder(codec: .h264, extradata: encoder.parameterSets)
        let scaler = LumaScaler()
        for (number, frame) in frames.enumerated() {
            let coded = try encoder.encode(frame, pts: Int64(number) * 9000, isKey: number % 8 == 0)
            try #require(coded.count == 1)
            #expect(coded[0].pts == Int64(number) * 9000)
            #expect(coded[0].isKey == (number % 8 == 0))
            let shown = decoder.decode(coded[0].bytes, pts: coded[0].pts, isKey: coded[0].isKey)
            try #require(shown.count == 1)
            let (old, new) = (try scaler.scale(frame), try scaler.scale(shown[0]))
            let difference = zip(old, new).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
            #expect(Double(difference) / Double(old.count) < 6)
        }
        // A time that does not advance is no picture.
        #expect(try encoder.encode(frames[0], pts: 9000, isKey: false).isEmpty)
    }

    @Test("pictures are made smaller, whatever size they have")
    func sizes() throws {
        #expect(VideoEncoderOptions.size(of: 3840, 2160, most: 1280) == (1280, 720))
        #expect(VideoEncoderOptions.size(of: 641, 361, most: 1280) == (642, 362))
        #expect(VideoEncoderOptions.size(of: 640, 360, most: 1280) == (640, 360))
        #expect(VideoEncoderOptions.size(of: 1, 1, most: 1280) == (16, 16))
        let folder = try TemporaryFolder()
        let frames = try pictures(folder, size: "640x360", frames: 3)
        let encoder = try VideoEncoder(VideoEncoderOptions(width: 320, height: 180))
        let decoder = try VideoDecoder(codec: .h264, extradata: encoder.parameterSets)
        let coded = try encoder.encode(frames[0], pts: 0, isKey: true)
        let shown = decoder.decode(try #require(coded.first).bytes, pts: 0, isKey: true)
        #expect(shown.first.map { [$0.width, $0.height] } == [320, 180])
        // The size of what comes may change in mid-stream.
        let other = try pictures(try TemporaryFolder(), size: "160x120", frames: 1)
        #expect(try encoder.encode(other[0], pts: 9000, isKey: false).count == 1)
    }

    @Test("sizes that nothing encodes are refused", arguments: [(0, 0), (15, 16), (321, 240), (100_000, 100)])
    func bad(width: Int, height: Int) {
        #expect(throws: LibavError.self) { try VideoEncoder(VideoEncoderOptions(width: width, height: height)) }
    }
}
