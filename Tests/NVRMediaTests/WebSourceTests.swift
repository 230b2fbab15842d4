// What belongs here: the libav source against servers on this machine: answers, redirects, and addresses that are refused.
import Foundation
import Logging
import NIOCore
import NIOPosix
import NVRBase
import NVRMedia
import NVRModel
import RTSP
import Synchronization
import Testing

/// A TCP listener on a free port of every loopback address that answers each path with fixed bytes.
private final class PathServer: Sendable {
    let port: Int
    private let descriptor: Int32
    private let asked = Mutex<[String]>([])
    private let answers = Mutex<[String: [UInt8]]>([:])

    /// The first lines of the requests so far.
    var requests: [String] { asked.withLock { $0 } }

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length) == 0 && listen(descriptor, 16) == 0 && getsockname(descriptor, pointer, &length) == 0
            }
        }
        try #require(bound)
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { self.serve(connection) }
            }
        }
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var request = [UInt8](repeating: 0, count: 8192)
        let count = recv(connection, &request, request.count, 0)
        guard count > 0 else { return }
        let lines = String(decoding: request.prefix(count), as: UTF8.self).split(separator: "\r\n")
        let path = lines.first?.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        let authorized = lines.contains { $0.hasPrefix("Authorization: ") } ? " signed" : ""
        asked.withLock { $0.append(path + authorized) }
        let answer = answers.withLock { $0[path] } ?? Array("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".utf8)
        var at = 0
        while at < answer.count {
            let sent = answer[at...].withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return }
            at += sent
        }
    }

    func answer(_ path: String, _ status: String, _ fields: [String] = [], body: [UInt8] = []) {
        let head = (["HTTP/1.1 \(status)", "Content-Length: \(body.count)"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
        answers.withLock { $0[path] = Array(head.utf8) + body }
    }

    func answer(_ path: String, raw: [UInt8]) { answers.withLock { $0[path] = raw } }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

private struct Refused: Error {}

/// Lets this machine's first address through and no other.
private let onlyFirst: @Sendable (SocketAddress) throws -> Void = { address in
    if address.ipAddress != "127.0.0.1" { throw Refused() }
}

private let nothing: @Sendable (SocketAddress) throws -> Void = { _ in throw Refused() }

/// Reads a source to its end; what was published and why it ended.
private func read(_ url: String, check: (@Sendable (SocketAddress) throws -> Void)? = onlyFirst, audio: Bool = false) async throws -> (
    heard: Collector, failure: SourceFailure
) {
    let hub = StreamHub(role: .main, preRollSpan: 60_000_000)
    let collector = Collector()
    _ = hub.attach(collector, from: .next)
    let source = LibavSource(
        url: Secret(url), transport: .tcp, wantAudio: audio, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), addressCheck: check,
        clock: SteppingClock(), logger: Logger(label: "test"))
    let failure = await #expect(throws: SourceFailure.self) { try await source.run(into: hub) }
    return (collector, try #require(failure))
}

@Suite("Sources on the web", .serialized)
struct WebSourceTests {
    @Test(
        "an HTTP status becomes a reason and a cause",
        arguments: [
            ("401 Unauthorized", Backoff.Cause.unauthorized, "user name"), ("403 Forbidden", .unauthorized, "403"),
            ("404 Not Found", .unreachable, "404"), ("503 Busy", .overloaded, "503"), ("500 Oops", .unreachable, "500 Oops"),
            ("204 No Content", .unreachable, "204"),
        ])
    func statuses(status: String, cause: Backoff.Cause, reason: String) async throws {
        let server = try PathServer()
        defer { server.stop() }
        server.answer("/video", status, ["Content-Type: text/plain"])
        let (heard, failure) = try await read("http://127.0.0.1:\(server.port)/video")
        #expect(failure.cause == cause && failure.reason.contains(reason), "\(failure.reason)")
        #expect(heard.heard.isEmpty)
    }

    @Test("a stream of pictures is read picture by picture, whether it has a boundary or ends where the connection does")
    func pictures() async throws {
        let folder = try TemporaryFolder()
        let clip = try makeClip(folder, "clip.mjpeg", ["-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-f", "mjpeg"], frames: 8)
        let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: clip)))
        let starts = data.indices.filter { $0 + 2 < data.count && data[$0] == 0xFF && data[$0 + 1] == 0xD8 && data[$0 + 2] == 0xFF }
        let pictures = zip(starts, starts.dropFirst() + [data.count]).map { Array(data[$0..<$1]) }
        #expect(pictures.count == 8)
        var body: [UInt8] = []
        for picture in pictures {
            body += Array("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: \(picture.count)\r\n\r\n".utf8) + picture + Array("\r\n".utf8)
        }
        let server = try PathServer()
        defer { server.stop() }
        server.answer("/video", raw: Array("HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=frame\r\n\r\n".utf8) + body)
        let (heard, failure) = try await read("http://127.0.0.1:\(server.port)/video")
        let packets = heard.packets.withLock { $0 }
        // The last picture is known to be whole by the next one's boundary.
        #expect(packets.count >= 7 && packets.allSatisfy(\.isKeyframe), "\(packets.count), \(failure.reason)")
        #expect(heard.descriptions.withLock { $0.first?.videoCodecName } == "mjpeg")
        #expect(zip(packets, pictures).allSatisfy { packet, picture in packet.withUnsafeBytes { [UInt8]($0) == picture } })
    }

    @Test("redirects are followed where they may lead, with the password only at the place it is meant for")
    func redirects() async throws {
        let folder = try TemporaryFolder()
        let clip = [UInt8](try Data(contentsOf: URL(fileURLWithPath: try makeClip(folder, "clip.ts", h264))))
        let server = try PathServer()
        let other = try PathServer()
        defer {
            server.stop()
            other.stop()
        }
        server.answer("/old", "302 Found", ["Location: new/place"])
        server.answer("/new/place", "401 Unauthorized", ["WWW-Authenticate: Basic realm=\"x\""])
        server.answer("/away", "307 Away", ["Location: http://127.0.0.1:\(other.port)/clip"])
        server.answer("/loop", "301 Moved", ["Location: /loop"])
        server.answer("/nowhere", "301 Moved", ["Location: ftp://127.0.0.1/x"])
        server.answer("/file", "301 Moved", ["Location: file:///etc/passwd"])
        server.answer("/refused", "301 Moved", ["Location: http://127.0.0.2:\(other.port)/secret"])
        other.answer("/clip", "200 OK", body: clip)
        other.answer("/secret", "200 OK", body: clip)
        func base(_ path: String) -> String { "http://u:p@127.0.0.1:\(server.port)\(path)" }
        #expect(try await read(base("/old")).failure.cause == .unauthorized)
        #expect(server.requests == ["/old", "/new/place", "/new/place signed"])
        let (heard, failure) = try await read(base("/away"))
        #expect(heard.packets.withLock { $0.count } == 50, "\(failure.reason)")
        #expect(other.requests == ["/clip"])
        for path in ["/loop", "/nowhere", "/file"] {
            let (heard, failure) = try await read(base(path))
            #expect(heard.heard.isEmpty && failure.reason.contains("redirect"), "\(path): \(failure.reason)")
        }
        let (led, refusal) = try await read(base("/refused"))
        #expect(led.heard.isEmpty && refusal.reason.contains("not allowed") && refusal.reason.contains("127.0.0.2"), "\(refusal.reason)")
        #expect(other.requests == ["/clip"])
    }

    @Test("a playlist may not lead where the camera may not be")
    func playlists() async throws {
        let folder = try TemporaryFolder()
        let clip = [UInt8](try Data(contentsOf: URL(fileURLWithPath: try makeClip(folder, "clip.ts", h264))))
        let server = try PathServer()
        defer { server.stop() }
        func playlist(_ segment: String) -> [UInt8] {
            Array("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n\(segment)\n#EXT-X-ENDLIST\n".utf8)
        }
        server.answer("/clip.ts", "200 OK", body: clip)
        server.answer("/good.m3u8", "200 OK", body: playlist("clip.ts"))
        server.answer("/bad.m3u8", "200 OK", body: playlist("http://127.0.0.2:\(server.port)/clip.ts"))
        server.answer("/name.m3u8", "200 OK", body: playlist("http://localhost.localdomain:\(server.port)/clip.ts"))
        server.answer("/file.m3u8", "200 OK", body: playlist("file:///etc/hostname.ts"))
        let (heard, failure) = try await read("http://127.0.0.1:\(server.port)/good.m3u8")
        #expect(heard.packets.withLock { $0.count } == 50, "\(failure.reason)")
        let asked = server.requests.count
        for name in ["bad", "file"] {
            let (heard, failure) = try await read("http://127.0.0.1:\(server.port)/\(name).m3u8")
            #expect(heard.heard.isEmpty, "\(name): \(failure.reason)")
        }
        #expect(server.requests.count == asked + 2)
    }

    @Test(
        "a name that leads to this machine is refused before anything is connected",
        arguments: ["http", "https", "rtmp", "rtmps", "rtsp", "rtsps"])
    func names(scheme: String) async throws {
        let server = try PathServer()
        defer { server.stop() }
        for host in ["localhost", "127.1", "2130706433"] {
            let (heard, failure) = try await read("\(scheme)://\(host):\(server.port)/live/camera", check: nothing)
            #expect(heard.heard.isEmpty && failure.reason.contains("not allowed"), "\(host): \(failure.reason)")
        }
        #expect(server.requests.isEmpty)
        let (_, unknown) = try await read("\(scheme)://no-such-name.invalid/x")
        #expect(unknown.cause == .unreachable && unknown.reason.contains("does not resolve"), "\(unknown.reason)")
    }

    @Test("where an RTSP server sends libav is checked")
    func rtspRedirects() async throws {
        let server = try PathServer()
        defer { server.stop() }
        func sendOn(_ path: String, to target: String) {
            server.answer("rtsp://127.0.0.1:\(server.port)\(path)", raw: Array("RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: \(target)\r\n\r\n".utf8))
        }
        sendOn("/there", to: "rtsp://127.0.0.1:\(server.port)/back")
        sendOn("/back", to: "rtsp://127.0.0.1:\(server.port)/there")
        let targets = [
            ("rtsp://127.0.0.2:\(server.port)/x", "not allowed"), ("rtsp://127.0.0.1:\(server.port)/there", "too many redirects"),
            ("http://127.0.0.1:\(server.port)/", ""),
        ]
        for (target, reason) in targets {
            sendOn("/main", to: target)
            let before = server.requests.count
            let (heard, failure) = try await read("rtsp://127.0.0.1:\(server.port)/main")
            #expect(heard.heard.isEmpty && (reason.isEmpty || failure.reason.contains(reason)), "\(target): \(failure.reason)")
            #expect(server.requests.count == before + (reason.hasPrefix("too many") ? 4 : 1))
        }
    }

    @Test("a server that is silent, hangs up, or says something else ends in a reason")
    func nonsense() async throws {
        let server = try PathServer()
        defer { server.stop() }
        server.answer("/hangs-up", raw: [])
        server.answer("/text", "200 OK", ["Content-Type: text/html"], body: Array("<html>not a camera</html>".utf8))
        server.answer("/garbage", raw: (0..<4000).map { UInt8(truncatingIfNeeded: $0 &* 37 ^ $0 >> 3) })
        server.answer("/short", raw: Array("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\nContent-Type: video/mp2t\r\n\r\nG".utf8))
        server.answer("/chunks", raw: Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".utf8))
        for path in ["/hangs-up", "/text", "/garbage", "/short", "/chunks"] {
            let (heard, failure) = try await read("http://127.0.0.1:\(server.port)\(path)")
            #expect(heard.heard.isEmpty && failure.cause == .unreachable && failure.reason.count > 10, "\(path): \(failure.reason)")
        }
        let (_, refused) = try await read("https://127.0.0.1:\(server.port)/tls")
        #expect(refused.reason.contains("encrypted") || refused.reason.contains("closed"), "\(refused.reason)")
    }
}
