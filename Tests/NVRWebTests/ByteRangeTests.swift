import HTTPTypes
import NIOPosix
import NVRWeb
import Testing

@Suite struct ByteRangeTests {
    @Test(
        "Ranges of a representation of 1000 bytes",
        arguments: [
            ("bytes=0-99", ByteRange.single(0..<100)),
            ("bytes=500-599", .single(500..<600)),
            ("bytes=900-", .single(900..<1000)),
            ("bytes=-100", .single(900..<1000)),
            ("bytes=-5000", .single(0..<1000)),
            ("bytes=0-0", .single(0..<1)),
            ("bytes=999-999", .single(999..<1000)),
            ("bytes=990-2000", .single(990..<1000)),
            ("bytes=0-99999999999999999999999999", .single(0..<1000)),
            ("BYTES=1-2", .single(1..<3)),
            ("bytes= 1-2 , ", .single(1..<3)),
            ("bytes=1000-", .unsatisfiable),
            ("bytes=99999999999999999999-", .unsatisfiable),
            ("bytes=-0", .unsatisfiable),
            ("bytes=5000-6000,2000-", .unsatisfiable),
            ("bytes=0-9,5000-", .single(0..<10)),
            ("bytes=0-9,20-29,-5", .several([0..<10, 20..<30, 995..<1000])),
            ("bytes=20-29,0-9", .several([20..<30, 0..<10])),
        ])
    func satisfiable(header: String, expected: ByteRange) {
        #expect(ByteRange(header: header, length: 1000) == expected)
    }

    @Test(
        "Headers that are to be ignored",
        arguments: [
            "bytes=", "bytes=-", "bytes=a-b", "bytes=9-1", "bytes 0-1", "items=0-1", "bytes=0-1,x", "bytes=--1", "bytes=1-2-3",
            "bytes=+1-2",
            "bytes=0x1-2", "bytes=0 - 9", "", "=", ",",
        ])
    func ignored(header: String) {
        #expect(ByteRange(header: header, length: 1000) == .whole)
    }

    @Test("A flood of overlapping or too many ranges is answered with everything")
    func floods() {
        #expect(ByteRange(header: "bytes=" + Array(repeating: "0-", count: 10).joined(separator: ","), length: 1000) == .whole)
        #expect(ByteRange(header: "bytes=0-50,40-60", length: 1000) == .whole)
        let many = (0..<40).map { "\($0 * 10)-\($0 * 10 + 1)" }.joined(separator: ",")
        #expect(ByteRange(header: "bytes=" + many, length: 1000) == .whole)
    }

    @Test("An empty representation has no byte to give")
    func empty() {
        #expect(ByteRange(header: "bytes=0-", length: 0) == .unsatisfiable)
        #expect(ByteRange(header: "bytes=-0", length: 0) == .unsatisfiable)
        #expect(ByteRange(header: "bytes=-5", length: 0) == .whole)
        #expect(ByteRange(header: nil, length: 0) == .whole)
    }

    @Test("Every range of random headers lies inside the representation")
    func random() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("0123456789-,= b\t")
        for _ in 0..<20_000 {
            let length = Int64.random(in: 0...200, using: &generator)
            let text =
                "bytes="
                + String((0..<Int.random(in: 0...24, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? "0" })
            switch ByteRange(header: text, length: length) {
            case .single(let range): #expect(range.lowerBound >= 0 && range.upperBound <= length && !range.isEmpty)
            case .several(let ranges):
                #expect(ranges.count <= ByteRange.mostParts)
                #expect(ranges.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= length && !$0.isEmpty })
            case .whole, .unsatisfiable: break
            }
        }
    }
}

@Suite struct PreconditionTests {
    let conditions = Preconditions(etag: "\"v1\"", lastModified: HTTPDate(seconds: 784_111_777))
    let later = HTTPDate(seconds: 784_111_900)

    @Test("If-None-Match compares weakly, and wins over If-Modified-Since")
    func noneMatch() {
        #expect(conditions.verdict(for: [.ifNoneMatch: "\"v1\""]) == .notModified)
        #expect(conditions.verdict(for: [.ifNoneMatch: "\"v0\", W/\"v1\""]) == .notModified)
        #expect(conditions.verdict(for: [.ifNoneMatch: "*"]) == .notModified)
        #expect(conditions.verdict(for: [.ifNoneMatch: "\"v2\""]) == .proceed)
        #expect(conditions.verdict(for: [.ifNoneMatch: "\"v2\"", .ifModifiedSince: "Sun, 06 Nov 1994 08:49:37 GMT"]) == .proceed)
    }

    @Test("If-Modified-Since, If-Match and If-Unmodified-Since")
    func others() {
        #expect(conditions.verdict(for: [.ifModifiedSince: "Sun, 06 Nov 1994 08:49:37 GMT"]) == .notModified)
        #expect(conditions.verdict(for: [.ifModifiedSince: "Sun, 06 Nov 1994 08:49:36 GMT"]) == .proceed)
        #expect(conditions.verdict(for: [.ifModifiedSince: "yesterday"]) == .proceed)
        #expect(conditions.verdict(for: [.ifMatch: "\"v1\""]) == .proceed)
        #expect(conditions.verdict(for: [.ifMatch: "W/\"v1\""]) == .failed)
        #expect(conditions.verdict(for: [.ifUnmodifiedSince: "Sun, 06 Nov 1994 08:49:36 GMT"]) == .failed)
        #expect(conditions.verdict(for: [:]) == .proceed)
    }

    @Test("If-Range lets a range through for the very same bytes only")
    func ifRange() {
        #expect(conditions.rangeApplies(to: [:], now: later))
        #expect(conditions.rangeApplies(to: [.ifRange: "\"v1\""], now: later))
        #expect(!conditions.rangeApplies(to: [.ifRange: "W/\"v1\""], now: later))
        #expect(!conditions.rangeApplies(to: [.ifRange: "\"v2\""], now: later))
        #expect(conditions.rangeApplies(to: [.ifRange: "Sun, 06 Nov 1994 08:49:37 GMT"], now: later))
        #expect(!conditions.rangeApplies(to: [.ifRange: "Sun, 06 Nov 1994 08:49:38 GMT"], now: later))
        #expect(!conditions.rangeApplies(to: [.ifRange: "Sun, 06 Nov 1994 08:49:37 GMT"], now: HTTPDate(seconds: 784_111_777)))
        #expect(!conditions.rangeApplies(to: [.ifRange: "garbage"], now: later))
    }

    @Test("The three forms of HTTP dates are one time")
    func dates() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            #expect(HTTPDate(text)?.seconds == 784_111_777)
        }
        #expect(HTTPDate(seconds: 784_111_777).text == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate(seconds: 0).text == "Thu, 01 Jan 1970 00:00:00 GMT")
        for text in [
            "", "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT", "06 Nov 1994",
            "a b c d e f",
        ] {
            #expect(HTTPDate(text) == nil)
        }
    }
}

@Suite struct MediaResponderTests {
    private func content(_ bytes: [UInt8]) -> MediaContent {
        MediaContent(
            contentType: "video/mp4", length: Int64(bytes.count), etag: "\"e\"", lastModified: HTTPDate(seconds: 1), fileName: "a.mp4"
        ) { Array(bytes.dropFirst(Int($0)).prefix($1)) }
    }

    @Test("The parts of a multipart answer and their length")
    func multipart() {
        let pieces = MediaResponder.multipart([0..<2, 5..<7], of: "video/mp4", length: 10, boundary: "B")
        #expect(
            pieces == [
                .text("--B\r\nContent-Type: video/mp4\r\nContent-Range: bytes 0-1/10\r\n\r\n"), .bytes(0..<2),
                .text("\r\n--B\r\nContent-Type: video/mp4\r\nContent-Range: bytes 5-6/10\r\n\r\n"), .bytes(5..<7), .text("\r\n--B--\r\n"),
            ])
    }

    @Test("File names cannot break out of Content-Disposition")
    func disposition() {
        #expect(MediaResponder.dispositionText(.attachment, "a b.mp4") == "attachment; filename=\"a b.mp4\"")
        #expect(
            MediaResponder.dispositionText(.inline, "a\"\r\nX: y") == "inline; filename=\"a___X: y\"; filename*=UTF-8''a%22%0D%0AX%3A%20y")
        #expect(MediaResponder.dispositionText(.attachment, "Tür.mp4")?.hasSuffix("filename*=UTF-8''T%C3%BCr.mp4") == true)
        #expect(MediaResponder.dispositionText(.none, "a") == nil)
    }
}
