import NVRDetection
import Testing

@Suite struct ExclusionMaskTests {
    private func points(_ values: [(Double, Double)]) -> [MaskPoint] { values.map { MaskPoint(x: $0.0, y: $0.1) } }

    @Test("a rectangle covers the samples whose centres it holds")
    func rectangle() {
        let mask = ExclusionMask([points([(0.25, 0.5), (0.75, 0.5), (0.75, 1), (0.25, 1)])])
        #expect(mask.excludedCount == 160 * 90)
        #expect(mask.isExcluded[90 * 320 + 80])
        #expect(!mask.isExcluded[90 * 320 + 79])
        #expect(!mask.isExcluded[89 * 320 + 80])
        #expect(!mask.isExcluded[90 * 320 + 240])
    }

    @Test("a triangle covers half of its rectangle, in either direction of its corners")
    func triangle() {
        let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
        let mask = ExclusionMask([points(corners)])
        #expect(abs(mask.excludedCount - 28_800) < 330)
        #expect(ExclusionMask([points(corners.reversed())]) == mask)
    }

    @Test("overlapping polygons and a polygon over itself stay excluded")
    func overlaps() {
        let all = points([(0, 0), (1, 0), (1, 1), (0, 1)])
        #expect(ExclusionMask([all, all]).excludedCount == LumaPicture.count)
        #expect(ExclusionMask([all + all]).excludedCount == LumaPicture.count)
        #expect(ExclusionMask([]).excludedCount == 0)
    }

    @Test("hostile coordinates are safe")
    func hostile() {
        #expect(ExclusionMask([points([(.nan, 0), (1, 0), (1, 1)])]).excludedCount == 0)
        #expect(ExclusionMask([points([(.infinity, 0), (1, 0), (1, 1)])]).excludedCount == 0)
        #expect(ExclusionMask([points([(0, 0), (1, 1)])]).excludedCount == 0)
        #expect(ExclusionMask([points([(-1e308, -1e308), (1e308, -1e308), (1e308, 1e308), (-1e308, 1e308)])]).excludedCount == LumaPicture.count)
        #expect(ExclusionMask([points([(5, 5), (6, 5), (6, 6)])]).excludedCount == 0)
        #expect(ExclusionMask([points([(0.5, 0.5), (0.5, 0.5), (0.5, 0.5)])]).excludedCount == 0)
        var random = SeededGenerator(state: 2)
        for _ in 0..<50 {
            let polygons = (0..<3).map { _ in
                (0..<Int.random(in: 0...40, using: &random)).map { _ in
                    MaskPoint(x: .random(in: -2...3, using: &random), y: .random(in: -2...3, using: &random))
                }
            }
            #expect((0...LumaPicture.count).contains(ExclusionMask(polygons).excludedCount))
        }
        #expect(ExclusionMask([points([(0, 0), (1, 0), (1, 1)])], width: 0, height: -4).isExcluded.isEmpty)
    }
}
