// What belongs here: a recording root with its database in a temporary folder, and how to read back what was stored.
import Foundation
import ISOBMFF
import Logging
import NVRBase
import NVRMedia
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

/// Time that stands still until it is moved. `onLook` is called by whoever looks at the monotonic time, on that thread.
final class TestClock: NVRClock {
    private struct State {
        var now: Int64 = 1_000_000
        var onLook: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    func monotonic() -> Int64 {
        let (now, look) = state.withLock { ($0.now, $0.onLook) }
        look?()
        return now
    }

    func wall() -> Int64 { wallZero.microseconds + state.withLock { $0.now } }
    func advance(_ seconds: Double) { state.withLock { $0.now += Int64(seconds * 1e6) } }
    func setLook(_ look: (@Sendable () -> Void)?) { state.withLock { $0.onLook = look } }
}

/// Counts what is logged, by level.
final class LogCounter: Sendable {
    let lines = Mutex<[(level: Logger.Level, text: String)]>([])

    private func count(_ level: Logger.Level) -> Int { lines.withLock { $0.filter { $0.level == level }.count } }
    var errors: Int { count(.error) }
    var warnings: Int { count(.warning) }

    var logger: Logger { Logger(label: "test") { _ in CountingHandler(counter: self) } }
}

struct CountingHandler: LogHandler {
    let counter: LogCounter
    var logLevel = Logger.Level.trace
    var metadata = Logger.Metadata()
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        counter.lines.withLock { $0.append((event.level, "\(event.message) \(event.metadata ?? [:])")) }
    }
}

/// A server's recording side: folder, database, writing thread.
final class Rig {
    let folder: URL
    let store: Store
    let clock = TestClock()
    let log = LogCounter()
    let disk: DiskWriter

    /// `root`: the recording root below the folder; it is not made here. `ledger`: what takes the rows, the store itself as a rule.
    init(
        root: String = "footage", folder: URL? = nil, keys: FootageKeys = .none, ledger: (SegmentStore) -> any SegmentLedger = { $0 }
    ) throws {
        let folder = folder ?? FileManager.default.temporaryDirectory.appendingPathComponent("nvrrecording-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.folder = folder
        store = try Store.open(at: folder.appendingPathComponent("nvr.db").path)
        disk = DiskWriter(
            layout: RecordingLayout(root: folder.appendingPathComponent(root).path, cipher: FootageCipher(keys: keys)),
            ledger: ledger(store.segments), clock: clock, logger: log.logger)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }  // A leftover in /tmp harms nobody.

    var layout: RecordingLayout { disk.layout }

    func playback() -> Playback { Playback(layout: layout, store: store, growing: disk.growing, clock: clock, logger: log.logger) }

    func writer(camera: Int64 = 1, pattern: String = "%Y-%m-%d/%H-%M-%S", listsSegments: Bool = true) -> SegmentWriter {
        SegmentWriter(
            configuration: .init(cameraID: ID(camera), role: .main, fileName: pattern, listsSegments: listsSegments), disk: disk, logger: log.logger)
    }

    func recorder(_ writer: SegmentWriter, seconds: Int = 10, audio: Bool = true) -> Recorder {
        Recorder(writer: writer, segmentSeconds: seconds, recordsAudio: audio)
    }

    /// Records packets of one run to their end.
    @discardableResult
    func record(_ stream: inout SyntheticStream, frames: Int, camera: Int64 = 1, seconds: Int = 10, pattern: String = "%Y-%m-%d/%H-%M-%S")
        async throws -> SegmentWriter
    {
        let writer = writer(camera: camera, pattern: pattern)
        let recorder = recorder(writer, seconds: seconds)
        recorder.begin(stream.description)
        for packet in stream.packets(frames) { recorder.receive(packet) }
        await recorder.finish()
        return writer
    }

    /// All listed segments in order of time.
    func segments() async throws -> [Segment] {
        var segments: [Segment] = []
        for entry in try await store.segments.entries(after: nil) where entry.state == .finished || entry.state == .growing {
            if let segment = try await store.segments.get(entry.id) { segments.append(segment) }
        }
        return segments.sorted { $0.start < $1.start }
    }

    func absolute(_ path: String) -> String { layout.absolute(path) }

    /// Files below the recording root.
    func files() -> [String] {
        let names = FileManager.default.enumerator(atPath: layout.root)?.compactMap { $0 as? String } ?? []
        return names.filter { name in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: absolute(name), isDirectory: &isFolder) && !isFolder.boolValue
        }.sorted()
    }

    func recover() async throws -> StartupRecovery.Report {
        try await StartupRecovery(layout: layout, store: store, logger: log.logger).run(now: WallTime(microseconds: clock.wall()))
    }

    /// What a power cut would leave: another rig on a copy of everything as it is now.
    func crashed(keys: FootageKeys = .none) throws -> Rig {
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent("nvrrecording-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: folder, to: copy)
        // SQLite makes it anew.
        try? FileManager.default.removeItem(at: copy.appendingPathComponent("nvr.db-shm"))
        return try Rig(folder: copy, keys: keys)
    }
}

/// A frame as it lies in a file.
struct StoredFrame: Equatable {
    var number: UInt64
    var dts: Int64
    var isKeyframe: Bool
    var isVideo: Bool
}

/// Every frame of a segment file, by its own boxes; the file must be whole.
func storedFrames(_ path: String) throws -> (file: FragmentedFile, frames: [StoredFrame]) {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let read: FragmentedFile.Read = { offset, count in
        guard offset < bytes.count else { return [] }
        return Array(bytes[Int(offset)..<min(bytes.count, Int(offset) + count)])
    }
    let file = try FragmentedFile(length: Int64(bytes.count), read: read)
    #expect(file.ending == .whole && file.completeLength == Int64(bytes.count), "\(path)")
    var frames: [StoredFrame] = []
    for entry in file.index.entries {
        for sample in try SampleLocation.samples(of: entry, defaults: file.defaults, read: read) {
            let payload = Array(bytes[Int(sample.offset)..<Int(sample.offset) + sample.size])
            let isVideo = sample.trackID == file.indexedTrack?.id
            frames.append(
                StoredFrame(
                    number: payload.count >= 16 ? SyntheticStream.number(in: payload) : 0, dts: sample.decodeTime, isKeyframe: sample.isKeyframe,
                    isVideo: isVideo))
        }
    }
    return (file, frames)
}

struct ProgramFailure: Error { let arguments: [String] }

@discardableResult
func run(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw ProgramFailure(arguments: [program] + arguments) }
    return String(decoding: bytes, as: UTF8.self)
}

/// Packets of a stream of a file as ffprobe counts them; 0 when there is no such stream.
func probedPackets(_ path: String, _ stream: String = "v:0") throws -> Int {
    let text = try run(
        "ffprobe", ["-v", "quiet", "-select_streams", stream, "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", path])
    return text.split(whereSeparator: { $0 == "\n" || $0 == "," }).first.flatMap { Int($0) } ?? 0
}
