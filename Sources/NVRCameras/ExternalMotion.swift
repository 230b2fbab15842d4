package import NVRModel

/// Motion that somebody else reports, a sensor or an automation: it lasts until it is told to be over, or until nothing has been told
/// of it for a while, so that a lost message never records for ever. Pure: time is passed in.
package struct ExternalMotion: Sendable {
    /// Microseconds without a word after which motion is over.
    package static let longestSilence: Int64 = 60_000_000

    /// Monotonic microseconds of the last word; nil while there is no motion.
    private var lastWord: Int64?

    package init() {}

    package var isOn: Bool { lastWord != nil }

    /// True when motion begins with this word.
    package mutating func reported(now: Int64) -> Bool {
        defer { lastWord = now }
        return lastWord == nil
    }

    /// True when there was motion, which is over now.
    package mutating func ended() -> Bool {
        defer { lastWord = nil }
        return lastWord != nil
    }

    /// Microseconds until the silence ends motion; nil while there is none.
    package func untilSilence(now: Int64) -> Int64? { lastWord.map { max(0, $0 + Self.longestSilence - now) } }

    /// True when motion is over because of the silence.
    package mutating func tick(now: Int64) -> Bool {
        guard let lastWord, now - lastWord >= Self.longestSilence else { return false }
        return ended()
    }

    /// When motion that is reported at `now` began: at the time that the report names, as long as `before` seconds reach back to it.
    package static func start(named: WallTime?, now: WallTime, before: Int) -> WallTime {
        guard let named, named <= now, named >= now.advanced(byMicroseconds: -Int64(before) * 1_000_000) else { return now }
        return named
    }
}
