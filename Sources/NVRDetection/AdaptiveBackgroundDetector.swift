/// Compares each picture with a background that adapts, and with the noise that each place shows by itself.
///
/// Works on cells of 2 × 2 samples (160 × 90), which halves the noise and quarters the work. For every cell it keeps
/// - the background: a running mean (about 13 s), followed sixteen times slower while the cell is in the foreground, until
///   that has lasted 45 s: then the thing belongs to the scene,
/// - the noise: the running mean of the absolute deviation, and more where the cell flickers; a cell is in the foreground when
///   it deviates by more than 3.5 of these, and by 8 levels at least,
/// - the recent picture: a quick mean (under a second). Only a foreground thing that also differs from it somewhere counts as
///   moving: what stands still, or the hole that a thing left, is no motion.
/// A common change of light (offset and gain, from medians, so that a thing that moves does not disturb them) is taken off
/// first. A jump of a large part of the picture is taken for light, and the scene is learned anew.
///
/// In auto mode the largest connected moving thing counts. How large it must be grows with what constantly moves in the scene
/// and with flashes: large areas that are there for one picture only, as the key frames of a noisy scene make them when the
/// camera has too few bits. In a scene with flashes a thing must also be near where something was in the picture before.
///
/// All arithmetic on cells is in 16 bit integers, 1/128 of a luma level each, in loops over contiguous memory; nothing is
/// allocated per quiet picture.
package struct AdaptiveBackgroundDetector: Detector {
    static var columns: Int { LumaPicture.width / 2 }
    static var rows: Int { LumaPicture.height / 2 }
    static var cellCount: Int { columns * rows }
    /// One luma level.
    static let level: Int16 = 128

    // Tuning, in the units of the state.
    private static let floorThreshold: Int16 = 8 * level
    private static let initialNoise: Int16 = 3 * level
    private static let maximumNoise: Int16 = 20 * level
    /// Tenths of a second in the foreground after which a cell becomes background.
    private static let absorptionAge: Int16 = 450
    private static let learning: Int64 = 3_000_000
    private static let relearning: Int64 = 1_500_000
    /// Cells: the least area of a moving thing in auto mode, 0.3 % and, in a restless scene, 0.75 % of the picture.
    private static let leastArea = 43
    private static let greatestLeastArea = 108
    /// In 1/16 cells: a new scene counts as one with flashes, for two minutes if there are none.
    private static let unknownFlash = 1000

    private let configuration: DetectorConfiguration
    /// Per cell: 0xff where it is looked at, 0 where excluded.
    private let included: [UInt8]
    private let includedCount: Int

    /// Planes of `cellCount`: current, background, noise, recent, age.
    private var planes: [Int16]
    private var marks: CellMarks
    private var labeller = ComponentLabeller()
    private var histograms = [UInt16](repeating: 0, count: 2 * LightChange.bins)

    private var pictures = 0
    private var lastTime: Int64 = 0
    /// No motion is reported before this time.
    private var quietUntil: Int64 = 0
    /// Cells in the foreground of the last picture.
    private var lastForeground = 0
    /// Running mean of the largest moving area, in 1/16 cells: the restlessness of the scene.
    private var restlessness = 0
    /// The size of the largest flash of late, in 1/16 cells, and the moving areas of the last two pictures, to tell one.
    private var flash = unknownFlash
    private var lastAreas = (before: 0, last: 0)
    private var lastMoving: [Component] = []
    /// Parts the dark from the bright half of the picture.
    private var meanBackground: Int32 = 64 * 128

    package init(_ configuration: DetectorConfiguration = DetectorConfiguration()) {
        self.configuration = configuration
        let mask = ExclusionMask(configuration.exclusionMasks).isExcluded
        var included = [UInt8](repeating: 0xff, count: Self.cellCount)
        for row in 0..<LumaPicture.height {
            for column in 0..<LumaPicture.width where mask[row * LumaPicture.width + column] {
                included[row / 2 * Self.columns + column / 2] = 0
            }
        }
        self.included = included
        includedCount = included.count { $0 != 0 }
        planes = [Int16](repeating: 0, count: 5 * Self.cellCount)
        marks = CellMarks(columns: Self.columns, rows: Self.rows)
    }

    package mutating func reset() {
        pictures = 0
        restlessness = 0
        flash = Self.unknownFlash
        lastMoving = []
    }

    package mutating func analyse(_ picture: borrowing LumaPicture, at time: Int64) -> MotionReading {
        guard includedCount > 0 else { return .quiet }
        let elapsed = step(to: time)
        load(picture)
        guard pictures > 0 else {
            learn(at: time, for: Self.learning)
            return .quiet
        }
        compare(elapsed, isLearning: time < quietUntil)
        if configuration.despeckle { marks.removeSpeckles() } else { marks.keepSpeckles() }
        let components = labeller.label(marks)
        let foreground = components.foreground
        defer { lastForeground = foreground }
        pictures = min(pictures + 1, 1 << 20)

        guard time >= quietUntil else { return .quiet }
        if isGlobalChange(foreground) {
            relearn(at: time)
            return MotionReading(isGlobalChange: true)
        }
        return reading(components.moving, elapsed)
    }

    // MARK: - Time

    /// Microseconds since the last picture, made sane.
    private mutating func step(to time: Int64) -> Int64 {
        let (elapsed, overflow) = time.subtractingReportingOverflow(lastTime)
        lastTime = time
        // After a break of a minute, or on another time line, the scene may be another one.
        guard !overflow, elapsed >= 0, elapsed < 60_000_000 else {
            pictures = 0
            return 200_000
        }
        return min(max(elapsed, 20_000), 2_000_000)
    }

    private mutating func learn(at time: Int64, for duration: Int64) {
        pictures = 1
        lastForeground = 0
        quietUntil = time.addingReportingOverflow(duration).partialValue
        planes.withUnsafeMutableBufferPointer { all in
            for i in 0..<Self.cellCount {
                all[Self.cellCount + i] = all[i]
                all[2 * Self.cellCount + i] = Self.initialNoise
                all[3 * Self.cellCount + i] = all[i]
                all[4 * Self.cellCount + i] = 0
            }
        }
    }

    /// Takes the present picture for the scene, and keeps what is known of its noise.
    private mutating func relearn(at time: Int64) {
        pictures = min(pictures, 4)
        flash = max(flash, Self.unknownFlash)
        lastForeground = 0
        quietUntil = time.addingReportingOverflow(Self.relearning).partialValue
        planes.withUnsafeMutableBufferPointer { all in
            for i in 0..<Self.cellCount {
                all[Self.cellCount + i] = all[i]
                all[3 * Self.cellCount + i] = all[i]
                all[4 * Self.cellCount + i] = 0
            }
        }
    }

    private func isGlobalChange(_ foreground: Int) -> Bool {
        guard configuration.lightSwitchPercent > 0 else { return false }
        let percent = min(configuration.lightSwitchPercent, 100)
        let jump = foreground - lastForeground
        // However slowly it came, nothing moves in four fifths of a picture: the camera was turned, or is covered.
        return jump * 100 > percent * includedCount || foreground * 5 > includedCount * 4
    }

    // MARK: - Cells

    /// Means of 2 × 2 samples.
    private mutating func load(_ picture: borrowing LumaPicture) {
        planes.withUnsafeMutableBufferPointer { planes in
            picture.withSamples { samples in
                guard let source = samples.baseAddress, let target = planes.baseAddress, samples.count == LumaPicture.count else { return }
                for row in 0..<Self.rows {
                    Self.halve(source + 2 * row * LumaPicture.width, target + row * Self.columns)
                }
            }
        }
    }

    /// One row of cells of two rows of samples. A plain loop, which the compiler makes vectors of.
    private static func halve(_ upper: UnsafePointer<UInt8>, _ output: UnsafeMutablePointer<Int16>) {
        let lower = upper + LumaPicture.width
        var x = 0
        while x < columns {
            let a = Int16(truncatingIfNeeded: upper[2 &* x]) &+ Int16(truncatingIfNeeded: upper[2 &* x &+ 1])
            let b = Int16(truncatingIfNeeded: lower[2 &* x]) &+ Int16(truncatingIfNeeded: lower[2 &* x &+ 1])
            output[x] = (a &+ b) &<< 5
            x &+= 1
        }
    }

    /// Marks the foreground and what changes in it, and updates background, noise and recent picture.
    private mutating func compare(_ elapsed: Int64, isLearning: Bool) {
        let light = lightChange()
        // 2^-shift is the weight of this picture: plain means at first, then the time constants.
        let starting = Int16(truncatingIfNeeded: Int.bitWidth - 1 - max(1, pictures).leadingZeroBitCount)
        let backgroundShift = min(starting, Self.shift(12_800_000, elapsed))
        let noiseShift = min(max(starting, 2), Self.shift(12_800_000, elapsed))
        let recentShift = max(1, Self.shift(800_000, elapsed))
        let age = Int16(truncatingIfNeeded: max(1, elapsed / 100_000))
        // While learning, what looks like foreground is as likely a part of the scene.
        let rate = Rates(
            background: backgroundShift, noise: noiseShift, recent: recentShift, age: age, lingering: backgroundShift + 4, held: isLearning ? 1 : 3,
            absorption: isLearning ? 0 : Self.absorptionAge, disturbed: isLearning ? noiseShift : 9)
        planes.withUnsafeMutableBufferPointer { planes in
            included.withUnsafeBufferPointer { included in
                marks.withRows { changed, active, stride in
                    guard let base = planes.baseAddress, let mask = included.baseAddress else { return }
                    for row in 0..<Self.rows {
                        let cell = row * Self.columns
                        Self.updateRow(
                            base + cell, mask: mask + cell, light: light, rate: rate, changed: changed + row * stride,
                            active: active + row * stride)
                    }
                }
            }
        }
    }

    private struct Rates {
        var background: Int16
        var noise: Int16
        var recent: Int16
        /// Tenths of a second.
        var age: Int16
        /// For cells in the foreground.
        var lingering: Int16
        /// For those that were there for longer than `absorption`.
        var held: Int16
        var absorption: Int16
        /// For the noise of cells in the foreground.
        var disturbed: Int16
    }

    /// log₂(time constant ÷ elapsed), rounded, 0…8.
    private static func shift(_ constant: Int64, _ elapsed: Int64) -> Int16 {
        var shift: Int16 = 0
        // 1.41 ≈ the rounding limit between two powers.
        while shift < 8, elapsed << Int64(shift) &* 1414 < constant &* 1000 { shift += 1 }
        return shift
    }

    /// One row of cells. `base` points to the first of them in the first plane.
    ///
    /// A plain loop without branches and without calls, which the compiler makes vectors of: it needs to see that the planes
    /// are a constant distance apart, and few pointers besides.
    private static func updateRow(
        _ base: UnsafeMutablePointer<Int16>, mask: UnsafePointer<UInt8>, light: LightChange, rate: Rates,
        changed: UnsafeMutablePointer<UInt8>, active: UnsafeMutablePointer<UInt8>
    ) {
        let plane = cellCount
        let (backgrounds, noises, recents, ages) = (base + plane, base + 2 * plane, base + 3 * plane, base + 4 * plane)
        let halfBackground: Int16 = (1 &<< rate.background) &>> 1
        let halfNoise: Int16 = (1 &<< rate.noise) &>> 1
        let (gain, offset) = (Int32(light.gain), Int32(light.offset))
        let (floor, noiseLimit, flickerNoise) = (floorThreshold, maximumNoise, 2 * level)
        var x = 0
        while x < columns {
            let current = base[x]
            let background = backgrounds[x]
            let noise = noises[x]
            let recent = recents[x]

            // The background as it would look in the present light.
            let wide = Int32(truncatingIfNeeded: background)
            let sum = wide &+ ((wide &* gain) &>> 16) &+ offset
            let bounded = sum < 0 ? 0 : sum > 32_640 ? 32_640 : sum
            let lightened = Int16(truncatingIfNeeded: bounded)

            let difference = current &- lightened
            let deviation = difference < 0 ? 0 &- difference : difference
            let noisy = noise &* 3 &+ (noise &>> 1)
            let threshold = noisy > floor ? noisy : floor
            let isForeground = deviation > threshold
            let sinceRecent = current &- recent
            let sudden = sinceRecent < 0 ? 0 &- sinceRecent : sinceRecent
            let isActive = sudden > threshold &- (threshold &>> 2)

            let lasted = ages[x]
            let older = lasted &+ rate.age
            let age = isForeground ? (older < 16_000 ? older : 16_000) : 0
            // Near the ends of the range a difference is foreground, so the bound changes nothing that counts.
            let roundable = difference < 32_000 ? difference : 32_000
            let slow = (roundable &+ halfBackground) &>> rate.background
            let held = age > rate.absorption ? difference &>> rate.held : difference &>> rate.lingering
            // The common change is followed quickly: it is not exact for large changes.
            backgrounds[x] = background &+ ((lightened &- background) &>> 2) &+ (isForeground ? held : slow)

            let calm = (deviation &- noise &+ halfNoise) &>> rate.noise
            let disturbed = ((deviation < noiseLimit ? deviation : noiseLimit) &- noise) &>> rate.disturbed
            // Each time a cell leaves the foreground: where that happens often, as in the flat parts of a badly coded night
            // scene, it is noise, though not noise that its mean over the calm times would show.
            let flicker = lasted > 0 && lasted <= 4 ? flickerNoise : 0
            let newNoise = noise &+ (isForeground ? disturbed : calm &+ flicker)
            noises[x] = newNoise < noiseLimit ? newNoise : noiseLimit
            recents[x] = recent &+ (sinceRecent &>> rate.recent)
            ages[x] = age
            changed[x] = mask[x] & (isForeground ? 1 : 0)
            active[x] = mask[x] & (isActive ? 1 : 0)
            x &+= 1
        }
    }

    // MARK: - Light

    private mutating func lightChange() -> LightChange {
        let split = meanBackground
        var result = LightChange.none
        var mean = split
        planes.withUnsafeBufferPointer { planes in
            included.withUnsafeBufferPointer { included in
                histograms.withUnsafeMutableBufferPointer { histograms in
                    (result, mean) = LightChange.measure(
                        current: UnsafeBufferPointer(rebasing: planes[..<Self.cellCount]),
                        background: UnsafeBufferPointer(rebasing: planes[Self.cellCount..<(2 * Self.cellCount)]), included: included, split: split,
                        histograms: histograms)
                }
            }
        }
        meanBackground = mean
        return result
    }

    // MARK: - Decision

    private mutating func reading(_ moving: [Component], _ elapsed: Int64) -> MotionReading {
        let largest = moving.first?.area ?? 0
        let changed = moving.reduce(0) { $0 + $1.area } * 4
        let isFlashy = flash / 16 > Self.leastArea
        let least = level(with: largest, elapsed)
        // A thing is near where it was in the last picture; in a scene with flashes that is what tells the two apart.
        let reach = min(40, Int(4 * elapsed / 200_000))
        let lasting = isFlashy ? moving.first { new in lastMoving.contains { $0.isNear(new, reach) } } : moving.first
        lastMoving = moving
        let isMotion = configuration.autoThreshold ? (lasting?.area ?? 0) >= least : changed >= max(1, configuration.threshold)
        guard isMotion else { return MotionReading(changedPixels: changed) }
        let first = moving[0]
        // 5 % of the picture and more is as good as it gets; a thing that is cut off by the border is less so.
        let size = min(1, Double(first.area) / Double(Self.cellCount / 20))
        let touchesBorder = first.left == 0 || first.top == 0 || first.right == Self.columns - 1 || first.bottom == Self.rows - 1
        return MotionReading(
            isMotion: true, changedPixels: changed, score: size.squareRoot() * (touchesBorder ? 0.7 : 1), boxes: moving.prefix(8).map(\.box))
    }

    /// The least area of a moving thing in this scene, after learning from the present picture.
    private mutating func level(with largest: Int, _ elapsed: Int64) -> Int {
        let least = min(max(Self.leastArea, restlessness / 8, flash / 16), Self.greatestLeastArea)
        // What constantly moves, such as leaves: followed within about a minute, a large thing counting no more than a small one.
        let bounded = min(largest, Self.greatestLeastArea)
        let step = bounded * 16 - restlessness
        restlessness = max(0, restlessness + step / max(1, Int(60_000_000 / elapsed)) + step.signum())
        // What was there for one picture only, such as the coarse key frame of a dark scene, is no thing: things stay. It is
        // remembered for some minutes.
        flash = max(0, flash - flash / max(1, Int(300_000_000 / elapsed)) - 1)
        let areas = lastAreas
        if areas.before * 2 < areas.last, largest * 2 < areas.last { flash = max(flash, min(areas.last, Self.greatestLeastArea) * 20) }
        lastAreas = (areas.last, largest)
        return least
    }
}
