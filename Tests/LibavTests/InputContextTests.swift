import Foundation
import Libav
import Synchronization
import Testing

/// A TCP listener on a free port of the loopback that gives each connection one fixed answer, or none at all.
private final class FixedServer: Sendable {
    let port: Int
    private let descriptor: Int32
    private let requestCount = Atomic<Int>(0)
    var requests: Int { requestCount.load(ordering: .relaxed) }

    /// - Parameter onRequest: called when a request has come and no answer is given.
    init(answer: [UInt8]?, onRequest: @escaping @Sendable () -> Void = {}) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
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
                var request = [UInt8](repeating: 0, count: 4096)
                _ = recv(connection, &request, request.count, 0)
                requestCount.wrappingAdd(1, ordering: .relaxed)
                guard let answer else {
                    // The connection stays open, and silent.
                    onRequest()
                    continue
                }
                _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                close(connection)
            }
        }
    }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

private func httpAnswer(_ status: String, type: String, _ body: String) -> [UInt8] {
    Array("HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)".utf8)
}

@Suite struct InputContextTests {
    @Test("a file's streams and packets come as ffmpeg wrote them")
    func readsFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("a.mp4")
        try ffmpeg([
            "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=16000", "-t", "2",
            "-c:v", "libx264", "-g", "25", "-bf", "0", "-c:a", "aac", path,
        ])
        let input = try InputContext(url: path, protocols: .file, interrupt: Interrupt())
        #expect(input.formatName.contains("mp4"))
        #expect(input.streams.count == 2)
        let video = try #require(input.streams.first { $0.kind == .video })
        let audio = try #require(input.streams.first { $0.kind == .audio })
        #expect(video.codec == .h264)
        #expect((video.width, video.height) == (320, 240))
        #expect(video.frameRate == Rational(25, 1))
        #expect(video.extradata.first == 1)
        #expect(audio.codec == .aac)
        #expect(audio.sampleRate == 16_000)
        #expect(audio.channels == 1)
        #expect(!audio.extradata.isEmpty)
        var packets: [Packet] = []
        while let packet = try input.readPacket() { packets.append(packet) }
        let frames = packets.filter { $0.streamIndex == video.index }
        #expect(frames.count == 50)
        #expect(frames.filter(\.isKey).count == 2)
        #expect(frames.allSatisfy { $0.count == $0.bytes.count && $0.count > 0 })
        let times = frames.compactMap { $0.pts.flatMap { video.timeBase.microseconds($0) } }
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 40_000 })
        #expect(try input.readPacket() == nil)
        try input.rewind()
        var again: [Packet] = []
        while let packet = try input.readPacket() { again.append(packet) }
        #expect(again.filter { $0.streamIndex == video.index }.map(\.pts) == frames.map(\.pts))
        input.select(streams: [video.index])
        input.close()
        #expect(input.streams.isEmpty)
        #expect(throws: LibavError.self) { try input.readPacket() }
    }

    @Test("errors name the operation and the reason, never the URL")
    func errors() throws {
        let missing = try #require(throws: LibavError.self) {
            try InputContext(url: "/nonexistent/geheim.mp4", protocols: .file, interrupt: Interrupt())
        }
        #expect(missing.reason == .notFound)
        #expect(missing.operation == "open input")
        #expect(!"\(missing)".contains("geheim"))
        let unknown = try #require(throws: LibavError.self) {
            try InputContext(url: "/dev/null", format: "no such demuxer", protocols: .file, interrupt: Interrupt())
        }
        #expect(unknown.operation == "find the demuxer")
        #expect(throws: LibavError.self) { try InputContext(url: "/dev/null", protocols: .file, interrupt: Interrupt()) }
    }

    @Test(
        "an HTTP status becomes a reason",
        arguments: [
            ("401 Unauthorized", LibavError.Reason.unauthorized), ("403 Forbidden", .forbidden), ("404 Not Found", .notFound),
            ("503 Busy", .serverError),
        ])
    func statuses(status: String, reason: LibavError.Reason) throws {
        let server = try FixedServer(answer: httpAnswer(status, type: "text/plain", "no"))
        defer { server.stop() }
        let error = try #require(throws: LibavError.self) {
            try InputContext(url: "http://127.0.0.1:\(server.port)/a.mjpg", protocols: .web, interrupt: Interrupt())
        }
        #expect(error.reason == reason)
    }

    @Test("a playlist from the network cannot make us read a local file")
    func protocolWhitelist() throws {
        let folder = try TemporaryFolder()
        try ffmpeg(["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "1", "-c:v", "libx264", folder.path("secret.ts")])
        let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://\(folder.path("secret.ts"))\n#EXT-X-ENDLIST\n"
        let server = try FixedServer(answer: httpAnswer("200 OK", type: "application/vnd.apple.mpegurl", playlist))
        defer { server.stop() }
        let url = "http://127.0.0.1:\(server.port)/live.m3u8"
        var packets = 0
        do {
            let input = try InputContext(url: url, protocols: .web, interrupt: Interrupt())
            while try input.readPacket() != nil { packets += 1 }
        } catch {}  // Refusing altogether is just as right.
        #expect(packets == 0)
        #expect(server.requests > 0)
        #expect(throws: LibavError.self) { try InputContext(url: "file://\(folder.path("secret.ts"))", protocols: .web, interrupt: Interrupt()) }
        #expect(throws: LibavError.self) { try InputContext(url: url, protocols: .file, interrupt: Interrupt()) }
    }

    @Test("an HTTP camera that sends one JPEG after the other is read picture by picture")
    func multipartJPEG() throws {
        let folder = try TemporaryFolder()
        try ffmpeg(["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=5", "-t", "2", "-c:v", "mjpeg", folder.path("a.avi")])
        let (_, pictures) = try demux(folder.path("a.avi"))
        var answer = Array("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\nConnection: close\r\n\r\n".utf8)
        for picture in pictures {
            answer +=
                Array("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: \(picture.count)\r\n\r\n".utf8) + picture.bytes + Array("\r\n".utf8)
        }
        answer += Array("--frame--\r\n".utf8)
        let server = try FixedServer(answer: answer)
        defer { server.stop() }
        let input = try InputContext(url: "http://127.0.0.1:\(server.port)/video", protocols: .web, interrupt: Interrupt())
        let stream = try #require(input.streams.first)
        #expect(input.formatName.contains("mpjpeg"))
        #expect(stream.codec == .mjpeg)
        #expect((stream.width, stream.height) == (320, 240))
        let decoder = try VideoDecoder(codec: .mjpeg)
        var frames = 0
        var received = 0
        // A camera that hangs up is an I/O error to libav, not an end.
        while let packet = try? input.readPacket() {
            received += 1
            frames += decoder.decode(packet).count
        }
        #expect(received == pictures.count)
        #expect(frames == pictures.count)
    }

    @Test("opening a silent server ends when it is interrupted")
    func interruptedOpen() throws {
        let interrupt = Interrupt()
        // Past the connect, in the wait for an answer.
        let server = try FixedServer(answer: nil) { interrupt.cancel() }
        defer { server.stop() }
        let error = try #require(throws: LibavError.self) {
            try InputContext(url: "http://127.0.0.1:\(server.port)/", protocols: .web, interrupt: interrupt, timeout: .seconds(60))
        }
        #expect(error.reason == .cancelled)
        #expect(throws: LibavError.self) { try InputContext(url: "/dev/null", protocols: .file, interrupt: interrupt) }
    }

    @Test("opening a silent server ends at its deadline")
    func deadline() throws {
        let server = try FixedServer(answer: nil)
        defer { server.stop() }
        let error = try #require(throws: LibavError.self) {
            try InputContext(url: "rtsp://127.0.0.1:\(server.port)/", protocols: .rtsp, interrupt: Interrupt(), timeout: .milliseconds(200))
        }
        #expect(error.reason == .timedOut)
    }
}
