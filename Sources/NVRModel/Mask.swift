/// A polygon on the picture; coordinates run 0…1 from the top left corner.
package struct Mask: Sendable, Hashable {
    package struct Point: Sendable, Hashable {
        package var x: Double
        package var y: Double

        package init(x: Double, y: Double) {
            self.x = x
            self.y = y
        }
    }

    /// At least three.
    package var points: [Point]

    package init(points: [Point]) { self.points = points }

    /// Most masks a camera may have.
    package static let maxCount = 64
    /// Most corners of one mask.
    package static let maxPoints = 128
    /// Longest JSON text of masks that is read, bytes.
    package static let maxTextBytes = 1 << 20

    /// Reads masks from a JSON array `[{"points":[[x,y],…]},…]` or from its text. The error says what is wrong, for a person.
    package static func list(from value: JSONValue) -> Result<[Mask], MaskError> {
        var elements: [JSONValue]
        switch value {
        case .array(let array): elements = array
        case .string(let text):
            if text.utf8.allSatisfy({ $0 == 0x20 }) { return .success([]) }
            guard text.utf8.count <= maxTextBytes else { return .failure(MaskError("masks are too long")) }
            guard case .success(let parsed) = Result(catching: { () throws(JSONSyntaxError) in try JSONValue(parsing: text) }) else {
                return .failure(MaskError("masks must be a JSON array of {\"points\": [[x, y], …]}"))
            }
            if case .null = parsed { return .success([]) }
            guard case .array(let array) = parsed else {
                return .failure(MaskError("masks must be a JSON array of {\"points\": [[x, y], …]}"))
            }
            elements = array
        default: return .failure(MaskError("masks must be a JSON array of {\"points\": [[x, y], …]}"))
        }
        guard elements.count <= maxCount else { return .failure(MaskError("at most \(maxCount) masks are allowed")) }
        var masks: [Mask] = []
        for element in elements {
            guard let points = element["points"]?.array else {
                return .failure(MaskError("every mask needs a \"points\" array of [x, y] pairs"))
            }
            guard points.count >= 3 else { return .failure(MaskError("a mask needs at least 3 points")) }
            guard points.count <= maxPoints else { return .failure(MaskError("a mask may have at most \(maxPoints) points")) }
            var corners: [Point] = []
            for point in points {
                guard let pair = point.array, pair.count == 2, let x = pair[0].plainNumber, let y = pair[1].plainNumber,
                    (0...1).contains(x), (0...1).contains(y)
                else { return .failure(MaskError("points must be [x, y] pairs of numbers between 0 and 1")) }
                corners.append(Point(x: x, y: y))
            }
            let mask = Mask(points: corners)
            guard mask.spansArea else { return .failure(MaskError("the points of a mask must not lie on one line")) }
            masks.append(mask)
        }
        return .success(masks)
    }

    /// The JSON text that the API answers.
    package static func text(of masks: [Mask]) -> String {
        JSONValue.array(
            masks.map { mask in
                .object(["points": .array(mask.points.map { .array([.number($0.x), .number($0.y)]) })])
            }
        ).serialized()
    }

    /// False when all corners lie on one line.
    private var spansArea: Bool {
        guard let first = points.first, let far = points.first(where: { $0 != first }) else { return false }
        return points.contains { point in
            abs((far.x - first.x) * (point.y - first.y) - (far.y - first.y) * (point.x - first.x)) > 1e-9
        }
    }
}

/// Why masks were refused.
package struct MaskError: Error, Sendable, Hashable {
    package let message: String

    init(_ message: String) { self.message = message }
}

extension JSONValue {
    /// The value of a JSON number, and of nothing else.
    fileprivate var plainNumber: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}
