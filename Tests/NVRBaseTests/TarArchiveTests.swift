import NVRBase
import Testing

@Suite struct TarArchiveTests {
    private typealias Entry = TarArchive.Entry

    /// One entry with every field free to be wrong.
    private func entry(
        _ name: String = "a.json", kind: Character = "0", size: String? = nil, content: [UInt8] = Array("{}".utf8), magic: String = "ustar\u{0}00",
        prefix: String = ""
    ) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ place: Int) { for (offset, byte) in text.utf8.enumerated() { header[place + offset] = byte } }
        put(name, 0)
        let octal = String(content.count, radix: 8)
        put(size ?? String(repeating: "0", count: 11 - octal.count) + octal, 124)
        put("        ", 148)
        put(String(kind), 156)
        put(magic, 257)
        put(prefix, 345)
        put(String(header.reduce(0) { $0 + Int($1) }, radix: 8) + "\u{0}", 148)
        return header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    private let end = [UInt8](repeating: 0, count: 1024)

    private func refusal(_ bytes: [UInt8], _ limits: TarArchive.Limits = .init()) -> String? {
        do {
            _ = try TarArchive.read(bytes, limits: limits)
            return nil
        } catch {
            #expect(error.kind == .invalid)
            return error.message
        }
    }

    @Test("What is written is read again, byte for byte")
    func roundTrip() throws {
        let entries = [
            Entry(name: "one.json", bytes: Array("{}".utf8)), Entry(name: "folder/two.json", bytes: Array(repeating: 7, count: 512)),
            Entry(name: "empty", bytes: []), Entry(name: "ü.json", bytes: Array(repeating: 0, count: 1000)),
        ]
        let archive = TarArchive.write(entries, modified: 1_700_000_000)
        #expect(archive.count % 512 == 0 && TarArchive.isArchive(archive))
        #expect(try TarArchive.read(archive) == entries)
        #expect(!TarArchive.isArchive(Array(#"{"cameras": []}"#.utf8)) && !TarArchive.isArchive([]))
    }

    @Test("Folders, GNU's long names, pax paths and prefixes are understood")
    func dialects() throws {
        let long = String(repeating: "n", count: 120) + ".json"
        let record = "path=\(long)\n"
        let pax = "\(record.utf8.count + 4) " + record
        let archive =
            entry("./", kind: "5", content: []) + entry("folder/", kind: "5", content: []) + entry("./a.json")
            + entry("b.json", magic: "ustar  \u{0}", prefix: "ignored by GNU") + entry("c.json", prefix: "deep")
            + entry("././@LongLink", kind: "L", content: Array(long.utf8) + [0]) + entry("short") + entry("pax", kind: "x", content: Array(pax.utf8))
            + entry("short") + entry("g", kind: "g", content: Array("20 comment=harmless\n".utf8)) + entry("old", kind: "\u{0}")
        #expect(try TarArchive.read(archive + end).map(\.name) == ["a.json", "b.json", "deep/c.json", long, long, "old"])
        #expect(try TarArchive.read(archive).count == 6)
    }

    @Test(
        "Names that lead anywhere else are refused",
        arguments: ["../a", "a/../b", "a/..", "/etc/passwd", "a//b", "a/./b", "..", ".", "a\\b", "a\nb", ""])
    func names(name: String) {
        #expect(refusal(entry(name) + end) != nil)
        let record = "path=\(name)\n"
        let pax = "\(record.utf8.count + 3) " + record
        #expect(refusal(entry("x", kind: "x", content: Array(pax.utf8)) + entry("a") + end) != nil)
    }

    @Test("Links, devices, pipes, sparse files and their headers are refused", arguments: Array("12346SKVDMA7"))
    func kinds(kind: Character) {
        #expect(refusal(entry(kind: kind, content: []) + end) != nil)
    }

    @Test(
        "Extended headers that change what is in a file are refused, and so are broken ones",
        arguments: [
            "22 GNU.sparse.major=1\n", "13 size=9999\n", "15 linkpath=/x\n", "path=a\n", "9999 path=a\n", "3 a", "11 path=abc", "0 =\n", "-5 a=b\n",
        ])
    func extensions(text: String) {
        #expect(refusal(entry("x", kind: "x", content: Array(text.utf8)) + entry() + end) != nil)
    }

    @Test("Sizes that lie, that are too large, or that cannot be read are refused without being believed")
    func sizes() {
        for size in ["77777777777", "00000010001", "zzz", "-1", "", "\u{0}"] { #expect(refusal(entry(size: size) + end) != nil, "\(size)") }
        var binary = entry()
        binary[124] = 0x80
        #expect(refusal(binary + end) != nil)
        #expect(refusal(entry(content: [UInt8](repeating: 1, count: 600)) + end, .init(entryBytes: 599)) != nil)
        #expect(refusal(entry() + entry() + entry() + end, .init(headers: 2)) != nil)
        #expect(refusal(entry("x", kind: "x", content: [UInt8](repeating: 0, count: 17 << 10)) + end) != nil)
        #expect(refusal([]) != nil)
    }

    @Test("An archive that is cut or damaged anywhere is refused, and never ends the program")
    func damage() {
        let archive = entry("first.json") + entry("second.json")
        for count in stride(from: 1, to: archive.count, by: 7) where count % 1024 != 0 { #expect(refusal(Array(archive[..<count])) != nil) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var bytes = archive + end
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = refusal(bytes)
        }
        var damaged = archive
        damaged[3] ^= 1
        #expect(refusal(damaged)?.contains("damaged") == true)
    }
}
