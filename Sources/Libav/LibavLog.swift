import CFFmpeg
import Synchronization

/// libav's process-wide log, taken off stderr and, if somebody asked for it, handed on with credentials removed.
package enum LibavLog {
    package enum Level: Int32, Comparable, Sendable {
        case error = 16
        case warning = 24
        case note = 32
        case debug = 48

        package static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    /// Receives a line: its level and its text without line end or credentials. Called on whatever thread libav runs;
    /// must not block.
    package typealias Sink = @Sendable (Level, String) -> Void

    private struct Target {
        var limit: Level = .error
        var sink: Sink?
    }

    private static let target = Mutex(Target())
    /// Read on every log call, which is far more often than lines are wanted: no lock there.
    private static let limit = Atomic<Int32>(Int32.min)

    /// Hands lines of `limit` and more serious ones to `sink`; nil silences libav, which is the state at start.
    package static func install(limit level: Level = .warning, sink: Sink?) {
        _ = Libav.setUp
        target.withLock { $0 = Target(limit: level, sink: sink) }
        limit.store(sink == nil ? Int32.min : level.rawValue, ordering: .relaxed)
    }

    static func takeOver() {
        av_log_set_callback { object, level, format, arguments in
            guard level <= LibavLog.limit.load(ordering: .relaxed), let format, let arguments else { return }
            var line = [CChar](repeating: 0, count: 1024)
            var printPrefix: Int32 = 1
            _ = av_log_format_line2(object, level, format, arguments, &line, Int32(line.count), &printPrefix)
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            LibavLog.write(level, text)
        }
    }

    private static func write(_ level: Int32, _ text: String) {
        guard let sink = target.withLock({ $0.sink }) else { return }
        let kind: Level =
            level <= Level.error.rawValue ? .error : level <= Level.warning.rawValue ? .warning : level <= Level.note.rawValue ? .note : .debug
        sink(kind, redacted(text.trimmingLineEnd))
    }

    /// `text` with user, password and query of every URL in it replaced by "…", as both can carry secrets.
    package static func redacted(_ text: String) -> String {
        var result: [UInt8] = []
        let bytes = Array(text.utf8)
        result.reserveCapacity(bytes.count)
        let ellipsis = Array("…".utf8)
        var i = 0
        while i < bytes.count {
            guard bytes[i] == UInt8(ascii: ":"), i + 2 < bytes.count, bytes[i + 1] == UInt8(ascii: "/"), bytes[i + 2] == UInt8(ascii: "/") else {
                result.append(bytes[i])
                i += 1
                continue
            }
            result.append(contentsOf: bytes[i..<(i + 3)])
            i += 3
            // The URL ends at white space or a quote. Everything up to its last "@" before the path may be a password;
            // passwords with "/" or "?" in them are common enough that the last "@" of the whole URL counts.
            var end = i
            while end < bytes.count, bytes[end] > 0x20, bytes[end] != UInt8(ascii: "'"), bytes[end] != UInt8(ascii: "\"") { end += 1 }
            if let at = bytes[i..<end].lastIndex(of: UInt8(ascii: "@")) {
                result.append(contentsOf: ellipsis)
                i = at
            }
            while i < end {
                if bytes[i] == UInt8(ascii: "?") {
                    result.append(UInt8(ascii: "?"))
                    result.append(contentsOf: ellipsis)
                    break
                }
                result.append(bytes[i])
                i += 1
            }
            i = end
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension String {
    fileprivate var trimmingLineEnd: String {
        var copy = self[...]
        while let last = copy.last, last.isNewline { copy.removeLast() }
        return String(copy)
    }
}
