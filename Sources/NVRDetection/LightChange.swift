/// A change of light common to the whole picture: an offset and a gain on the background.
struct LightChange: Hashable, Sendable {
    /// Added to the background, 1/128 levels.
    var offset: Int16
    /// Added per background value, 1/65,536.
    var gain: Int16

    static let none = LightChange(offset: 0, gain: 0)

    /// Quarter levels from −128 to +127.75.
    static let bins = 1024

    /// Median differences of the darker and the brighter part of the background give a line. As medians they do not see a
    /// thing that covers less than half of each part. Also returns the mean background, the `split` of the next picture.
    ///
    /// - Parameter histograms: scratch memory, 2 × `bins`.
    static func measure(
        current: UnsafeBufferPointer<Int16>, background: UnsafeBufferPointer<Int16>, included: UnsafeBufferPointer<UInt8>, split: Int32,
        histograms: UnsafeMutableBufferPointer<UInt16>
    ) -> (change: LightChange, mean: Int32) {
        histograms.update(repeating: 0)
        var counts: (Int32, Int32) = (0, 0)
        var sums: (Int32, Int32) = (0, 0)
        var i = 0
        // Every third cell, which walks over all columns: 4,800 samples say enough.
        while i < current.count {
            defer { i += 3 }
            guard included[i] != 0 else { continue }
            let value = Int32(background[i])
            let bin = min(max((Int32(current[i]) - value) >> 5 + Int32(bins / 2), 0), Int32(bins - 1))
            if value < split {
                histograms[Int(bin)] &+= 1
                counts.0 += 1
                sums.0 += value >> 3
            } else {
                histograms[bins + Int(bin)] &+= 1
                counts.1 += 1
                sums.1 += value >> 3
            }
        }
        guard counts.0 + counts.1 > 0 else { return (.none, split) }
        let mean = (sums.0 + sums.1) / (counts.0 + counts.1) * 8
        let change = line(histograms, counts, sums)
        return (change, mean)
    }

    private static func line(_ histograms: UnsafeMutableBufferPointer<UInt16>, _ counts: (Int32, Int32), _ sums: (Int32, Int32)) -> LightChange {
        // The middle of the bin that half of the samples lie below; `parts` says which histograms count.
        func median(_ parts: ClosedRange<Int>, _ count: Int32) -> Int32 {
            var passed: Int32 = 0
            for bin in 0..<bins {
                for part in parts { passed += Int32(histograms[part * bins + bin]) }
                if passed * 2 >= count { return Int32(bin - bins / 2) * 32 + 16 }
            }
            return 0
        }
        let all = counts.0 + counts.1
        let flat = LightChange(offset: Int16(clamping: calm(median(0...1, all))), gain: 0)
        // A small part could be covered by a thing; parts of about the same brightness give no slope.
        guard counts.0 * 4 >= all, counts.1 * 4 >= all else { return flat }
        let dark = (x: Int(sums.0 / counts.0 * 8), y: median(0...0, counts.0))
        let bright = (x: Int(sums.1 / counts.1 * 8), y: median(1...1, counts.1))
        guard bright.x - dark.x > 16 * 128 else { return flat }
        if calm(dark.y) == 0, calm(bright.y) == 0 { return .none }
        let gain = min(max(Int(bright.y - dark.y) * 65_536 / (bright.x - dark.x), -32_000), 32_000)
        return LightChange(offset: Int16(clamping: Int(dark.y) - dark.x * gain / 65_536), gain: Int16(clamping: gain))
    }

    /// Half a level is within the precision of the medians.
    private static func calm(_ value: Int32) -> Int32 { abs(value) <= 64 ? 0 : value }
}
