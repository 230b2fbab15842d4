/// What a setting of the server may be: its name in the API, its type with the limits, its default. `Settings` lists them all.
package struct SettingKey: Sendable {
    package enum Kind: Sendable, Hashable {
        /// `true` or `false`.
        case boolean
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case choice([String])
        /// Free text of at most so many characters, without control characters.
        case text(Int)
        /// A URL that something will be sent to, or empty: no loopback, no link-local address.
        case url(schemes: [String])
        /// Given by the server; what clients send is passed over.
        case server
    }

    package let name: String
    package let kind: Kind
    package let defaultText: String
    package let summary: String
    /// The summary, and whether the setting does anything.
    package var told: String { Settings.idle.contains(name) ? "\(summary) \(Self.idleNote)" : summary }
    /// The interface knows it by these words (`ServerSettings.tsx`).
    package static let idleNote = "(kept, but this server does not act on it)"
    /// Encrypted in the database and never answered.
    package let isSecret: Bool
    /// Whether every signed-in user may read it.
    package let isPublic: Bool
    /// What is wrong with a value outside the limits, where clients know certain words for it.
    let refusal: String?

    /// What is answered in the place of a secret that is set. Sent back, it leaves the secret as it is, so that a form may send all
    /// its fields.
    package static let mask = "••••••••"

    /// The value as it is stored, or why it is refused, for a person.
    package func check(_ text: String, rules: CameraURL.Rules) -> Result<String, SettingRefusal> {
        func refuse(_ reason: String) -> Result<String, SettingRefusal> { .failure(SettingRefusal(key: name, reason: reason)) }
        // White space at the ends of a password is part of it.
        let text = isSecret ? text : trimmed(text)
        switch kind {
        case .server: return refuse("it is given by the server")
        case .boolean:
            let lower = text.lowercased()
            return lower == "true" || lower == "false" ? .success(lower) : refuse("Must be 'true' or 'false'")
        case .integer(let limits):
            guard case .success(let number) = FieldCheck.integer(.string(text), limits: .min ... .max, loc: []) else {
                return refuse("Must be a whole number")
            }
            guard limits.contains(number) else { return refuse(refusal ?? "Must be between \(limits.lowerBound) and \(limits.upperBound)") }
            return .success(String(number))
        case .number(let limits):
            guard let number = FieldCheck.parseNumber(text), number.isFinite else { return refuse("Must be a number") }
            guard limits.contains(number) else {
                return refuse(refusal ?? "Must be between \(Self.plain(limits.lowerBound)) and \(Self.plain(limits.upperBound))")
            }
            return .success(Self.plain(number))
        case .choice(let choices):
            guard choices.contains(text) else { return refuse(refusal ?? "Must be one of: " + choices.joined(separator: ", ")) }
            return .success(text)
        case .text(let most):
            guard text.utf8.count <= 16 * most, text.count <= most else { return refuse("Must be at most \(most) characters long") }
            guard !text.unicodeScalars.contains(where: isControl) else { return refuse("Control characters are not allowed") }
            return .success(text)
        case .url(let schemes):
            if trimmed(text).isEmpty { return .success("") }
            switch CameraURL.check(text, schemes: schemes, rules: rules) {
            case .success(let url): return .success(url)
            case .failure(let refusal): return refuse(refusal.message)
            }
        }
    }

    /// `5` for 5.0, as people write it.
    static func plain(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : number.description
    }
}

/// Why a value was refused; never the value, which may be a secret.
package struct SettingRefusal: Error, Sendable, Hashable {
    package let key: String
    package let reason: String

    package var message: String { "Invalid value for \(key): \(reason)" }
}

/// A setting whose value has a type: what code names to read it from `SettingValues`.
package struct Setting<Value: Sendable>: Sendable {
    package let key: SettingKey
    let read: @Sendable (String) -> Value?
    let fallback: Value
}

/// The settings at one moment: what is stored, and defaults for the rest.
package struct SettingValues: Sendable {
    private let stored: [String: String]

    package init(stored: [String: String] = [:]) { self.stored = stored }

    /// The value; the default where nothing is stored, and where a stored text has come to be outside of the limits.
    package subscript<Value>(_ setting: Setting<Value>) -> Value {
        stored[setting.key.name].flatMap(setting.read) ?? setting.fallback
    }

    /// The value as text, secrets too.
    package func text(_ key: SettingKey) -> String { stored[key.name] ?? key.defaultText }

    /// The value as the API answers it: a secret that is set is told by a mask.
    package func shown(_ key: SettingKey) -> String {
        let text = text(key)
        return key.isSecret && !text.isEmpty ? SettingKey.mask : text
    }
}

extension Setting where Value == Bool {
    init(_ name: String, default value: Bool, public isPublic: Bool = false, _ summary: String) {
        key = SettingKey(
            name: name, kind: .boolean, defaultText: value ? "true" : "false", summary: summary, isSecret: false, isPublic: isPublic, refusal: nil)
        read = { $0 == "true" ? true : $0 == "false" ? false : nil }
        fallback = value
    }
}

extension Setting where Value == Int {
    init(_ name: String, _ limits: ClosedRange<Int>, default value: Int, refusal: String? = nil, _ summary: String) {
        key = SettingKey(
            name: name, kind: .integer(limits), defaultText: String(value), summary: summary, isSecret: false, isPublic: false, refusal: refusal)
        read = { text in Int(text).flatMap { limits.contains($0) ? $0 : nil } }
        fallback = value
    }
}

extension Setting where Value == Double {
    init(_ name: String, _ limits: ClosedRange<Double>, default value: Double, _ summary: String) {
        key = SettingKey(
            name: name, kind: .number(limits), defaultText: SettingKey.plain(value), summary: summary, isSecret: false, isPublic: false, refusal: nil)
        read = { text in Double(text).flatMap { limits.contains($0) ? $0 : nil } }
        fallback = value
    }
}

extension Setting where Value == String {
    init(
        _ name: String, _ kind: SettingKey.Kind, default value: String = "", secret: Bool = false, public isPublic: Bool = false,
        refusal: String? = nil, _ summary: String
    ) {
        key = SettingKey(
            name: name, kind: kind, defaultText: value, summary: summary, isSecret: secret, isPublic: isPublic, refusal: refusal)
        read = { $0 }
        fallback = value
    }
}
