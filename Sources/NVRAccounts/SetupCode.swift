/// The code that the server logs at its first start: who makes the first administrator from another machine must have read it.
package struct SetupCode: Sendable {
    /// `XXXX-XXXX`, without letters and digits that look alike: 40 bits, tried under the throttle of sign-ins.
    package let text: String

    package init() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("ABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        let letters = (0..<8).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
        text = String(letters[..<4]) + "-" + String(letters[4...])
    }

    /// Whether somebody typed the code, in any case, with or without the dash. Takes the same time wherever the texts differ.
    package func matches(_ typed: String?) -> Bool {
        guard let typed, typed.utf8.count <= 64 else { return false }
        let given = Array(typed.uppercased().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: " ") })
        let wanted = Array(text.utf8.filter { $0 != UInt8(ascii: "-") })
        guard given.count == wanted.count else { return false }
        var difference: UInt8 = 0
        for (left, right) in zip(given, wanted) { difference |= left ^ right }
        return difference == 0
    }
}
