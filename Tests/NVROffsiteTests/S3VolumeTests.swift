import NVRBase
import NVRModel
import NVROffsite
import NVRRecording
import NVRStore
import Testing

@Suite("A bucket as a volume of footage", .serialized)
struct S3VolumeTests {
    /// Sends a file whole; gives the ranges that were sent.
    @discardableResult
    private static func store(_ size: Int64, as path: String, in volume: S3Volume, token: String? = nil, parts: Int = .max) async throws -> [Range<
        Int64
    >] {
        let upload = try await volume.upload(path, length: size, goingOnWith: token)
        var sent: [Range<Int64>] = []
        while let range = upload.next, sent.count < parts {
            try await upload.send(Rig.bytes(range.lowerBound, range.count))
            sent.append(range)
        }
        if upload.next == nil { try await upload.finish() }
        return sent
    }

    @Test("Small and large files are stored, read in ranges wherever they begin and end, and deleted", arguments: [1, 5000, 7 << 20])
    func files(_ size: Int) async throws {
        let rig = try await Rig()
        let volume = try S3Volume(try await rig.makeProfile(), rig.environment)
        let thread = BlockingThread(name: "test")
        try await Self.store(Int64(size), as: "1/2026-11-28/a b.mp4", in: volume)
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
        #expect(try await volume.size(of: "1/2026-11-28/a b.mp4") == Int64(size))
        #expect(try await volume.read("1/2026-11-28/a b.mp4", 0..<1) == Rig.bytes(0, 1))
        try await volume.remove(["1/2026-11-28/a b.mp4", "never.mp4"])
        #expect(try await volume.size(of: "1/2026-11-28/a b.mp4") == nil)
        await #expect {
            try await thread.run { try volume.open("1/2026-11-28/a b.mp4") }
        } throws: {
            ($0 as? NVRError)?.kind == .notFound
        }
        try await rig.bucket.stop()
    }

    @Test("An upload that broke off goes on with the parts that are missing, and one that nobody knows is given up")
    func resuming() async throws {
        let rig = try await Rig()
        let volume = try S3Volume(try await rig.makeProfile(), rig.environment)
        let size: Int64 = 20 << 20
        try await Self.store(size, as: "1/x.mp4", in: volume, parts: 2)
        #expect(rig.bucket.objects.isEmpty && rig.bucket.uploads == ["archive/1/x.mp4": "u1"])
        try await Self.store(size, as: "1/other.mp4", in: volume, parts: 1)
        #expect(try await volume.abandonUploads(but: [(path: "1/x.mp4", token: "u1")]) == 1)
        #expect(rig.bucket.uploads == ["archive/1/x.mp4": "u1"])
        let part = Int64(6 << 20)
        #expect(try await Self.store(size, as: "1/x.mp4", in: volume, token: "u1") == [2 * part..<3 * part, 3 * part..<size])
        #expect(rig.bucket.objects["archive/1/x.mp4"] == Rig.bytes(0, Int(size)) && rig.bucket.uploads.isEmpty)
        // What is over is as good as given up, and one that is gone begins anew.
        try await volume.abandon("1/x.mp4", token: "u1")
        #expect(try await Self.store(size, as: "1/y.mp4", in: volume, token: "u1").count == 4)
        try await rig.bucket.stop()
    }

    @Test("The marker tells whose bucket it is; an emptied, foreign or unreachable one is lost, and a failure is believed for a while")
    func marker() async throws {
        let rig = try await Rig()
        let profile = try await rig.makeProfile()
        func volume() async throws -> S3Volume { try S3Volume(try #require(try await rig.store.s3Profiles.get(profile.id)), rig.environment) }
        let fresh = try await volume()
        #expect(await !fresh.isRightOne() && fresh.loss == nil)
        try await fresh.mark()
        #expect(await fresh.isRightOne() && fresh.loss == nil)
        #expect(try await rig.store.s3Profiles.get(profile.id)?.markedAt != nil)
        let text = try #require(rig.bucket.objects["archive/.vibenvr-volume"].map { String(decoding: $0, as: UTF8.self) })
        #expect(VolumeMarker(text: text)?.volume == VolumeID(rawValue: -1))
        rig.bucket.set("archive/.vibenvr-volume", nil)
        let emptied = try await volume()
        #expect(await !emptied.isRightOne() && emptied.loss?.cause == .notMounted)
        await #expect(throws: NVRError.self) { try await emptied.mark() }
        rig.bucket.set("archive/.vibenvr-volume", Array("vibenvr-volume=1\ninstance=other\nprofile=-1\n".utf8))
        let foreign = try await volume()
        #expect(await !foreign.isRightOne() && foreign.loss?.cause == .wrongVolume)
        rig.bucket.set("archive/.vibenvr-volume", Array(text.utf8))
        // It failed a moment ago.
        #expect(await !foreign.isRightOne())
        rig.bucket.fail(403, "AccessDenied")
        let away = try await volume()
        #expect(await !away.isRightOne() && away.loss?.cause == .unreachable)
        rig.bucket.fail(404, "NoSuchBucket")
        let gone = try await volume()
        #expect(await !gone.isRightOne() && gone.loss?.cause == .notMounted)
        #expect(await !away.isRightOne())
        await #expect { try await gone.remove(["1/x.mp4"]) } throws: { ($0 as? NVRError)?.kind == .unavailable }
        rig.bucket.work()
        let back = try await volume()
        #expect(await back.isRightOne())
        try await rig.bucket.stop()
    }

    @Test("Files are listed page by page, without the marker and what is not of the archive; many are deleted at once, or one by one")
    func listing() async throws {
        let rig = try await Rig()
        let volume = try S3Volume(try await rig.makeProfile(), rig.environment)
        try await volume.mark()
        for number in 0..<5 { rig.bucket.set("archive/1/\(number).mp4", [UInt8](repeating: 1, count: number + 1)) }
        rig.bucket.set("1-Door/2026/x.mp4", [1])
        rig.bucket.set("archive/1/", [])
        var files: [String: Int64] = [:]
        var pages = 0
        var next: String?
        repeat {
            let page = try await volume.list(after: next)
            for (path, bytes) in page.files { files[path] = bytes }
            next = page.next
            pages += 1
        } while next != nil
        #expect(files == ["1/0.mp4": 1, "1/1.mp4": 2, "1/2.mp4": 3, "1/3.mp4": 4, "1/4.mp4": 5] && pages > 1)
        try await volume.remove(["1/0.mp4", "1/1.mp4", "1/none.mp4"])
        rig.bucket.withoutBatches()
        try await volume.remove(["1/2.mp4", "1/3.mp4"])
        #expect(rig.bucket.objects.keys.filter { $0.hasSuffix(".mp4") }.sorted() == ["1-Door/2026/x.mp4", "archive/1/4.mp4"])
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
