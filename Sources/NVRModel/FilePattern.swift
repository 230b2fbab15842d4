/// Rules for the file name patterns of recordings and pictures, which become paths below a camera's folder.
package enum FilePattern {
    package static let maxLength = 200
    /// Letters that may follow `%`: those of strftime that make no path of their own, `%q` (number within the second),
    /// `%v` (number of the event), `%t` (number of the camera) and `%%`.
    package static let specifiers: Set<Character> = [
        "Y", "y", "C", "m", "d", "e", "j", "b", "B", "h", "a", "A", "u", "w", "U", "V", "W", "G", "g", "H", "I", "k", "l", "M", "S",
        "p", "P", "s", "f", "z", "Z", "F", "T", "R", "q", "v", "t", "%",
    ]

    /// Nil when a pattern is safe, else what is wrong with it, for a person.
    package static func refusal(of pattern: String) -> String? {
        if pattern.isEmpty { return "file name pattern must not be empty" }
        if pattern.utf8.count > maxLength { return "file name pattern must be at most \(maxLength) characters long" }
        if pattern.hasPrefix("/") { return "file name pattern must not start with '/'" }
        if pattern.contains("..") { return "file name pattern must not contain '..'" }
        if pattern.unicodeScalars.contains(where: { isControl($0) || $0 == "\\" }) {
            return "file name pattern must not contain backslashes or control characters"
        }
        for part in pattern.split(separator: "/", omittingEmptySubsequences: false) {
            if part.isEmpty { return "file name pattern must not contain empty path parts" }
            if part.hasPrefix(".") { return "no part of a file name pattern may start with '.'" }
            if trimmed(String(part)) != part { return "no part of a file name pattern may begin or end with a space" }
        }
        var rest = pattern[...]
        while let percent = rest.firstIndex(of: "%") {
            rest = rest[rest.index(after: percent)...]
            guard let letter = rest.popFirst() else { return "file name pattern must not end with '%'" }
            guard specifiers.contains(letter) else { return "file name pattern has an unknown specifier '%\(letter)'" }
        }
        return nil
    }
}
