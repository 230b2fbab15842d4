// What belongs here: media files made with the ffmpeg program when a test runs, and the folders they live in.
import Foundation
import Libav
import Testing

/// A folder that goes away with the object.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("libav-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }  // A leftover in /tmp harms nobody.

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}

struct FFmpegFailure: Error { let arguments: [String] }

func ffmpeg(_ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["ffmpeg", "-nostdin", "-v", "error", "-y"] + arguments
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw FFmpegFailure(arguments: arguments) }
}

/// All packets of one stream of a file, and the stream.
func demux(_ path: String, _ kind: StreamDescription.Kind = .video) throws -> (stream: StreamDescription, packets: [Packet]) {
    let input = try InputContext(url: path, protocols: .file, interrupt: Interrupt())
    let stream = try #require(input.streams.first { $0.kind == kind })
    var packets: [Packet] = []
    while let packet = try input.readPacket() {
        if packet.streamIndex == stream.index { packets.append(packet) }
    }
    return (stream, packets)
}

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
}
