import NVRDetection
import Testing

@Suite struct AdaptiveBackgroundDetectorTests {
    /// 22 × 44 samples: 1.7 % of the picture.
    private func person(_ x: Int, luma: Int = 150) -> Scene.Thing {
        Scene.Thing(x: x, y: 80, width: 22, height: 44, luma: luma)
    }

    @Test("sensor noise alone gives no motion in five minutes", arguments: [0.0, 2, 6, 8])
    func noise(sigma: Double) {
        var scene = Scene(noise: sigma)
        var watch = Watch()
        let readings = watch.watch(&scene, pictures: 1500)
        let alarms = readings.enumerated().filter { $0.element.isMotion || $0.element.isGlobalChange }
        #expect(alarms.isEmpty)
    }

    @Test("a walking person of 1.7 % gives motion in nearly every picture, and a box around", arguments: [(0.0, 150), (3, 40), (6, 160), (8, 30)])
    func walking(sigma: Double, luma: Int) throws {
        var scene = Scene(noise: sigma, seed: 5)
        var watch = Watch()
        watch.watch(&scene, pictures: 50)
        // 20 s for the way: 3 samples from picture to picture.
        let readings = watch.watch(&scene, pictures: 100) { _, index in [person(index * 3, luma: luma)] }
        #expect(readings.count { $0.isMotion } >= 95)
        #expect(!readings.contains { $0.isGlobalChange })
        let middle = try #require(readings[50].boxes.first)
        #expect(abs(middle.x - 150.0 / 320) < 0.05)
        #expect(abs(middle.y - 80.0 / 180) < 0.05)
        #expect(abs(middle.height - 44.0 / 180) < 0.08)
        #expect((600...2500).contains(readings[50].changedPixels))
        #expect(readings[50].score > readings[0].score)
        // Gone is gone: no ghost of it.
        let after = watch.watch(&scene, pictures: 100)
        #expect(after.dropFirst(5).count { $0.isMotion } <= 2)
    }

    @Test("a thing of 1 % of the picture is found in auto mode, whatever its way", arguments: [0, 1, 2, 3])
    func small(seed: UInt64) {
        var scene = Scene(noise: 5, seed: seed)
        var watch = Watch()
        watch.watch(&scene, pictures: 50)
        let readings = watch.watch(&scene, pictures: 60) { _, index in
            [Scene.Thing(x: 20 + index * (Int(seed) + 1), y: 20 + index * 2, width: 24, height: 24, luma: 190)]
        }
        #expect(readings.count { $0.isMotion } >= 55)
    }

    @Test("with auto off, the threshold of changed samples decides")
    func manual() {
        for (size, expected) in [(24, false), (60, true)] {
            var scene = Scene(noise: 3)
            var watch = Watch(DetectorConfiguration(threshold: 1500, autoThreshold: false))
            watch.watch(&scene, pictures: 50)
            let readings = watch.watch(&scene, pictures: 40) { _, index in
                [Scene.Thing(x: index * 5, y: 60, width: size, height: size, luma: 200)]
            }
            let hits = readings.count { $0.isMotion }
            #expect(expected ? hits >= 36 : hits == 0)
            #expect(readings[20].changedPixels > size * size / 2)
        }
    }

    @Test("a light switch is a global change, not motion, and the scene is watched again soon after")
    func lightSwitch() {
        var scene = Scene(noise: 4)
        var watch = Watch()
        watch.watch(&scene, pictures: 60)
        // Not the same everywhere: bright places gain more than dark ones, and the ceiling is clipped.
        (scene.gain, scene.light) = (2.4, -40)
        let after = watch.watch(&scene, pictures: 60)
        #expect(!after.contains { $0.isMotion })
        (scene.gain, scene.light) = (0.3, 0)
        let dark = watch.watch(&scene, pictures: 20)
        #expect(!dark.contains { $0.isMotion })
        let walker = watch.watch(&scene, pictures: 60) { _, index in [person(index * 4, luma: 120)] }
        #expect(walker.count { $0.isMotion } >= 55)
    }

    @Test("a light on half of the room that comes at once is a global change")
    func partialLight() {
        var scene = Scene(noise: 3)
        var watch = Watch()
        watch.watch(&scene, pictures: 60)
        let readings = watch.watch(&scene, pictures: 100) { _, _ in [Scene.Thing(x: 0, y: 0, width: 190, height: 180, luma: 180)] }
        #expect(readings[0].isGlobalChange)
        #expect(!readings.contains { $0.isMotion })
    }

    @Test("slow drift of the light gives none: sunset, clouds and automatic exposure")
    func drift() {
        var scene = Scene(noise: 4)
        var watch = Watch()
        watch.watch(&scene, pictures: 50)
        // 60 levels in two minutes, then gain by a half in one.
        let readings = watch.watch(&scene, pictures: 900) { scene, index in
            scene.light = index < 600 ? Double(index) / 10 : 60
            scene.gain = index < 600 ? 1 : 1 - Double(index - 600) / 600
            return []
        }
        #expect(!readings.contains { $0.isMotion })
        // The exposure jumps by 12 levels.
        scene.light += 12
        #expect(!watch.watch(&scene, pictures: 50).contains { $0.isMotion })
    }

    @Test("the coarser picture of every key frame gives none")
    func keyFramePumping() {
        var scene = Scene(noise: 2)
        var watch = Watch()
        var random = SeededGenerator(state: 9)
        var tracker = EventTracker(DetectorConfiguration())
        var events = 0
        for index in 0..<600 {
            var picture = scene.picture()
            if index % 10 == 0 {
                // Every 8 × 8 block is off by up to 6 levels, as after a coarse quantiser.
                let offsets = (0..<(40 * 23)).map { _ in Int.random(in: -6...6, using: &random) }
                picture.withMutableSamples { samples in
                    for i in 0..<LumaPicture.count {
                        let block = (i / LumaPicture.width / 8) * 40 + (i % LumaPicture.width) / 8
                        samples[i] = UInt8(clamping: Int(samples[i]) + offsets[block])
                    }
                }
            }
            let reading = watch.see(picture)
            events += tracker.track(reading, at: watch.time).count
        }
        #expect(events == 0)
        #expect(watch.readings.count { $0.isMotion } <= 6)
    }

    @Test("a person who stands still is no motion after a while, and is at once when going on")
    func standing() {
        var scene = Scene(noise: 4)
        var watch = Watch()
        watch.watch(&scene, pictures: 50)
        watch.watch(&scene, pictures: 40) { _, index in [person(index * 4)] }
        let still = watch.watch(&scene, pictures: 100) { _, _ in [person(156)] }
        #expect(still.dropFirst(15).allSatisfy { !$0.isMotion })
        let going = watch.watch(&scene, pictures: 20) { _, index in [person(160 + index * 4)] }
        #expect(going.dropFirst().count { $0.isMotion } >= 18)
    }

    @Test("a moved chair belongs to the scene after a minute")
    func absorption() {
        var scene = Scene(noise: 3)
        var watch = Watch()
        let chair = Scene.Thing(x: 100, y: 100, width: 40, height: 40, luma: 200)
        watch.watch(&scene, pictures: 50)
        watch.watch(&scene, pictures: 300) { _, _ in [chair] }
        // Carried away: the change shows for a moment and leaves no ghost.
        #expect(watch.watch(&scene, pictures: 3).contains { $0.isMotion })
        #expect(!watch.watch(&scene, pictures: 50).dropFirst(10).contains { $0.isMotion })
    }

    @Test("motion inside an exclusion mask is not seen, beside it is")
    func masks() {
        let left = [MaskPoint(x: 0, y: 0), MaskPoint(x: 0.5, y: 0), MaskPoint(x: 0.5, y: 1), MaskPoint(x: 0, y: 1)]
        var scene = Scene(noise: 3)
        var watch = Watch(DetectorConfiguration(exclusionMasks: [left]))
        watch.watch(&scene, pictures: 50)
        let readings = watch.watch(&scene, pictures: 100) { _, index in [person(index * 3)] }
        #expect(!readings.prefix(45).contains { $0.isMotion })
        #expect(readings.suffix(40).count { $0.isMotion } >= 38)
        var everything = Watch(
            DetectorConfiguration(exclusionMasks: [[MaskPoint(x: -1, y: -1), MaskPoint(x: 3, y: -1), MaskPoint(x: 3, y: 3), MaskPoint(x: -1, y: 3)]]))
        #expect(!everything.watch(&scene, pictures: 30) { _, index in [person(index * 9)] }.contains { $0 != .quiet })
    }

    @Test("odd times, extreme pictures and hostile settings never trap")
    func hostile() {
        var random = SeededGenerator(state: 11)
        for threshold in [Int.min, 0, .max] {
            let configuration = DetectorConfiguration(
                threshold: threshold, autoThreshold: threshold == 0, minMotionFrames: threshold, lightSwitchPercent: threshold,
                despeckle: threshold != 0)
            var detector = AdaptiveBackgroundDetector(configuration)
            for time in [0, Int64.max, .min, 5, 4, 3, .max - 1, 0, 0, 0, 1, 200_000, 400_000] {
                for kind in 0..<4 {
                    var picture = LumaPicture()
                    picture.withMutableSamples { samples in
                        for i in samples.indices {
                            samples[i] = kind == 0 ? 0 : kind == 1 ? 255 : kind == 2 ? UInt8(i % 2 * 255) : UInt8(truncatingIfNeeded: random.next())
                        }
                    }
                    let reading = detector.analyse(picture, at: time)
                    #expect((0...1).contains(reading.score))
                    #expect((0...LumaPicture.count).contains(reading.changedPixels))
                }
            }
            detector.reset()
            #expect(detector.analyse(LumaPicture(), at: 0) == .quiet)
        }
        #expect(LumaPicture([1, 2, 3]) == nil)
    }
}
