// What belongs here: the log's lines, its files, and what must never be in them.
import Logging
import NVRBase
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Logs")
struct LogTests {
    private static func folder() -> String {
        var template = Array("/tmp/nvrlog-XXXXXX".utf8CString)
        return template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return "/tmp/nvrlog" }
            return String(cString: made)
        }
    }

    private static func names(_ folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            if name.hasPrefix("vibenvr") { names.append(name) }
        }
        return names.sorted()
    }

    @Test("A line has a time, a level, a source, the message and its values")
    func lines() {
        let line = LogLine.text(
            time: 1_795_000_000_012_000, level: .notice, source: "NVRMedia", message: "stream \"ended\"\nnow",
            metadata: [("camera", "1"), ("reason", "no video for 5 s"), ("odd key", ""), ("eq", "a=b")])
        #expect(
            line
                == #"time=2026-11-18T11:06:40.012Z level=notice source=NVRMedia msg="stream \"ended\"\nnow" camera=1 reason="no video for 5 s" odd_key="" eq="a=b""#
        )
        #expect(LogLine.level(of: line[...]) == .notice && LogLine.source(of: line[...]) == "NVRMedia")
        #expect(LogLine.level(of: "Fatal error: level=x") == nil && LogLine.source(of: "") == nil)
        let long = LogLine.text(time: 0, level: .error, source: "x", message: String(repeating: "é", count: 10_000), metadata: [])
        #expect(long.utf8.count <= LogLine.longest && !long.contains("\n"))
    }

    @Test(
        "Credentials are taken out, whatever they are written in",
        arguments: [
            ("open rtsp://admin:hunter2@10.0.0.9/a failed", "open rtsp://•••@10.0.0.9/a failed"),
            ("rtsp://u:p@ss@host/x and http://a:b@c/d", "rtsp://•••@host/x and http://•••@c/d"),
            ("http://10.0.0.9/cgi?user=a&password=hunter2&x=1", "http://10.0.0.9/cgi?user=a&password=•••&x=1"),
            (#"{"password": "hunter2", "a": 1}"#, #"{"password": "•••", "a": 1}"#), ("token=abc, next", "token=•••, next"),
            ("Authorization: Bearer abc.def", "Authorization: •••"), ("sent Bearer abcDEF123456", "sent Bearer •••"),
            ("X-API-Key: hunter2hunter2", "X-API-Key: •••"), ("a Basic challenge, basic authentication", "a Basic challenge, basic authentication"),
            (
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijk_-", "•••"
            ),
            (#"msg="say \"password\": \"hunter2\"" camera=1"#, #"msg="say \"password\": \"•••\"" camera=1"#),
            ("a plain text: nothing = secret in it", "a plain text: nothing = secret in it"), ("mail a@b.example", "mail a@b.example"),
            ("rtsp://10.0.0.9/a@b", "rtsp://•••@b"), ("smtp_password=hunter2", "smtp_password=•••"),
        ])
    func redaction(text: String, expected: String) {
        #expect(redactedText(text) == expected)
        #expect(redactedText(expected) == expected)
    }

    @Test("What a logger is given is redacted before it reaches the file")
    func handler() async throws {
        let folder = Self.folder()
        let file = LogFile()
        var logger = Logger(label: "test") { _ in LineLogHandler(file: file) }
        logger[metadataKey: "url"] = "rtsp://admin:hunter2@10.0.0.9/a"
        // Before the file is there, lines wait.
        logger.error("first", metadata: ["password": "hunter2", "secret": "\(Secret("hunter2"))"])
        try file.open(folder: folder)
        logger.error("second password=hunter2")
        logger.debug("not wanted")
        await file.close()
        logger.error("too late")
        let archive = LogArchive(folder: folder)
        let text = String(decoding: try archive.read(at: 0, count: 1 << 20), as: UTF8.self)
        #expect(!text.contains("hunter2") && text.contains("msg=\"first\"") && text.contains("msg=\"second password=•••\""))
        #expect(text.split(separator: "\n").count == 2 && text.contains("source=NVRBaseTests"))
        var status = stat()
        #expect(stat(folder + "/" + LogFile.name, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test("A full file is put aside, and only so many are kept")
    func rotation() async throws {
        let folder = Self.folder()
        let file = LogFile()
        file.setLimits(LogFile.Limits(bytes: 1000, backups: 3))
        try file.open(folder: folder)
        func write(_ range: Range<Int>) async {
            for number in range {
                file.write("line \(number) " + String(repeating: "x", count: 90))
                // The writer takes its time; the queue must not be what is tested here.
                if number % 500 == 0 { await Task.yield() }
            }
        }
        await write(0..<200)
        await file.close()
        #expect(Self.names(folder) == ["vibenvr.log", "vibenvr.log.1", "vibenvr.log.2", "vibenvr.log.3"])
        let archive = LogArchive(folder: folder)
        #expect(archive.length <= 4000 && archive.length > 2800)
        let all = try archive.tail(1000) { _ in true }
        let numbers = all.compactMap { Int($0.split(separator: " ")[1]) }
        #expect(numbers == Array((200 - numbers.count)..<200))
        // Fewer are wanted, and none.
        for backups in [1, 0] {
            let next = LogFile()
            next.setLimits(LogFile.Limits(bytes: 1000, backups: backups))
            try next.open(folder: folder)
            for number in 0..<30 { next.write("line \(number) " + String(repeating: "y", count: 90)) }
            await next.close()
            #expect(Self.names(folder) == (backups == 1 ? ["vibenvr.log", "vibenvr.log.1"] : ["vibenvr.log"]))
        }
    }

    @Test("A file that was taken away is made anew")
    func removed() async throws {
        let folder = Self.folder()
        let file = LogFile()
        try file.open(folder: folder)
        file.write("one")
        while LogArchive(folder: folder).length == 0 { await Task.yield() }
        unlink(folder + "/" + LogFile.name)
        file.write("two")
        await file.close()
        #expect(try LogArchive(folder: folder).tail(10) { _ in true } == ["two"])
    }

    @Test("The end of a large log is read without the rest of it")
    func tails() throws {
        let folder = Self.folder()
        let path = folder + "/" + LogFile.name
        for (name, lines) in [(path + ".2", 0..<3000), (path + ".1", 3000..<3001), (path, 3001..<9000)] {
            let text = lines.map { "line \($0) " + String(repeating: "z", count: $0 % 400) }.joined(separator: "\n") + "\n"
            let output = fopen(name, "w")
            fputs(text, output)
            fclose(output)
        }
        let archive = LogArchive(folder: folder)
        #expect(try archive.tail(2) { _ in true }.map { $0.prefix(9) } == ["line 8998", "line 8999"])
        #expect(try archive.tail(10_000) { _ in true }.count == 9000)
        #expect(
            try archive.tail(3) { $0.contains("line 30") && $0.hasPrefix("line 30") }.map { $0.prefix(9) } == ["line 3097", "line 3098", "line 3099"])
        #expect(try archive.tail(5) { $0.hasPrefix("line 0 ") }.count == 1)
        #expect(try archive.tail(5) { $0.hasPrefix("nothing") }.isEmpty)
        // A rotation meanwhile takes nothing from what is open.
        unlink(path)
        #expect(try archive.tail(1) { _ in true }.first?.hasPrefix("line 8999") == true)
        #expect(LogArchive(folder: folder + "/none").length == 0)
        // Farther back than the limit nothing is looked for.
        let output = fopen(path, "w")
        fputs("needle\n", output)
        let block = String(repeating: String(repeating: "h", count: 1023) + "\n", count: 1024)
        for _ in 0..<33 { fputs(block, output) }
        fclose(output)
        let large = LogArchive(folder: folder)
        #expect(large.length > LogArchive.farthest)
        #expect(try large.tail(1) { $0 == "needle" }.isEmpty)
    }
}
