// What belongs here: real footage through sampler, detector and tracker, as a camera's analysis runs it.
import Foundation
import Logging
import NIOPosix
import NVRBase
import NVRCameras
import NVRDetection
import NVRMedia
import NVRModel
import RTSP
import Synchronization
import Testing

/// Footage of people on a campus, from Debian's opencv-doc.
private let walkers = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"

@Suite("Motion watch", .serialized)
struct MotionWatchTests {
    private struct FFmpegFailure: Error {}

    private final class Packets: PacketSink {
        let all = Mutex<[MediaPacket]>([])
        func begin(_ description: StreamDescription) {}
        func receive(_ packet: MediaPacket) { all.withLock { $0.append(packet) } }
        func interrupted() {}
    }

    /// Monotonic time that goes on with every look.
    private final class Clock: NVRClock {
        private let now = Atomic<Int64>(0)
        func monotonic() -> Int64 { now.add(50_000, ordering: .relaxed).newValue }
        func wall() -> Int64 { 1_700_000_000_000_000 + now.load(ordering: .relaxed) }
    }

    /// A still picture with sensor noise at 15 a second, coded as a camera codes its sub-stream; optionally somebody crosses it
    /// from second 30 to second 50.
    private static func scene(noise: Int, seconds: Int, crossing: Bool, rate: String, gop: Int) async throws -> (StreamDescription, [MediaPacket]) {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("watch-\(UUID().uuidString).mp4")
        defer { try? FileManager.default.removeItem(at: file) }  // A leftover in /tmp harms nobody.
        let still = "[0]select='eq(n,0)',loop=-1:1,setpts=N/15/TB,scale=640:360[s];"
        let person =
            "[1]select='eq(n,650)',crop=70:160:320:370,loop=-1:1,setpts=N/15/TB,scale=42:92[p];[s][p]overlay=x='if(between(t,30,50),(t-30)*34-42,-100)':y=200"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "ffmpeg", "-nostdin", "-v", "error", "-y", "-i", walkers, "-i", walkers, "-filter_complex",
            "\(still)\(crossing ? person : "[s]null"),noise=alls=\(noise):allf=t:all_seed=1,format=yuv420p", "-r", "15", "-t", "\(seconds)",
            "-c:v", "libx264", "-preset", "veryfast", "-g", "\(gop)", "-keyint_min", "\(gop)", "-sc_threshold", "0", "-bf", "0", "-b:v", rate,
            "-maxrate", rate, "-bufsize", rate, file.path,
        ]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw FFmpegFailure() }
        let hub = StreamHub(role: .sub)
        let packets = Packets()
        _ = hub.attach(packets, from: .next)
        let source = LibavSource(
            url: Secret("file:\(file.path)"), transport: .tcp, wantAudio: false, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            clock: Clock(), logger: Logger(label: "test"))
        await #expect(throws: SourceFailure.self) { try await source.run(into: hub) }
        return (try #require(hub.description), packets.all.withLock { $0 })
    }

    /// What the watch tells of packets that come at 15 a second, and what it decoded for it.
    private static func watched(_ description: StreamDescription, _ packets: [MediaPacket]) async throws -> (
        news: [MotionNews], effort: (decoded: Int, spared: Int), origin: WallTime
    ) {
        let thread = BlockingThread(name: "analysis", stackBytes: 1 << 20)
        defer { thread.stop() }
        let hub = StreamHub(role: .sub)
        hub.publish(description)
        let watch = MotionWatch(configuration: DetectorConfiguration(), hours: nil, hub: hub, thread: thread, logger: Logger(label: "test"))
        let origin = try #require(packets.first).wall
        for (index, packet) in packets.enumerated() {
            var timed = packet
            timed.arrival = Int64(index) * 66_667
            timed.wall = origin.advanced(byMicroseconds: Int64(index) * 66_667)
            hub.publish(timed)
            if index % 30 == 0 { try await thread.run {} }
        }
        let effort = try await thread.run { watch.effort }
        watch.end(on: thread)
        var news: [MotionNews] = []
        for await item in watch.news { news.append(item) }
        return (news, effort, origin)
    }

    @Test(
        "a person who crosses a noisy scene makes one event with true times, though many frames are never decoded",
        .enabled(if: FileManager.default.fileExists(atPath: walkers)), arguments: [(6, 15), (6, 30), (20, 30)])
    func crossing(noise: Int, gop: Int) async throws {
        let (description, packets) = try await Self.scene(noise: noise, seconds: 70, crossing: true, rate: "400k", gop: gop)
        let (news, effort, origin) = try await Self.watched(description, packets)
        var times: [Double] = []
        for item in news {
            switch item {
            case .began(let time), .ended(let time): times.append(Double(time.microseconds(since: origin)) / 1e6)
            case .best: break
            }
        }
        try #require(times.count == 2, "\(times)")
        #expect(abs(times[0] - 30.5) < 1 && abs(times[1] - 49.5) < 1, "\(times)")
        #expect(effort.decoded + effort.spared >= packets.count - 3)
        if noise == 6 { #expect(Double(effort.spared) > 0.18 * Double(packets.count), "\(effort)") }
    }

    @Test(
        "coded noise alone makes none", .enabled(if: FileManager.default.fileExists(atPath: walkers)),
        arguments: [(20, "150k", 15), (14, "300k", 30)])
    func noise(noise: Int, rate: String, gop: Int) async throws {
        let (description, packets) = try await Self.scene(noise: noise, seconds: 90, crossing: false, rate: rate, gop: gop)
        let (news, _, _) = try await Self.watched(description, packets)
        #expect(news.isEmpty)
    }
}
