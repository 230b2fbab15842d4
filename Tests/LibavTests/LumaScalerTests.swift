import Libav
import Testing

@Suite struct LumaScalerTests {
    private func scaled(_ pixels: [UInt8], stride: Int, width: Int, height: Int, to scaler: LumaScaler) -> [UInt8] {
        var output = [UInt8](repeating: 7, count: scaler.width * scaler.height)
        pixels.withUnsafeBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                scaler.scale(LumaPlane(base: source.baseAddress!, stride: stride, width: width, height: height), into: target.baseAddress!)
            }
        }
        return output
    }

    @Test(
        "each output pixel is the mean of its source rectangle",
        arguments: [(640, 360), (641, 363), (320, 180), (1920, 1080), (704, 576), (352, 288), (160, 90), (1, 1), (300, 1000), (5000, 181)])
    func mean(width: Int, height: Int) {
        var random = SeededGenerator(state: UInt64(width * 10_000 + height))
        let stride = width + Int.random(in: 0...40, using: &random)
        let pixels = (0..<(stride * height)).map { _ in UInt8.random(in: 0...255, using: &random) }
        let scaler = LumaScaler()
        let output = scaled(pixels, stride: stride, width: width, height: height, to: scaler)
        var worst = 0.0
        for y in 0..<180 {
            let top = y * height / 180
            let bottom = max(top + 1, (y + 1) * height / 180)
            for x in 0..<320 {
                let left = x * width / 320
                let right = max(left + 1, (x + 1) * width / 320)
                var sum = 0
                for v in top..<bottom {
                    for u in left..<right { sum += Int(pixels[v * stride + u]) }
                }
                worst = max(worst, abs(Double(sum) / Double((bottom - top) * (right - left)) - Double(output[y * 320 + x])))
            }
        }
        #expect(worst <= 0.51)
    }

    @Test("white stays white and black black at any size", arguments: [(640, 360), (4096, 2160), (65, 33)])
    func extremes(width: Int, height: Int) {
        for value in [UInt8(0), 255] {
            let output = scaled([UInt8](repeating: value, count: width * height), stride: width, width: width, height: height, to: LumaScaler())
            #expect(output.allSatisfy { $0 == value })
        }
    }

    @Test("10 bit and RGB pictures go the way over libav and look the same", arguments: ["yuv420p10le", "gbrp", "yuv444p", "yuv422p"])
    func otherFormats(format: String) throws {
        let folder = try TemporaryFolder()
        try ffmpeg([
            "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=1", "-frames:v", "1", "-pix_fmt", format, "-c:v",
            format == "gbrp" ? "libx264rgb" : "libx264", "-qp", "1", folder.path("a.mkv"),
        ])
        try ffmpeg([
            "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=1", "-frames:v", "1", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-qp", "1",
            folder.path("b.mkv"),
        ])
        func luma(_ name: String) throws -> (String, [UInt8]) {
            let (stream, packets) = try demux(folder.path(name))
            let decoder = try VideoDecoder(codec: stream.codec, extradata: stream.extradata)
            let frame = try #require((packets.flatMap { decoder.decode($0) } + decoder.flush()).first)
            return (frame.pixelFormat, try LumaScaler().scale(frame))
        }
        let (name, a) = try luma("a.mkv")
        let (_, b) = try luma("b.mkv")
        #expect(name == format)
        // libav's grey has the full range.
        let converted = format == "yuv420p10le" || format == "gbrp"
        let expected = converted ? b.map { min(255, max(0, (Int($0) - 16) * 255 / 219)) } : b.map { Int($0) }
        let difference = zip(a, expected).map { abs(Int($0) - $1) }.reduce(0, +)
        #expect(Double(difference) / Double(a.count) < 4)
    }

    @Test("an output of the wrong size is refused")
    func wrongOutput() throws {
        let folder = try TemporaryFolder()
        try ffmpeg(["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=1", "-frames:v", "1", "-c:v", "mjpeg", folder.path("a.avi")])
        let (_, packets) = try demux(folder.path("a.avi"))
        let frame = try #require(try VideoDecoder(codec: .mjpeg).decode(packets[0]).first)
        var small = [UInt8](repeating: 0, count: 100)
        #expect(throws: LibavError.self) { try small.withUnsafeMutableBufferPointer { try LumaScaler().scale(frame, into: $0) } }
    }
}
