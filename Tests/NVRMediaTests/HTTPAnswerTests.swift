// What belongs here: what is read of HTTP answers and of URLs, all of it of unknown origin.
import NIOCore
import NVRMedia
import Testing

@Suite("HTTP answers")
struct HTTPAnswerTests {
    private func head(_ text: String) -> HTTPHead? { HTTPHead(Array(text.utf8)) }

    /// The content of an answer whose bytes come in pieces of `piece` and are wanted in pieces of `room`.
    private func content(_ head: HTTPHead, _ bytes: String, piece: Int, room: Int) throws -> (text: String, ended: Bool, left: Int) {
        var body = try HTTPBody(head)
        var out: [UInt8] = []
        var rest = Array(bytes.utf8)[...]
        var stuck = 0
        while !rest.isEmpty, !body.hasEnded, stuck < 3 {
            var buffer = [UInt8](repeating: 0, count: room)
            let (read, written) = try Array(rest.prefix(piece)).withUnsafeBytes { input in
                try buffer.withUnsafeMutableBytes { try body.decode(input, into: $0) }
            }
            out += buffer.prefix(written)
            rest = rest.dropFirst(read)
            stuck = read + written == 0 ? stuck + 1 : 0
        }
        return (String(decoding: out, as: UTF8.self), body.hasEnded, rest.count)
    }

    @Test("status, reason and fields, however sloppily they are written")
    func heads() throws {
        let good = try #require(head("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nX:\t y \r\nx: z\r\n\r\n"))
        #expect(good.status == 200 && good.reason == "OK" && good["content-type"] == "image/jpeg" && good.all("x") == ["y", "z"])
        #expect(head("\r\nHTTP/1.0 404 Not Found\nServer:a\n\n")?.status == 404)
        #expect(head("ICY 200 OK\r\n\r\n")?.status == 200)
        #expect(head("http/1.1 503\r\n\r\n")?.reason == "")
        #expect(head("HTTP/1.1 200 OK\r\nno colon here\r\nA: b\r\n\r\n")?["a"] == "b")
        for text in [
            "", "\r\n\r\n", "RTSP/1.0 200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 -20 OK\r\n\r\n",
            "HTTP/1.1 abc OK\r\n\r\n",
        ] {
            #expect(head(text) == nil, "\(text)")
        }
    }

    @Test("content by length, in chunks and until the end, in pieces of any size", arguments: [1, 2, 3, 7, 1000], [1, 2, 5, 1000])
    func bodies(piece: Int, room: Int) throws {
        let chunked = try #require(head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
        let one = try content(chunked, "5\r\nhello\r\nC;a=b\r\n, world and \r\n4 \r\nmore\r\n0\r\nField: x\r\n\r\nrest", piece: piece, room: room)
        #expect(one.text == "hello, world and more" && one.ended && one.left == 4)
        let counted = try #require(head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
        let two = try content(counted, "hello and more", piece: piece, room: room)
        #expect(two.text == "hello" && two.ended && two.left == 9)
        let endless = try #require(head("HTTP/1.1 200 OK\r\n\r\n"))
        let three = try content(endless, "hello and more", piece: piece, room: room)
        #expect(three.text == "hello and more" && !three.ended)
        #expect(try HTTPBody(endless).mayEndHere && !HTTPBody(counted).mayEndHere && !HTTPBody(chunked).mayEndHere)
        #expect(try HTTPBody(counted).length == 5 && HTTPBody(chunked).length == nil)
    }

    @Test("what makes no sense is said to be so")
    func nonsense() throws {
        for length in ["-1", "x", "99999999999999999999", ""] {
            let bad = try #require(head("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n"))
            #expect(throws: HTTPBody.Malformed.self) { try HTTPBody(bad) }
        }
        let chunked = try #require(head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
        for body in ["x\r\n", "fffffffffffffffff\r\n", "2\r\nabc\r\n", "-1\r\n"] {
            #expect(throws: HTTPBody.Malformed.self) { try content(chunked, body, piece: 100, room: 100) }
        }
    }

    @Test("random bytes never trap")
    func random() {
        for seed in 0..<5_000 {
            var random = SeededGenerator(state: UInt64(seed))
            let alphabet = Array("HTTP/1.1 200\r\n\r\n:Content-LengthTransfer-Encodingchunked 0123456789abcdef;".utf8)
            let bytes = (0..<Int.random(in: 0...200, using: &random)).map { _ in
                random.chance(0.9) ? alphabet[Int.random(in: 0..<alphabet.count, using: &random)] : UInt8.random(in: 0...255, using: &random)
            }
            _ = HTTPHead(bytes)
            _ = HTTPHead(Array("HTTP/1.1 200 OK\r\n".utf8) + bytes)
            if let chunked = head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") {
                _ = try? content(chunked, String(decoding: bytes, as: UTF8.self), piece: 7, room: 5)  // Refusing is right.
            }
            _ = SourceURL("http://" + String(decoding: bytes, as: UTF8.self))
            _ = SourceURL("http://a/b?c")?.resolved(String(decoding: bytes, as: UTF8.self))?.target
        }
    }
}

@Suite("URLs of sources")
struct SourceURLTests {
    @Test("parts, and the forms that are sent")
    func parts() throws {
        let url = try #require(SourceURL("HTTP://us%40er:pa%3Ass@Camera.local:8080/a/b.m3u8?x=1#f"))
        #expect(url.scheme == "http" && url.userInfo == "us%40er:pa%3Ass" && url.host == "Camera.local" && url.port == 8080)
        #expect(url.target == "/a/b.m3u8?x=1" && url.authority == "Camera.local:8080" && !url.hasNumericHost)
        #expect(url.pinned(to: try SocketAddress(ipAddress: "192.0.2.7", port: 8080)) == "http://us%40er:pa%3Ass@192.0.2.7:8080/a/b.m3u8?x=1#f")
        #expect(url.pinned(to: try SocketAddress(ipAddress: "2001:db8::1", port: 8080)).hasPrefix("http://us%40er:pa%3Ass@[2001:db8::1]:8080/"))
        #expect(url.with(userInfo: nil).text == "http://Camera.local:8080/a/b.m3u8?x=1#f")
        let six = try #require(SourceURL("https://[::1]"))
        #expect(six.host == "::1" && six.port == 443 && six.target == "/" && six.authority == "[::1]" && six.hasNumericHost)
        #expect(SourceURL("http://a/ü b\u{7F}") == nil)
        #expect(SourceURL("http://a/ü b")?.target == "/%C3%BC%20b")
        #expect(SourceURL("rtmp://a/live/cam")?.port == 1935)
        #expect(SourceURL("rtmp://a:99/live/cam?k=1")?.applicationURL == "rtmp://a:99/live")
        #expect(SourceURL("rtmp://a/one/two/three")?.applicationURL == "rtmp://a/one/two")
        for text in [
            "", "http:/a", "http://", "http:///x", "http://a:0/", "http://a:65536/", "http://a:b/", "http://[::1/", "1://a", "http://a\r\nb/",
        ] {
            #expect(SourceURL(text) == nil, "\(text)")
        }
    }

    @Test(
        "references are resolved as RFC 3986 section 5.4 has it",
        arguments: [
            ("g", "http://a/b/c/g"), ("./g", "http://a/b/c/g"), ("g/", "http://a/b/c/g/"), ("/g", "http://a/g"), ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"), ("g?y", "http://a/b/c/g?y"), ("..", "http://a/b/"), ("../g", "http://a/b/g"), ("../..", "http://a/"),
            ("../../../g", "http://a/g"), ("g?y/./x", "http://a/b/c/g?y/./x"), ("https://x:1/y", "https://x:1/y"), ("g:h", "http://a/b/c/g:h"),
        ])
    func references(reference: String, expected: String) throws {
        let base = try #require(SourceURL("http://a/b/c/d;p?q"))
        #expect(base.resolved(reference)?.text == expected)
    }

    @Test("what was trusted with a password is the same scheme, host and port")
    func origins() throws {
        let url = try #require(SourceURL("https://u:p@camera/x"))
        func same(_ text: String) -> Bool { SourceURL(text).map { url.hasSameOrigin(as: $0) } ?? false }
        #expect(same("https://CAMERA:443/y") && !same("http://camera:443/y") && !same("https://camera:444/") && !same("https://camera.evil/"))
    }
}
