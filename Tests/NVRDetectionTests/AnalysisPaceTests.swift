import NVRDetection
import Testing

@Suite struct AnalysisPaceTests {
    @Test(
        "about five pictures a second are analysed, whatever the camera's rate",
        arguments: [(5, 5), (7, 4), (10, 5), (12, 4), (15, 5), (20, 5), (25, 5), (30, 5), (60, 5), (3, 3)])
    func rates(camera: Int, expected: Int) {
        var pace = AnalysisPace()
        var random = SeededGenerator(state: 3)
        let seconds = 20
        let count = (0..<(camera * seconds)).count { index in
            // Cameras' clocks jitter.
            pace.shouldAnalyse(at: Int64(index * 1_000_000 / camera) + .random(in: -3000...3000, using: &random))
        }
        #expect((expected * seconds - seconds / 2...expected * seconds + seconds / 2).contains(count))
    }

    @Test("a jump of the clock, back or forth, does not stop the analysis")
    func jumps() {
        var pace = AnalysisPace()
        let taken = [0, 100_000, -5_000_000, .max, .min, .min + 1000].map { pace.shouldAnalyse(at: $0) }
        #expect(taken == [true, false, true, true, true, false])
    }
}
