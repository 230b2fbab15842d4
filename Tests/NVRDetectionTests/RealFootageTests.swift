import Foundation
import NVRDetection
import Testing

/// Footage of people on a campus, from Debian's opencv-doc.
private let walkers = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"

@Suite struct RealFootageTests {
    private struct FFmpegFailure: Error {}

    /// What ffmpeg decodes of its arguments, as five analysis pictures a second.
    private func pictures(_ arguments: [String], filter: String = "") throws -> [LumaPicture] {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("detection-\(UUID().uuidString).raw")
        defer { try? FileManager.default.removeItem(at: file) }  // A leftover in /tmp harms nobody.
        try ffmpeg(arguments + ["-vf", filter + "fps=5,scale=320:180:flags=area,format=gray", "-f", "rawvideo", file.path])
        let bytes = try Data(contentsOf: file)
        return (0..<(bytes.count / LumaPicture.count)).map { index in
            var picture = LumaPicture()
            picture.withMutableSamples { bytes.copyBytes(to: $0, from: (index * LumaPicture.count)..<((index + 1) * LumaPicture.count)) }
            return picture
        }
    }

    private func ffmpeg(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ffmpeg", "-nostdin", "-v", "error", "-y"] + arguments
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw FFmpegFailure() }
    }

    private func watched(_ pictures: [LumaPicture]) -> (watch: Watch, events: [EventTransition]) {
        var watch = Watch()
        var tracker = EventTracker(DetectorConfiguration())
        var events: [EventTransition] = []
        for picture in pictures {
            let time = watch.time
            events += tracker.track(watch.see(picture), at: time).filter { if case .update = $0 { false } else { true } }
        }
        return (watch, events)
    }

    @Test("people who walk about are seen in nearly every picture", .enabled(if: FileManager.default.fileExists(atPath: walkers)))
    func people() throws {
        let (watch, events) = watched(try pictures(["-i", walkers]))
        let learnt = watch.readings.dropFirst(16)
        #expect(Double(learnt.count { $0.isMotion }) > 0.95 * Double(learnt.count))
        #expect(!watch.readings.contains { $0.isGlobalChange })
        #expect(events.count == 1)
        let boxes = learnt.flatMap(\.boxes)
        #expect(boxes.allSatisfy { $0.x >= 0 && $0.y >= 0 && $0.x + $0.width <= 1.0001 && $0.y + $0.height <= 1.0001 })
        // Nobody walks on the upper building.
        #expect(boxes.count { $0.y + $0.height < 0.12 } * 50 < boxes.count)
    }

    @Test("so they are in a part of the picture that fills the screen", .enabled(if: FileManager.default.fileExists(atPath: walkers)))
    func crop() throws {
        let (watch, _) = watched(try pictures(["-i", walkers], filter: "crop=384:216:200:150,"))
        let learnt = watch.readings.dropFirst(16)
        #expect(Double(learnt.count { $0.isMotion }) > 0.95 * Double(learnt.count))
    }

    /// A still picture with sensor noise, coded as a camera codes its sub-stream; optionally somebody crosses it.
    private func scene(noise: Int, seconds: Int, crossing: Bool, rate: String, keyInterval: Int = 30) throws -> [LumaPicture] {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("detection-\(UUID().uuidString).mp4")
        defer { try? FileManager.default.removeItem(at: file) }  // A leftover in /tmp harms nobody.
        let still = "[0]select='eq(n,0)',loop=-1:1,setpts=N/15/TB,scale=640:360[s];"
        // The person is 42 × 92 of 640 × 360 pixels, 1.7 %, and takes 20 s from edge to edge.
        let person =
            "[1]select='eq(n,650)',crop=70:160:320:370,loop=-1:1,setpts=N/15/TB,scale=42:92[p];[s][p]overlay=x='if(between(t,30,50),(t-30)*34-42,-100)':y=200"
        try ffmpeg(
            ["-i", walkers, "-i", walkers] + [
                "-filter_complex", "\(still)\(crossing ? person : "[s]null"),noise=alls=\(noise):allf=t:all_seed=1,format=yuv420p", "-r", "15", "-t",
                "\(seconds)", "-c:v", "libx264", "-preset", "veryfast", "-g", "\(keyInterval)", "-bf", "0", "-b:v", rate, "-maxrate", rate,
                "-bufsize", rate,
                file.path,
            ])
        return try pictures(["-i", file.path])
    }

    @Test(
        "a person who crosses a noisy scene makes one event, with true times", .enabled(if: FileManager.default.fileExists(atPath: walkers)),
        arguments: [6, 20])
    func crossing(noise: Int) throws {
        let (_, events) = watched(try scene(noise: noise, seconds: 65, crossing: true, rate: "400k"))
        #expect(events.count == 2)
        guard case .begin(let begin) = events.first, case .end(let end) = events.last else { return }
        #expect(abs(begin - 1_030_500_000) < 1_000_000)
        #expect(abs(end - 1_049_500_000) < 1_000_000)
    }

    @Test(
        "coded noise alone makes none, key frames included", .enabled(if: FileManager.default.fileExists(atPath: walkers)),
        arguments: [(6, "300k", 30), (20, "150k", 15), (14, "300k", 15), (20, "300k", 60)])
    func codedNoise(noise: Int, rate: String, keyInterval: Int) throws {
        let (watch, events) = watched(try scene(noise: noise, seconds: 90, crossing: false, rate: rate, keyInterval: keyInterval))
        #expect(events.isEmpty)
        #expect(watch.readings.count { $0.isMotion } <= 3)
    }
}
