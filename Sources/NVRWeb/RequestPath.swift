/// The path of a request, cut into segments and percent-decoded exactly once (RFC 3986 section 2.4). Pure.
///
/// A decoded segment can never be mistaken for structure: `.`, `..`, and segments with `/`, `\` or control characters after
/// decoding make the path unsafe, whatever encoding they came in.
package struct RequestPath: Equatable, Sendable {
    /// Decoded segments without the `/` between them; `/` alone has none. One trailing `/` counts for nothing.
    package let segments: [String]
    /// False when a segment would name something else than itself on a disk.
    package let isSafe: Bool

    /// `raw` is the path as it was sent, without the query.
    package init(_ raw: String) {
        var pieces = raw.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[...]
        if pieces.first?.isEmpty == true { pieces = pieces.dropFirst() }
        if pieces.last?.isEmpty == true { pieces = pieces.dropLast() }
        var segments: [String] = []
        var isSafe = true
        for piece in pieces {
            guard let segment = Self.decoded(piece) else {
                isSafe = false
                segments.append(String(decoding: piece, as: UTF8.self))
                continue
            }
            if segment.isEmpty || segment == "." || segment == ".." { isSafe = false }
            if segment.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 < 0x20 || $0 == 0x7F }) {
                isSafe = false
            }
            segments.append(segment)
        }
        self.segments = segments
        self.isSafe = isSafe
    }

    /// The path without a leading `api` segment: the whole API is served at `/` and under `/api/`.
    package var belowAPI: [String] { segments.first == "api" ? Array(segments.dropFirst()) : segments }

    private static func decoded(_ piece: Substring.UTF8View) -> String? { percentDecoded(piece, plusIsSpace: false) }
}

/// Percent-decodes once; nil for a broken escape or bytes that are not UTF-8.
func percentDecoded(_ text: some Sequence<UInt8>, plusIsSpace: Bool) -> String? {
    var bytes: [UInt8] = []
    var iterator = text.makeIterator()
    while let byte = iterator.next() {
        switch byte {
        case UInt8(ascii: "%"):
            guard let high = iterator.next().flatMap(hexDigit), let low = iterator.next().flatMap(hexDigit) else { return nil }
            bytes.append(high << 4 | low)
        case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
        default: bytes.append(byte)
        }
    }
    return String(validating: bytes, as: UTF8.self)
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
