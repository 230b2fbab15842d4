import Testing
import Zlib

@Suite struct GzipTests {
    /// `printf hello | gzip -n`, made by GNU gzip.
    private let hello: [UInt8] = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x86, 0xA6, 0x10, 0x36, 0x05,
        0x00, 0x00, 0x00,
    ]

    @Test("What was compressed comes out, with zeros behind it or not")
    func plain() throws {
        #expect(Gzip.isCompressed(hello) && !Gzip.isCompressed([]) && !Gzip.isCompressed(Array("hello".utf8)))
        #expect(try Gzip.decompress(hello, atMost: 5) == Array("hello".utf8))
        #expect(try Gzip.decompress(hello + [0, 0, 0], atMost: 100) == Array("hello".utf8))
    }

    @Test("More than is allowed is refused")
    func bound() {
        #expect(throws: Gzip.Failure.tooLarge) { try Gzip.decompress(hello, atMost: 4) }
    }

    @Test("Damaged files are refused: cut, changed, or with something behind them")
    func damaged() {
        for count in 0..<hello.count { #expect(throws: Gzip.Failure.damaged) { try Gzip.decompress(Array(hello[..<count]), atMost: 100) } }
        for place in 10..<hello.count {
            var bytes = hello
            bytes[place] ^= 0xFF
            #expect(throws: Gzip.Failure.self) { try Gzip.decompress(bytes, atMost: 100) }
        }
        #expect(throws: Gzip.Failure.damaged) { try Gzip.decompress(hello + [1], atMost: 100) }
    }
}

@Suite("CRC-32")
struct CRC32Tests {
    @Test("the check value of the algorithm, in one piece and in several, and nothing at all")
    func check() {
        #expect(CRC32.of(Array("123456789".utf8)) == 0xCBF4_3926)
        var sum = CRC32()
        for part in ["12", "", "345678", "9"] { sum.update(Array(part.utf8)) }
        #expect(sum.value == 0xCBF4_3926)
        #expect(CRC32.of([]) == 0)
    }
}
