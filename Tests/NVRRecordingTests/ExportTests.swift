import Foundation
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import Testing

@Suite("Exports")
struct ExportTests {
    private static func at(_ seconds: Double) -> WallTime { wallZero.advanced(byMicroseconds: Int64(seconds * 1e6)) }
    private static func range(_ start: Double, _ end: Double) -> TimeRange { TimeRange(start: at(start), end: at(end)) }
    private static let person = ExportRequest.Person(id: ID(7), name: "ada", via: "jwt")

    private static func exports(_ rig: Rig, seed: UInt8 = 1) throws -> Exports {
        Exports(
            playback: rig.playback(), store: rig.store, key: try EvidenceKey(seed: [UInt8](repeating: seed, count: 32)), version: "1.2.3",
            clock: rig.clock)
    }

    private static func request(_ cameras: [Int64], _ range: TimeRange, isExact: Bool = false, isSigned: Bool = true) -> ExportRequest {
        ExportRequest(
            subjects: cameras.map { ExportRequest.Subject(camera: ID($0), name: "door", fileName: "door/1.mp4") }, range: range, isExact: isExact,
            isSigned: isSigned, person: person, fileName: "export.zip")
    }

    private static func all(_ archive: ExportArchive, piece: Int = 70_000) throws -> [UInt8] {
        var reader = archive.reader()
        var bytes: [UInt8] = []
        while true {
            let more = try reader.next(piece)
            guard !more.isEmpty else { break }
            bytes += more
        }
        #expect(Int64(bytes.count) == archive.length)
        return bytes
    }

    private static func check(_ bytes: [UInt8], key: EvidencePublicKey? = nil) throws -> EvidenceCheck.Report {
        try EvidenceCheck.check(length: Int64(bytes.count), key: key) { offset, count in
            guard offset >= 0, offset < bytes.count else { return [] }
            return Array(bytes[Int(offset)..<min(bytes.count, Int(offset) + count)])
        }
    }

    private static func saved(_ rig: Rig, _ bytes: [UInt8], _ name: String = "export.zip") throws -> String {
        let path = rig.folder.appendingPathComponent(name).path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test("a signed export is checked by itself, by its key, by unzip and by openssl, and tells what it is of")
    func signed() async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: aac)
        try await rig.record(&stream, frames: 450, seconds: 10)
        let exports = try Self.exports(rig)
        let archive = try await exports.archive(Self.request([1], Self.range(3.5, 17)))
        let bytes = try Self.all(archive)
        // Whatever pieces it is read in, it is the same.
        #expect(try Self.all(archive, piece: 977) == bytes)
        let report = try Self.check(bytes, key: exports.publicKey)
        #expect(try Self.check(bytes) == report)
        let file = try #require(report.files.first)
        #expect(report.files.count == 1 && file.name == "door_1.mp4" && file.camera == "door")
        // From the key frame before 3.5 to the end of the second that holds 17.
        #expect(file.start == Self.at(3).iso8601 && file.end == Self.at(17).iso8601)
        #expect(report.exportedBy == "ada" && report.version == "1.2.3" && report.exportedAt == WallTime(microseconds: rig.clock.wall()).iso8601)
        let path = try Self.saved(rig, bytes)
        let folder = rig.folder.appendingPathComponent("unpacked").path
        try run("unzip", ["-q", "-d", folder, path])
        #expect(try probedPackets(folder + "/door_1.mp4") == 14 * 15)
        try run(
            "openssl",
            [
                "pkeyutl", "-verify", "-pubin", "-inkey", folder + "/public-key.pem", "-rawin", "-in", folder + "/manifest.json",
                "-sigfile", folder + "/manifest.sig",
            ])
        let manifest = try JSONValue(parsing: [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/manifest.json"))))
        #expect(manifest["files"]?.array?.first?["segments"]?.array?.count == 2)
        #expect(manifest["exported_by"]?["username"] == "ada" && manifest["requested"]?["exact"] == false)
    }

    @Test("any changed byte is noticed, and so is another key")
    func changed() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        stream.frameBytes = 20
        try await rig.record(&stream, frames: 30, seconds: 10)
        let bytes = try Self.all(try await Self.exports(rig).archive(Self.request([1], Self.range(0, 2))))
        _ = try Self.check(bytes)
        for place in bytes.indices {
            var other = bytes
            other[place] ^= 1
            #expect(throws: (any Error).self, "byte \(place) of \(bytes.count)") { try Self.check(other) }
        }
        for count in stride(from: 0, to: bytes.count, by: 7) { #expect(throws: (any Error).self) { try Self.check(Array(bytes.prefix(count))) } }
        let stranger = try EvidenceKey(seed: [UInt8](repeating: 2, count: 32))
        #expect(throws: NVRError.self) { try Self.check(bytes, key: stranger.publicKey) }
        let again = try EvidencePublicKey(pem: stranger.publicKey.pem)
        #expect(again.fingerprint == stranger.publicKey.fingerprint)
        for text in ["", "-----BEGIN PUBLIC KEY-----", stranger.publicKey.pem.replacingOccurrences(of: "MC", with: "MD"), "x"] {
            #expect(throws: NVRError.self) { try EvidencePublicKey(pem: text) }
        }
    }

    @Test("several cameras are one archive; those without footage are named; without any there is none")
    func several() async throws {
        let rig = try Rig()
        var first = SyntheticStream()
        try await rig.record(&first, frames: 150, camera: 1, pattern: "a/%H-%M-%S")
        var second = SyntheticStream()
        try await rig.record(&second, frames: 150, camera: 2, pattern: "b/%H-%M-%S")
        let exports = try Self.exports(rig)
        let plain = try Self.all(try await exports.archive(Self.request([1, 2, 3], Self.range(0, 5), isSigned: false)))
        let folder = rig.folder.appendingPathComponent("unpacked").path
        try run("unzip", ["-q", "-d", folder, try Self.saved(rig, plain)])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["door_1 (camera 2).mp4", "door_1.mp4", "missing.txt"])
        #expect(try probedPackets(folder + "/door_1 (camera 2).mp4") == 75)
        #expect(throws: NVRError.self) { try Self.check(plain) }
        let signed = try Self.check(try Self.all(try await exports.archive(Self.request([1, 2, 3], Self.range(0, 5)))))
        #expect(signed.files.map(\.name) == ["door_1.mp4", "door_1 (camera 2).mp4"])
        let error = await #expect(throws: NVRError.self) { _ = try await exports.archive(Self.request([3, 4], Self.range(0, 5))) }
        #expect(error?.kind == .notFound)
    }

    @Test("events are taken away together: a file for each, and those without footage are named")
    func events() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 450, seconds: 10)
        var subjects: [ExportRequest.Subject] = []
        for (number, start) in [10.0, 20, 400].enumerated() {
            let event = try await rig.store.events.insert(
                Event(id: ID(0), cameraID: ID(1), medium: .video, kind: .motion, start: Self.at(start), end: Self.at(start + 1)))
            subjects.append(ExportRequest.Subject(camera: ID(1), name: "door", fileName: "motion.mp4", event: event))
            #expect(event.id.rawValue > Int64(number))
        }
        var request = Self.request([], Self.range(10, 401))
        request.subjects = subjects
        let exports = try Self.exports(rig)
        let report = try Self.check(try Self.all(try await exports.archive(request)))
        #expect(report.files.map(\.name) == ["motion.mp4", "motion (event \(subjects[1].event?.id.rawValue ?? 0)).mp4"])
        request.isSigned = false
        let folder = rig.folder.appendingPathComponent("unpacked").path
        try run("unzip", ["-q", "-d", folder, try Self.saved(rig, try Self.all(try await exports.archive(request)))])
        #expect(try String(contentsOfFile: folder + "/missing.txt", encoding: .utf8).contains("event \(subjects[2].event?.id.rawValue ?? 0)"))
        // With the seconds before and after that the camera shows.
        #expect(try probedPackets(folder + "/motion.mp4") >= 15 * 15)
    }

    @Test("footage that is cut off underneath ends the export with an error")
    func cutOff() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 300)
        let archive = try await Self.exports(rig).archive(Self.request([1], Self.range(0, 20)))
        for segment in try await rig.segments() { truncate(rig.absolute(segment.path), 2000) }
        #expect(throws: NVRError.self) { try Self.all(archive) }
    }

    @Test("gaps of half a day and more, and a change of parameters, are in one ordinary file")
    func gaps() async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: aac)
        try await rig.record(&stream, frames: 75)
        stream.newRun(after: 40 * 3600)
        stream.changeParameters()
        try await rig.record(&stream, frames: 75)
        let media = try await rig.playback().export(ID(1), Self.range(0, 47 * 3600), isExact: false, fileName: "x.mp4")
        let path = try Self.saved(rig, try media.read(offset: 0, count: Int(media.length)), "gap.mp4")
        #expect(try probedPackets(path) == 150)
        let times = try run("ffprobe", ["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=dts_time", "-of", "csv=p=0", path])
            .split(separator: "\n").compactMap { Double($0.filter { $0 != "," }) }
        let steps = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect(steps.filter { $0 > 1 }.count == 1 && abs((steps.max() ?? 0) - 12 * 3600) < 10, "\(steps.max() ?? 0)")
        #expect(media.excerpt?.range.start == Self.at(0))
        #expect((media.excerpt?.range.end ?? Self.at(0)) > Self.at(40 * 3600))
    }

    @Test("the hour that comes twice when clocks go back is exported as the two hours that it is")
    func clocksGoBack() async throws {
        // In UTC: what the clocks on the wall do changes nothing.
        let rig = try Rig()
        let change = WallTime(microseconds: 1_792_890_000_000_000)  // 2026-10-25 01:00 UTC: in Berlin it is 02:00 for the second time.
        var stream = SyntheticStream(origin: change.advanced(byMicroseconds: -5_000_000))
        try await rig.record(&stream, frames: 150, seconds: 3)
        let range = TimeRange(start: change.advanced(byMicroseconds: -4_000_000), end: change.advanced(byMicroseconds: 4_000_000))
        let media = try await rig.playback().export(ID(1), range, isExact: true, fileName: "x.mp4")
        #expect(media.excerpt?.range == range)
        let path = try Self.saved(rig, try media.read(offset: 0, count: Int(media.length)), "dst.mp4")
        let duration = try run("ffprobe", ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path])
        #expect(abs((Double(duration.filter { $0 != "\n" }) ?? 0) - 8) < 0.1, "\(duration)")
    }
}
