/// What a `Range` header selects of a representation of known length (RFC 9110 section 14). Pure.
package enum ByteRange: Equatable, Sendable {
    /// No range, a range in a form that must be ignored, or one that is not worth serving: answer 200 with everything.
    case whole
    /// One part: answer 206 with `Content-Range`.
    case single(Range<Int64>)
    /// Several parts that do not overlap, in the order asked for: answer 206 `multipart/byteranges`.
    case several([Range<Int64>])
    /// Nothing of it exists: answer 416.
    case unsatisfiable

    /// More parts than this are answered with the whole representation (RFC 9110 section 14.2 allows to ignore such requests).
    package static let mostParts = 16

    /// Reads the value of a `Range` header for a representation of `length` bytes.
    package init(header: String?, length: Int64) {
        guard let header, let specifiers = Self.specifiers(of: header) else {
            self = .whole
            return
        }
        guard length > 0 else {
            // Only a non-empty suffix is satisfiable on an empty representation, and `Content-Range` cannot say so.
            self = specifiers.contains { if case .last(let count) = $0 { count > 0 } else { false } } ? .whole : .unsatisfiable
            return
        }
        let parts = specifiers.compactMap { $0.range(in: length) }
        switch parts.count {
        case 0: self = .unsatisfiable
        case 1: self = .single(parts[0])
        default: self = Self.areDisjoint(parts) ? .several(parts) : .whole
        }
    }

    /// `bytes a-b/n`, the value of `Content-Range` for one part.
    package static func contentRange(_ range: Range<Int64>, length: Int64) -> String {
        "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)"
    }

    /// One element of a range set.
    private enum Specifier {
        case from(Int64)
        case between(Int64, Int64)
        case last(Int64)

        func range(in length: Int64) -> Range<Int64>? {
            switch self {
            case .from(let first): first < length ? first..<length : nil
            case .between(let first, let last): first < length ? first..<(min(last, length - 1) + 1) : nil
            case .last(let count): count > 0 ? max(0, length - count)..<length : nil
            }
        }
    }

    /// Nil for another unit, bad syntax or too many elements: such a header is ignored.
    private static func specifiers(of header: String) -> [Specifier]? {
        let bytes = header.utf8
        guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        guard String(header[..<equals]).lowercased() == "bytes" else { return nil }
        var found: [Specifier] = []
        for element in header[header.index(after: equals)...].utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let text = element.trimmingOptionalWhitespace()
            if text.isEmpty { continue }
            guard let specifier = specifier(text), found.count < mostParts else { return nil }
            found.append(specifier)
        }
        return found.isEmpty ? nil : found
    }

    private static func specifier(_ text: Substring.UTF8View) -> Specifier? {
        guard let dash = text.firstIndex(of: UInt8(ascii: "-")) else { return nil }
        let first = text[..<dash]
        let last = text[text.index(after: dash)...]
        switch (first.isEmpty, last.isEmpty) {
        case (true, true): return nil
        case (true, false): return number(last).map { .last($0) }
        case (false, true): return number(first).map { .from($0) }
        case (false, false):
            guard let low = number(first), let high = number(last), low <= high else { return nil }
            return .between(low, high)
        }
    }

    /// Digits only; a number too large for the type saturates one below it, so that `+ 1` stays safe.
    private static func number(_ digits: Substring.UTF8View) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = tens.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            value = overflow || overflow2 || value == .max - 1 ? .max - 1 : sum
        }
        return min(value, .max - 1)
    }

    private static func areDisjoint(_ parts: [Range<Int64>]) -> Bool {
        let sorted = parts.sorted { $0.lowerBound < $1.lowerBound }
        return zip(sorted, sorted.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }
    }
}

extension Substring.UTF8View {
    /// Without spaces and tabs at both ends (RFC 9110 section 5.6.3).
    fileprivate func trimmingOptionalWhitespace() -> Substring.UTF8View {
        var view = self
        while let byte = view.first, byte == 0x20 || byte == 0x09 { view = view.dropFirst() }
        while let byte = view.last, byte == 0x20 || byte == 0x09 { view = view.dropLast() }
        return view
    }
}
