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

    /// Listens on 127.0.0.1 and 127.0.0.2 alike.
    ///
    /// - Parameter onRequest: called when a request has come and no answer is given.
    init(answer: [UInt8]?, onRequest: @escaping @Sendable () -> Void = {}) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = 0
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
                // A connection alone is no request.
                if recv(connection, &request, request.count, 0) > 0 { requestCount.wrappingAdd(1, ordering: .relaxed) }
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

/// Files by their URLs, and what was asked for.
private final class MemoryWeb: ByteOpener {
    struct Missing: Error {}

    final class File: ByteSource {
        private let bytes: [UInt8]
        private var at = 0
        let isSeekable: Bool
        var size: Int64? { isSeekable ? Int64(bytes.count) : nil }
        private(set) var isClosed = false

        init(_ bytes: some Collection<UInt8>, isSeekable: Bool = false) {
            self.bytes = Array(bytes)
            self.isSeekable = isSeekable
        }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            // In odd pieces, as a network gives them.
            let count = min(buffer.count, bytes.count - at, 1 + at % 1460)
            bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[at..<(at + count)])) }
            at += count
            return count
        }

        func seek(to offset: Int64) throws { at = min(Int(offset), bytes.count) }

        func close() { isClosed = true }
    }

    var files: [String: [UInt8]] = [:]
    private(set) var requests: [ByteRequest] = []
    private(set) var opened: [File] = []

    func file(_ url: String, isSeekable: Bool = false) throws -> File {
        let file = File(try #require(files[url]), isSeekable: isSeekable)
        opened.append(file)
        return file
    }

    func open(_ request: ByteRequest) throws -> any ByteSource {
        requests.append(request)
        guard let bytes = files[request.url] else { throw Missing() }
        let end = min(request.end.map { Int($0) } ?? bytes.count, bytes.count)
        let file = File(bytes[min(Int(request.offset), end)..<end])
        opened.append(file)
        return file
    }
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

    @Test("libav itself fetches nothing from the web, and no playlist makes it read a file")
    func protocolWhitelist() throws {
        let folder = try TemporaryFolder()
        try ffmpeg(["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "1", "-c:v", "libx264", folder.path("secret.ts")])
        let server = try FixedServer(answer: Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno".utf8))
        defer { server.stop() }
        for url in ["http://127.0.0.1:\(server.port)/a.ts", "file://\(folder.path("secret.ts"))", folder.path("secret.ts")] {
            for protocols in [AllowedProtocols.web, .rtmp, .rtsp] {
                #expect(throws: LibavError.self) { try InputContext(url: url, protocols: protocols, interrupt: Interrupt()) }
            }
            let web = MemoryWeb()
            web.files["http://camera/live.m3u8"] = Array("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n\(url)\n#EXT-X-ENDLIST\n".utf8)
            var packets = 0
            do {
                let input = try InputContext(
                    url: "http://camera/live.m3u8", first: try web.file("http://camera/live.m3u8"), opener: web, interrupt: Interrupt())
                while try input.readPacket() != nil { packets += 1 }
            } catch {}  // Refusing altogether is just as right.
            #expect(packets == 0)
            let areClosed = web.opened.allSatisfy { $0.isClosed }
            #expect(areClosed)
        }
        #expect(server.requests == 0)
    }

    @Test("bytes come from the opener: a file with its index at the end, and what playlists refer to, in ranges and encrypted")
    func openers() throws {
        let folder = try TemporaryFolder()
        func file(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path(name)))) }
        let film = folder.path("film.mp4")
        try ffmpeg(["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "3", "-c:v", "libx264", "-g", "25", "-bf", "0", film])
        let expected = try demux(film).packets.count
        let web = MemoryWeb()
        web.files["http://camera/film.mp4"] = try file("film.mp4")
        func count(_ url: String, isSeekable: Bool = false) throws -> Int {
            let input = try InputContext(
                url: url, first: try web.file(url, isSeekable: isSeekable), opener: web, interrupt: Interrupt())
            var packets = 0
            while try input.readPacket() != nil { packets += 1 }
            return packets
        }
        #expect(try count("http://camera/film.mp4", isSeekable: true) == expected)

        try Data((0..<16).map { UInt8($0) }).write(to: URL(fileURLWithPath: folder.path("key")))
        try Data("key\n\(folder.path("key"))\n".utf8).write(to: URL(fileURLWithPath: folder.path("key.txt")))
        let lists: [(name: String, options: [String])] = [
            ("plain", ["-hls_segment_filename", folder.path("plain%d.ts")]),
            ("ranges", ["-hls_segment_type", "fmp4", "-hls_flags", "single_file", "-hls_segment_filename", folder.path("ranges.mp4")]),
            ("secret", ["-hls_key_info_file", folder.path("key.txt"), "-hls_segment_filename", folder.path("secret%d.ts")]),
        ]
        for list in lists {
            try ffmpeg(
                ["-i", film, "-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"] + list.options
                    + [folder.path("\(list.name).m3u8")])
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.url.path) { web.files["http://camera/a/\(name)"] = try file(name) }
        for list in lists {
            #expect(try count("http://camera/a/\(list.name).m3u8") == expected, "\(list.name)")
        }
        #expect(web.requests.contains { $0.offset > 0 && $0.end != nil })
        #expect(web.requests.contains { $0.url == "http://camera/a/key" })
        #expect(web.opened.count > 10 && web.opened.allSatisfy(\.isClosed))
    }

    @Test("an RTSP server that sends us to another host is reported before anything is asked there")
    func redirects() throws {
        let other = try FixedServer(answer: Array("RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n".utf8))
        defer { other.stop() }
        let location = "rtsp://127.0.0.2:\(other.port)/secret"
        let server = try FixedServer(answer: Array("RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: \(location)\r\n\r\n".utf8))
        defer { server.stop() }
        var told: String?
        let error = try #require(throws: LibavError.self) {
            try InputContext(
                url: "rtsp://u:p@127.0.0.1:\(server.port)/main?x=1", options: ["rtsp_transport": "tcp"], protocols: .rtsp, interrupt: Interrupt(),
                redirected: { told = $0 })
        }
        #expect(error.reason == .redirected)
        #expect(told == location)
        #expect(!"\(error)".contains("secret"))
        #expect(server.requests > 0 && other.requests == 0)
    }

    @Test("opening a silent server ends when it is interrupted")
    func interruptedOpen() throws {
        let interrupt = Interrupt()
        // Past the connect, in the wait for an answer.
        let server = try FixedServer(answer: nil) { interrupt.cancel() }
        defer { server.stop() }
        let error = try #require(throws: LibavError.self) {
            try InputContext(url: "rtsp://127.0.0.1:\(server.port)/", protocols: .rtsp, interrupt: interrupt, timeout: .seconds(60))
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
