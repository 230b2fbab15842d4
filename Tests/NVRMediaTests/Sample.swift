// What belongs here: what the tests of this target share: seeded numbers, clocks, sinks, files made with the ffmpeg program.
import Foundation
import ISOBMFF
import NVRBase
import NVRMedia
import NVRModel
import RTSP
import Synchronization
import Testing

/// A fixed sequence of numbers: failures can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
}

/// Monotonic time that goes on by a fixed step with every look, so that waiting for it never takes long.
final class SteppingClock: NVRClock {
    private let now = Mutex<Int64>(5_000_000)
    private let step: Int64

    init(step: Int64 = 50_000) { self.step = step }

    func monotonic() -> Int64 {
        now.withLock {
            $0 += step; return $0
        }
    }
    func wall() -> Int64 { 1_700_000_000_000_000 + now.withLock { $0 } }
}

/// A sink that keeps what it hears.
final class Collector: PacketSink {
    enum Item: Equatable {
        case begin(Int64)
        case packet(UInt64)
        case interrupted
    }

    let items = Mutex<[Item]>([])
    let packets = Mutex<[MediaPacket]>([])
    let descriptions = Mutex<[StreamDescription]>([])

    func begin(_ description: StreamDescription) {
        items.withLock { $0.append(.begin(description.run)) }
        descriptions.withLock { $0.append(description) }
    }

    func receive(_ packet: MediaPacket) {
        items.withLock { $0.append(.packet(packet.sequence)) }
        packets.withLock { $0.append(packet) }
    }

    func interrupted() { items.withLock { $0.append(.interrupted) } }

    var heard: [Item] { items.withLock { $0 } }
    var sequences: [UInt64] { packets.withLock { $0.map(\.sequence) } }
}

let wallZero = WallTime(microseconds: 1_700_000_000_000_000)

func description(run: Int64 = 1, sps: UInt8 = 1, audio: StreamDescription.AudioTrack? = nil) -> StreamDescription {
    StreamDescription(run: run, origin: wallZero, video: .avc(sps: [[0x67, sps, 0, 30]], pps: [[0x68, 1]]), audio: audio)
}

/// A packet `seconds` after the origin.
func packet(_ seconds: Double, key: Bool = false, kind: MediaPacket.Kind = .video, bytes: Int = 100) -> MediaPacket {
    let ticks = Int64(seconds * 90_000)
    return MediaPacket(
        kind: kind, bytes: MediaBytes([UInt8](repeating: 7, count: bytes)), dts: ticks, pts: ticks, isKeyframe: key || kind == .audio,
        isDamaged: false, wall: wallZero.advanced(byMicroseconds: Int64(seconds * 1e6)), arrival: Int64(seconds * 1e6))
}

/// A folder that goes away with the object.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("nvrmedia-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }  // A leftover in /tmp harms nobody.

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
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

/// Two seconds of a moving test picture, 320×240 at 25 frames a second.
func makeClip(_ folder: TemporaryFolder, _ name: String, _ codec: [String], frames: Int = 50, audio: [String]? = nil) throws -> String {
    let path = folder.path(name)
    var arguments = ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=s=320x240:r=25"]
    if audio != nil { arguments += ["-f", "lavfi", "-i", "sine=r=16000"] }
    arguments += ["-frames:v", "\(frames)", "-t", "\(Double(frames) / 25)"] + codec + (audio ?? []) + [path]
    try run("ffmpeg", arguments)
    return path
}

let h264 = ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "0", "-threads", "1"]

/// Packets of the stream as ffprobe counts them.
func probedPackets(_ path: String, _ stream: String) throws -> Int {
    let text = try run(
        "ffprobe", ["-v", "error", "-select_streams", stream, "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", path])
    return try #require(Int(text.split(whereSeparator: { $0 == "\n" || $0 == "," }).first ?? ""))
}
