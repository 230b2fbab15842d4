// What belongs here: synthetic camera pictures, made sample by sample from a seed.
import NVRDetection

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

/// A street seen by a camera: textured ground, Gaussian sensor noise, rectangles with a vertical gradient as people.
struct Scene {
    static let width = LumaPicture.width
    static let height = LumaPicture.height

    private var background: [Int16]
    /// Gaussian values of σ = 64, to be scaled.
    private let bank: [Int16]
    private var random: SeededGenerator
    /// σ of the noise, luma levels.
    var noise: Double
    /// Offset and gain on the light.
    var light = 0.0
    var gain = 1.0

    init(noise: Double, seed: UInt64 = 1) {
        var random = SeededGenerator(state: seed)
        // Sum of 4 uniform values is near enough to a Gaussian, with a standard deviation of 0.577.
        bank = (0..<(1 << 17)).map { _ in
            let bits = random.next()
            let sum = (0..<4).reduce(0.0) { $0 + Double((bits >> (UInt64($1) * 16)) & 0xffff) / 32_768 - 1 }
            return Int16(sum / 1.1547 * 64)
        }
        background = (0..<(Self.width * Self.height)).map { i in
            let (x, y) = (i % Self.width, i / Self.width)
            return Int16(60 + y / 2 + ((x / 16 + y / 12) % 2) * 25 + ((x * 7 + y * 3) % 11))
        }
        self.random = random
        self.noise = noise
    }

    struct Thing {
        var x: Int
        var y: Int
        var width: Int
        var height: Int
        var luma: Int
    }

    /// The next picture, with fresh noise.
    mutating func picture(_ things: [Thing] = []) -> LumaPicture {
        var picture = LumaPicture()
        let (scale, light) = (Int32(noise * 256 / 64), Int32(light))
        let gain = Int32(self.gain * 256)
        picture.withMutableSamples { target in
            background.withUnsafeBufferPointer { background in
                bank.withUnsafeBufferPointer { bank in
                    for y in 0..<Self.height {
                        var n = Int(random.next() & 0xffff)
                        let row = y * Self.width
                        for x in 0..<Self.width {
                            let value = (Int32(background[row + x]) &* gain) >> 8 &+ light &+ (Int32(bank[n]) &* scale) >> 8
                            target[row + x] = UInt8(truncatingIfNeeded: value < 0 ? 0 : value > 255 ? 255 : value)
                            n &+= 1
                        }
                    }
                    for thing in things { draw(thing, target, bank) }
                }
            }
        }
        return picture
    }

    private mutating func draw(_ thing: Thing, _ target: UnsafeMutableBufferPointer<UInt8>, _ bank: UnsafeBufferPointer<Int16>) {
        for y in max(0, thing.y)..<max(0, min(Self.height, thing.y + thing.height)) {
            var n = Int(random.next() & 0xffff)
            for x in max(0, thing.x)..<max(0, min(Self.width, thing.x + thing.width)) {
                let value = Double(thing.luma) + Double(y - thing.y) * 20 / Double(thing.height) + Double(bank[n]) * noise / 64
                target[y * Self.width + x] = UInt8(max(0, min(255, value)))
                n += 1
            }
        }
    }
}

/// A detector fed at five pictures a second.
struct Watch {
    var detector: AdaptiveBackgroundDetector
    var time: Int64 = 1_000_000_000
    var readings: [MotionReading] = []

    init(_ configuration: DetectorConfiguration = DetectorConfiguration()) {
        detector = AdaptiveBackgroundDetector(configuration)
    }

    @discardableResult
    mutating func see(_ picture: LumaPicture) -> MotionReading {
        let reading = detector.analyse(picture, at: time)
        time += 200_000
        readings.append(reading)
        return reading
    }

    /// The readings of `pictures` pictures of a scene; `change` may alter the scene before each.
    @discardableResult
    mutating func watch(_ scene: inout Scene, pictures: Int, _ change: (inout Scene, Int) -> [Scene.Thing] = { _, _ in [] }) -> [MotionReading] {
        var result: [MotionReading] = []
        for index in 0..<pictures {
            let things = change(&scene, index)
            result.append(see(scene.picture(things)))
        }
        return result
    }
}
