import NVRBase
import Testing

@Suite("ZIP archives")
struct ZipArchiveTests {
    private static let moment = ZipArchive.Moment(year: 2026, month: 11, day: 28, hour: 13, minute: 5, second: 30)

    /// An archive with contents; the checksums are numbers of the test.
    private static func written(_ entries: [(String, [UInt8], Bool)]) throws -> (bytes: [UInt8], archive: ZipArchive, sums: [UInt32]) {
        let archive = try ZipArchive(
            entries.map { ZipArchive.Entry(name: $0.0, size: Int64($0.1.count), isStreamed: $0.2) }, modified: moment)
        let sums = entries.indices.map { UInt32(0xABCD_0000 + $0) }
        var bytes: [UInt8] = []
        for index in entries.indices {
            #expect(archive.offsets[index] == Int64(bytes.count))
            bytes += archive.header(of: index, checksum: sums[index])
            #expect(archive.contentOffset(of: index) == Int64(bytes.count))
            bytes += entries[index].1 + archive.descriptor(of: index, checksum: sums[index])
        }
        #expect(archive.directoryOffset == Int64(bytes.count))
        bytes += archive.directory(checksums: sums)
        #expect(archive.totalLength == Int64(bytes.count))
        return (bytes, archive, sums)
    }

    private static func read(_ bytes: [UInt8]) throws -> (archive: ZipArchive, checksums: [UInt32]) {
        try ZipArchive.read(length: Int64(bytes.count)) { offset, count in
            guard offset >= 0, offset < bytes.count else { return [] }
            return Array(bytes[Int(offset)..<min(bytes.count, Int(offset) + count)])
        }
    }

    private static let sample: [(String, [UInt8], Bool)] = [
        ("Tür 2026.mp4", Array(repeating: 7, count: 300), true), ("manifest.json", Array("{}".utf8), false), ("empty", [], false),
    ]

    @Test("lengths and places are known before anything is written, and what was written is read back")
    func roundTrip() throws {
        let (bytes, archive, sums) = try Self.written(Self.sample)
        let read = try Self.read(bytes)
        #expect(read.archive == archive && read.checksums == sums)
    }

    @Test("every changed byte outside of the contents, a missing and an added one are noticed")
    func changes() throws {
        let (bytes, archive, _) = try Self.written(Self.sample)
        let contents = archive.entries.indices.map {
            Int(archive.contentOffset(of: $0))..<Int(archive.contentOffset(of: $0) + archive.entries[$0].size)
        }
        for place in bytes.indices where !contents.contains(where: { $0.contains(place) }) {
            var changed = bytes
            changed[place] ^= 0x20
            #expect(throws: (any Error).self, "byte \(place)") { try Self.read(changed) }
        }
        for count in 0..<bytes.count { #expect(throws: NVRError.self) { try Self.read(Array(bytes.prefix(count))) } }
        #expect(throws: NVRError.self) { try Self.read([0] + bytes) }
        #expect(throws: NVRError.self) { try Self.read(bytes + [0]) }
    }

    @Test("files beyond 4 GB, and what lies behind them, are written in the large form")
    func large() throws {
        let large = Int64(UInt32.max) + 5
        let archive = try ZipArchive(
            [
                .init(name: "a", size: large, isStreamed: true), .init(name: "b", size: 3, isStreamed: true),
                .init(name: "c", size: 4, isStreamed: false),
            ], modified: Self.moment)
        // A place in the archive and what lies there; everything else is contents.
        var parts: [(Int64, [UInt8])] = []
        for index in 0..<3 {
            parts.append((archive.offsets[index], archive.header(of: index, checksum: 9)))
            parts.append((archive.contentOffset(of: index) + archive.entries[index].size, archive.descriptor(of: index, checksum: 9)))
        }
        parts.append((archive.directoryOffset, archive.directory(checksums: [9, 9, 9])))
        #expect(parts[6].0 + Int64(parts[6].1.count) == archive.totalLength)
        #expect(parts[0].1.count == 30 + 1 + 20 && parts[1].1.count == 24 && parts[3].1.count == 16)
        let read = try ZipArchive.read(length: archive.totalLength) { offset, count in
            (0..<Int64(count)).map { step in
                let place = offset + step
                let part = parts.first { $0.0 <= place && place < $0.0 + Int64($0.1.count) }
                return part.map { $0.1[Int(place - $0.0)] } ?? 0
            }
        }
        #expect(read.archive == archive)
    }

    @Test("bytes of anybody are refused without harm")
    func hostile() throws {
        let (bytes, _, _) = try Self.written(Self.sample)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var changed = bytes
            // The end and the directory are where sizes and places are.
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                changed[changed.count - Int.random(in: 1...150, using: &generator)] = [0, 0xFF, 0x7F, 0x80].randomElement() ?? 0
            }
            if changed == bytes { continue }
            #expect(throws: (any Error).self) { try Self.read(changed) }
        }
        #expect(throws: NVRError.self) { try Self.read([]) }
        #expect(throws: NVRError.self) { try Self.read([UInt8](repeating: 0xFF, count: 98)) }
        #expect(throws: NVRError.self) {
            _ = try ZipArchive([.init(name: "a", size: 1, isStreamed: false), .init(name: "a", size: 1, isStreamed: false)], modified: Self.moment)
        }
    }
}
