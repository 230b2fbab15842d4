/// A JSON document as a value, for bodies whose shape is checked field by field and for settings stored as text.
package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

/// Members of a JSON object in the order they were written; a repeated key keeps its first place and its last value.
package struct JSONObject: Sendable, Hashable {
    package private(set) var keys: [String] = []
    private var values: [String: JSONValue] = [:]

    package init() {}

    package var isEmpty: Bool { keys.isEmpty }
    package var count: Int { keys.count }

    /// The value of a key; nil when the key is absent. Assigning nil removes the key.
    package subscript(key: String) -> JSONValue? {
        get { values[key] }
        set {
            if let newValue {
                if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
            } else if values.removeValue(forKey: key) != nil {
                keys.removeAll { $0 == key }
            }
        }
    }

    /// Calls `body` for every member in order.
    package func forEach(_ body: (String, JSONValue) throws -> Void) rethrows {
        for key in keys { try body(key, values[key] ?? .null) }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (key, value) in elements { self[key] = value }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }

    package init(_ value: Bool) { self = .bool(value) }
    package init(_ value: Int) { self = .integer(Int64(value)) }
    package init(_ value: Double) { self = .number(value) }
    package init(_ value: String) { self = .string(value) }
    /// The text, or null when there is none.
    package init(_ value: String?) { self = value.map(JSONValue.string) ?? .null }
    package init(_ value: Int?) { self = value.map { .integer(Int64($0)) } ?? .null }
    package init(_ value: Double?) { self = value.map(JSONValue.number) ?? .null }

    /// The members when this is an object.
    package var object: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The elements when this is an array.
    package var array: [JSONValue]? {
        if case .array(let array) = self { array } else { nil }
    }

    /// The text when this is a string.
    package var string: String? {
        if case .string(let string) = self { string } else { nil }
    }

    /// A member of an object; nil when this is no object or has no such key.
    package subscript(key: String) -> JSONValue? { object?[key] }
}

// MARK: - Writing

extension JSONValue {
    /// The document as UTF-8 JSON without spaces. Numbers that JSON cannot write (infinite, NaN) become null.
    package func serialized() -> String {
        var out = ""
        write(to: &out)
        return out
    }

    private func write(to out: inout String) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .integer(let value): out += String(value)
        case .number(let value): out += value.isFinite ? value.description : "null"
        case .string(let value): Self.write(value, to: &out)
        case .array(let values):
            out += "["
            var isFirst = true
            for value in values {
                if !isFirst { out += "," }
                isFirst = false
                value.write(to: &out)
            }
            out += "]"
        case .object(let object):
            out += "{"
            var isFirst = true
            object.forEach { key, value in
                if !isFirst { out += "," }
                isFirst = false
                Self.write(key, to: &out)
                out += ":"
                value.write(to: &out)
            }
            out += "}"
        }
    }

    private static func write(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            // U+2028 and U+2029 end a line in JavaScript; escaping them keeps the text safe inside a script as well.
            case "\u{0}"..."\u{1F}", "\u{7F}", "\u{2028}", "\u{2029}":
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
