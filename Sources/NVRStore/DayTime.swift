/// A part of every day, as the clocks on the server's wall show it: from nine to five, or from ten at night to six.
package struct DayTime: Sendable, Hashable {
    /// The clocks are this far from UTC from a moment on.
    package struct Clock: Sendable, Hashable {
        /// Seconds since 1970 UTC.
        package var since: Int64
        /// Seconds east of UTC.
        package var offset: Int64

        package init(since: Int64, offset: Int64) {
            self.since = since
            self.offset = offset
        }
    }

    /// Seconds since midnight, 0..<86,400.
    package let start: Int64
    /// Seconds, 1...86,400; may go on past midnight.
    package let length: Int64
    /// Oldest first; the first also tells of what lies before it. Empty: UTC.
    package let clocks: [Clock]

    package init(start: Int64, length: Int64, clocks: [Clock]) {
        self.start = start
        self.length = length
        self.clocks = clocks
    }

    static let aDay: Int64 = 86_400

    /// Quarters of an hour since 1970 lie wholly inside or outside.
    var isOfQuarters: Bool { ([start, length] + clocks.flatMap { [$0.since, $0.offset] }).allSatisfy { $0 % 900 == 0 } }

    /// A condition on `second`, an SQL expression of seconds since 1970; two arguments: start and length. What the clocks show stands in
    /// the text, newest first, since it is the same in every query of a server.
    func condition(on second: String) -> String {
        let whens = clocks.dropFirst().reversed().map { "WHEN \(second) >= \($0.since) THEN \($0.offset) " }.joined()
        let usual = clocks.first?.offset ?? 0
        let offset = whens.isEmpty ? "\(usual)" : "CASE \(whens)ELSE \(usual) END"
        // 2 days: offsets go west as well, and the remainder must not be negative.
        return "(\(second) + \(2 * Self.aDay) + (\(offset)) - ?) % \(Self.aDay) < ?"
    }
}
