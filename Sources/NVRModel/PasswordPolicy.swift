/// The least a password must be: long enough, not one of the first that anybody would try, not the user's own name.
package enum PasswordPolicy {
    package static let minLength = 8
    /// Bytes; longer texts only cost time.
    package static let maxBytes = 1024

    /// Why a password is refused, for a person; nil when it is fine.
    package static func refusal(of password: String, username: String) -> String? {
        if password.utf8.count > maxBytes { return "Password must be at most \(maxBytes) bytes long" }
        if password.count < minLength { return "Password must have at least \(minLength) characters" }
        let lower = password.lowercased()
        let name = username.lowercased()
        if lower == name || lower == String(name.reversed()) || (!name.isEmpty && lower == name + name) {
            return "Password must not be the username"
        }
        if name.count >= 3, lower.hasPrefix(name), lower.dropFirst(name.count).allSatisfy(\.isNumber) {
            return "Password must not be the username with a number"
        }
        if Set(lower).count < 3 || isRun(lower) { return "Password is too simple" }
        let core = lower.filter { $0.isLetter || $0.isNumber }
        let letters = String(core.reversed().drop { $0.isNumber }.reversed())
        if common.contains(lower) || common.contains(core) || (core.count < 14 && common.contains(letters)) {
            return "Password is too common"
        }
        return nil
    }

    /// True for texts such as `12345678` and `hgfedcba`.
    private static func isRun(_ text: String) -> Bool {
        let codes = text.unicodeScalars.map { Int($0.value) }
        let steps = zip(codes, codes.dropFirst()).map { $1 - $0 }
        guard let first = steps.first, abs(first) <= 1 else { return false }
        return steps.allSatisfy { $0 == first }
    }

    private static let common: Set<String> = [
        "password", "passwort", "passw0rd", "p4ssw0rd", "pa55word", "motdepasse", "contraseña", "qwerty", "qwertyui", "qwertyuiop",
        "qwertz", "qwertzui", "qwertzuiop", "azerty", "azertyuiop", "asdfghjk", "asdfghjkl", "yxcvbnm", "zxcvbnm", "iloveyou", "letmein",
        "letmeinnow", "welcome", "admin", "administrator", "adminadmin", "root", "rootroot", "changeme", "changeit", "default", "secret",
        "sunshine", "princess", "football", "baseball", "superman", "batman", "trustno1", "trustno", "dragon", "monkey", "master",
        "shadow", "michael", "computer", "internet", "samsung", "starwars", "whatever", "abcdefgh", "abcabcabc", "abcd1234", "abc12345",
        "1q2w3e4r", "1q2w3e4r5t", "q1w2e3r4", "1qaz2wsx", "qazwsxedc", "a1b2c3d4", "12341234", "11223344", "12121212", "123123123",
        "13131313", "1234567890", "0123456789", "147258369", "987654321", "camera", "kamera", "security", "surveillance", "vibenvr",
        "nvr", "hikvision", "dahua", "raspberry", "ubnt", "guest", "user", "test", "testtest", "demo", "login", "hello",
    ]
}
