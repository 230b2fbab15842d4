/// The samples of the analysis picture that are not looked at: polygons made into a bitmap.
package struct ExclusionMask: Hashable, Sendable {
    /// More corners than anybody draws; further ones are not looked at, so that hostile settings cost little.
    package static let maximumPolygons = 64
    package static let maximumPoints = 1000

    /// Row after row of the analysis picture; true = excluded.
    package let isExcluded: [Bool]
    package let excludedCount: Int

    /// A sample is excluded when its centre lies in any of the polygons (nonzero winding, so that overlaps stay excluded).
    /// A polygon with fewer than three corners, or with a coordinate that is no number, excludes nothing.
    package init(_ polygons: [[MaskPoint]], width: Int = LumaPicture.width, height: Int = LumaPicture.height) {
        var bitmap = [Bool](repeating: false, count: max(0, width) * max(0, height))
        for polygon in polygons.prefix(Self.maximumPolygons) {
            let corners = polygon.prefix(Self.maximumPoints)
            guard corners.count >= 3, corners.allSatisfy({ $0.x.isFinite && $0.y.isFinite }), width > 0, height > 0 else { continue }
            // Far outside is far outside: keeps the arithmetic below finite.
            let points = corners.map { MaskPoint(x: min(max($0.x, -1000), 1000) * Double(width), y: min(max($0.y, -1000), 1000) * Double(height)) }
            Self.fill(points, into: &bitmap, width: width, height: height)
        }
        isExcluded = bitmap
        excludedCount = bitmap.count { $0 }
    }

    private static func fill(_ points: [MaskPoint], into bitmap: inout [Bool], width: Int, height: Int) {
        var crossings: [(x: Double, direction: Int)] = []
        for row in 0..<height {
            let y = Double(row) + 0.5
            crossings.removeAll(keepingCapacity: true)
            for (index, a) in points.enumerated() {
                let b = points[index + 1 == points.count ? 0 : index + 1]
                guard (a.y <= y) != (b.y <= y) else { continue }
                crossings.append((a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x), a.y <= y ? 1 : -1))
            }
            crossings.sort { $0.x < $1.x }
            var winding = 0
            for (crossing, next) in zip(crossings, crossings.dropFirst()) {
                winding += crossing.direction
                guard winding != 0 else { continue }
                // Sample centres in [crossing, next).
                let first = Int(min(max((crossing.x - 0.5).rounded(.up), 0), Double(width)))
                let last = Int(min(max((next.x - 0.5).rounded(.up), 0), Double(width)))
                if first < last { for x in first..<last { bitmap[row * width + x] = true } }
            }
        }
    }
}
