import Foundation
import NVRModel
import NVRRecording
import NVRStore
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Whether files of tests lie where space is reserved: ext4 with more than a GB free.
private let reserves: Bool = {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("reserves-\(UUID().uuidString)").path
    defer { unlink(path) }
    guard let file = try? POSIXFile.create(path) else { return false }
    file.reserve(for: 1, counting: SpaceAhead())
    return file.reservedEnd > 0
}()

@Suite("Space ahead of files", .enabled(if: reserves))
struct SpaceAheadTests {
    private static let step: Int64 = 8 << 20

    private static func facts(_ path: String) -> (length: Int64, blocks: Int64) {
        var status = stat()
        return lstat(path, &status) == 0 ? (Int64(status.st_size), Int64(status.st_blocks) * 512) : (-1, -1)
    }

    @Test("a file that is written has blocks behind its end, which are counted as they are filled and given back at its end")
    func oneFile() throws {
        let rig = try Rig()
        let path = rig.folder.appendingPathComponent("file").path
        let ahead = SpaceAhead()
        let piece = [UInt8](repeating: 7, count: 300_000)
        do {
            let file = try POSIXFile.create(path)
            for number in 0..<40 {
                let length = Int64(piece.count) * Int64(number + 1)
                file.reserve(for: length, counting: ahead)
                try piece.withUnsafeBytes { try file.write([$0], at: length - Int64(piece.count)) }
                #expect(ahead.bytes == file.reservedEnd - length && ahead.bytes >= 0 && ahead.bytes <= Self.step)
            }
            try file.sync()
            // 12 MB are written, and the second piece of space ends at 16 MB or more.
            #expect(Self.facts(path).length == 12_000_000 && Self.facts(path).blocks >= file.reservedEnd)
            #expect(POSIXFile.hasSpaceBehind(path))
            try file.finish()
            #expect(Self.facts(path).length == 12_000_000 && Self.facts(path).blocks < 12_100_000)
            #expect(ahead.bytes == 0 && !POSIXFile.hasSpaceBehind(path) && file.reservedEnd == 0)
            // It has ended.
            file.reserve(for: 20_000_000, counting: ahead)
            #expect(file.reservedEnd == 0)
        }
        let file = try POSIXFile.openExisting(path, writing: true)
        file.reserve(for: 12_000_000, counting: ahead)
        #expect(ahead.bytes == Self.step)
        // Cutting gives back as well, and what is reserved afterwards counts anew.
        try file.truncate(to: 5_000_000)
        #expect(ahead.bytes == 0 && Self.facts(path).blocks < 5_100_000)
        file.reserve(for: 5_000_000, counting: ahead)
        #expect(ahead.bytes == Self.step)
    }

    @Test("what a file had reserved is not counted any more when nobody holds it")
    func lettingGo() throws {
        let rig = try Rig()
        let ahead = SpaceAhead()
        do {
            let file = try POSIXFile.create(rig.folder.appendingPathComponent("file").path)
            file.reserve(for: 1000, counting: ahead)
            #expect(ahead.bytes == Self.step)
        }
        #expect(ahead.bytes == 0)
    }

    @Test("a recording reserves while it runs, and its finished files have no block too many")
    func recording() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 3)
        recorder.begin(stream.description)
        for packet in stream.packets(150) { recorder.receive(packet) }
        try await rig.disk.run {}
        #expect(rig.disk.ahead.bytes > 0 && rig.disk.ahead.bytes <= Self.step)
        await recorder.finish()
        #expect(rig.disk.ahead.bytes == 0)
        #expect(rig.files().count > 1)
        for name in rig.files() { #expect(Self.facts(rig.absolute(name)).blocks < Self.facts(rig.absolute(name)).length + 100_000) }
    }

    @Test("what a crash left reserved is given back by the next start, also of a file that is whole")
    func crash() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(60) { recorder.receive(packet) }
        try await rig.disk.run {}
        let after = try rig.crashed()
        let name = try #require(after.files().first)
        let length = Self.facts(after.absolute(name)).length
        // A copy has no such blocks: they are taken again.
        try POSIXFile.openExisting(after.absolute(name), writing: true).reserve(for: length, counting: SpaceAhead())
        #expect(POSIXFile.hasSpaceBehind(after.absolute(name)))
        let report = try await after.recover()
        #expect(report.finished == 1 && report.truncatedBytes == 0)
        #expect(!POSIXFile.hasSpaceBehind(after.absolute(name)) && Self.facts(after.absolute(name)).length == length)
        await recorder.finish()
    }
}
