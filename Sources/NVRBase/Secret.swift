/// Text that must not be printed: a password, a token, a key. Its description is dots, in logs and errors alike.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    package init(_ value: String) { self.value = value }

    /// The text itself, for the one call that needs it.
    package func reveal() -> String { value }

    package var description: String { "•••" }
    package var debugDescription: String { "•••" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Removes user info from a URL text, so that it can be logged and answered: `rtsp://u:p@host/x` becomes `rtsp://•••@host/x`.
/// The authority ends at the first `/`, `?` or `#` after the last `@` that precedes a path, so that odd passwords do not leak.
package func redactedURL(_ text: String) -> String {
    guard let schemeEnd = text.range(of: "://") else { return text }
    let rest = text[schemeEnd.upperBound...]
    guard let at = rest.lastIndex(of: "@") else { return text }
    return text[..<schemeEnd.upperBound] + "•••@" + rest[rest.index(after: at)...]
}

extension String {
    /// The first range of `needle`, without Foundation.
    fileprivate func range(of needle: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) { return start..<index(start, offsetBy: needle.count) }
            start = index(after: start)
        }
        return nil
    }
}
