#if canImport(Glibc)
    import Glibc
#endif

/// The name that the IANA database has for the server's time zone. Clocks are read by the C library; only pages need the name.
package enum TimeZoneName {
    /// The name, from where the C library takes its zone; nil where that has none, as with a rule such as `CET-1CEST`.
    package static var server: String? {
        var buffer = [CChar](repeating: 0, count: 1024)
        let count = readlink("/etc/localtime", &buffer, buffer.count)
        let link = count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
        return name(environment: getenv("TZ").map { String(cString: $0) }, link: link)
    }

    /// `environment`: the variable TZ (tzset(3)). `link`: where /etc/localtime points.
    package static func name(environment: String?, link: String?) -> String? {
        if let environment {
            let text = environment.hasPrefix(":") ? String(environment.dropFirst()) : environment
            // tzset(3): an empty variable is UTC.
            return text.isEmpty ? "UTC" : known(text)
        }
        guard let link else { return "UTC" }
        return known(link)
    }

    /// The part of a path that is a zone's name.
    private static func known(_ path: String) -> String? {
        let pieces = path.split(separator: "/", omittingEmptySubsequences: true)
        let start = pieces.lastIndex(of: "zoneinfo").map { $0 + 1 } ?? 0
        let name = pieces[start...].joined(separator: "/")
        let isPlain = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/_+-".contains($0)) }
        // Names have a region and a place, but for a few; rules in the form of POSIX have digits right behind letters.
        guard isPlain, name.contains("/") || ["UTC", "GMT", "Zulu", "Universal"].contains(name) else { return nil }
        return name
    }
}
