import NVRBase
import NVRModel
import NVROffsite
import NVRRecording
import Testing

@Suite("A bucket as a volume of footage", .serialized)
struct S3VolumeTests {
    /// A file that is made up while it is read.
    private struct MadeUp: FootageFile {
        var size: Int64
        /// Bytes that are really there.
        var there: Int64
        let path = "made up"

        func length() throws -> Int64 { size }
        func read(at offset: Int64, count: Int) throws -> [UInt8] { Rig.bytes(offset, Int(max(0, min(there, offset + Int64(count)) - offset))) }
    }

    @Test("Small and large files are stored, read in ranges wherever they begin and end, and deleted", arguments: [1, 5000, 7 << 20])
    func files(_ size: Int) async throws {
        let rig = try await Rig()
        let volume = try S3Volume(try await rig.makeProfile(), rig.environment)
        let thread = BlockingThread(name: "test")
        try await thread.run { try volume.store(MadeUp(size: Int64(size), there: Int64(size)), as: "1/2026-11-28/a b.mp4") }
        #expect(rig.bucket.objects["archive/1/2026-11-28/a%20b.mp4"]?.count == size)
        try await thread.run {
            let file = try volume.open("1/2026-11-28/a b.mp4")
            #expect(try file.length() == Int64(size))
            for (offset, count) in [(0, 1), (0, size), (size - 1, 10), (size, 1), (size / 2, 3), (1_048_570, 20), (100, 2_500_000)] {
                let expected = Rig.bytes(Int64(offset), max(0, min(size, offset + count) - offset))
                #expect(try file.read(at: Int64(offset), count: count) == expected)
            }
        }
        // What was read lately is not read again.
        let before = rig.bucket.requests.count
        try await thread.run { _ = try volume.open("1/2026-11-28/a b.mp4").read(at: 0, count: 1) }
        #expect(rig.bucket.requests.count == before + 1)
        try await thread.run {
            try volume.remove("1/2026-11-28/a b.mp4")
            #expect { try volume.open("1/2026-11-28/a b.mp4") } throws: { ($0 as? NVRError)?.kind == .notFound }
        }
        try await rig.bucket.stop()
    }

    @Test("A file that is shorter than it says is not stored, and leaves no parts behind")
    func short() async throws {
        let rig = try await Rig()
        let volume = try S3Volume(try await rig.makeProfile(), rig.environment)
        let thread = BlockingThread(name: "test")
        await #expect(throws: NVRError.self) { try await thread.run { try volume.store(MadeUp(size: 20 << 20, there: 9 << 20), as: "1/x.mp4") } }
        #expect(rig.bucket.objects.isEmpty)
        #expect(rig.bucket.requests.last?.hasPrefix("DELETE /bucket/archive/1/x.mp4?uploadId=") == true)
        try await rig.bucket.stop()
    }

    @Test("A bucket that does not answer makes footage unavailable, not missing")
    func away() async throws {
        let rig = try await Rig()
        let volume = try S3Volume(try await rig.makeProfile(), rig.environment)
        rig.bucket.fail(403, "AccessDenied")
        let thread = BlockingThread(name: "test")
        await #expect {
            try await thread.run { try volume.open("1/x.mp4") }
        } throws: {
            ($0 as? NVRError)?.kind == .unavailable
        }
        #expect(S3Volume.id(of: ID(3)) == VolumeID(rawValue: -3))
        try await rig.bucket.stop()
    }
}
