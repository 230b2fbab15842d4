package import Logging

#if canImport(Glibc)
    import Glibc
#endif

/// One entry of the log as a line of names and values (`logfmt`), which people read and programs take apart:
/// `time=2026-11-22T21:16:59.012Z level=notice source=NVRMedia msg="stream ended" camera=1 retry_s=2.5`.
package enum LogLine {
    /// Bytes of a line at most.
    package static let longest = 8 << 10

    /// A line without its end, free of credentials. `time`: microseconds since 1970 UTC.
    package static func text(
        time: Int64, level: Logger.Level, source: String, message: String, metadata: [(String, String)]
    ) -> String {
        var line = "time=\(Self.time(time)) level=\(level.rawValue) source=\(source) msg=\(quoted(message, always: true))"
        for (name, value) in metadata { line += " \(name.isEmpty ? "_" : String(name.map { isPlain($0) ? $0 : "_" }))=\(quoted(value))" }
        line = redactedText(line)
        guard line.utf8.count > longest else { return line }
        return String(decoding: line.utf8.prefix(longest - 8), as: UTF8.self) + "…"
    }

    /// The level of a line; nil for a line that is none of ours.
    package static func level(of line: Substring) -> Logger.Level? { field("level", of: line).flatMap { Logger.Level(rawValue: String($0)) } }

    /// The module that a line comes from.
    package static func source(of line: Substring) -> Substring? { field("source", of: line) }

    /// One of the fields at the beginning of a line, which are never quoted.
    private static func field(_ name: String, of line: Substring) -> Substring? {
        for word in line.prefix(160).split(separator: " ", maxSplits: 3) where word.hasPrefix(name + "=") { return word.dropFirst(name.count + 1) }
        return nil
    }

    /// A value of one line: in quotes where it holds anything that would end it.
    private static func quoted(_ value: String, always: Bool = false) -> String {
        guard always || value.isEmpty || value.unicodeScalars.contains(where: { $0.value <= 0x20 || $0 == "\"" || $0 == "=" || $0.value == 0x7F })
        else {
            return value
        }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: text += "?"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    private static func isPlain(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "_.-".contains(character))
    }

    private static func time(_ microseconds: Int64) -> String {
        var seconds = time_t(microseconds / 1_000_000)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        func padded(_ value: Int, _ width: Int = 2) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let date = "\(padded(Int(fields.tm_year) + 1900, 4))-\(padded(Int(fields.tm_mon) + 1))-\(padded(Int(fields.tm_mday)))"
        let clock = "\(padded(Int(fields.tm_hour))):\(padded(Int(fields.tm_min))):\(padded(Int(fields.tm_sec)))"
        return "\(date)T\(clock).\(padded(Int(max(0, microseconds % 1_000_000) / 1000), 3))Z"
    }
}

/// Writes entries as `LogLine`s: to standard error, and to a file when there is one.
package struct LineLogHandler: LogHandler {
    package var logLevel = Logger.Level.info
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let file: LogFile?

    package init(file: LogFile?) { self.file = file }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata
        if let more = metadataProvider?.get() { all.merge(more) { $1 } }
        if let more = event.metadata { all.merge(more) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        let line = LogLine.text(
            time: SystemClock().wall(), level: event.level, source: event.source, message: "\(event.message)",
            metadata: all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") })
        Self.say(line)
        file?.write(line)
    }

    /// One call for a line, so that lines of threads do not mix.
    private static func say(_ line: String) {
        var rest = Array((line + "\n").utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
