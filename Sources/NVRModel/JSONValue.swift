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
    private var values: [JSONValue] = []
    /// Places by key, of objects with more members than are looked through faster.
    private var places: [String: Int]?

    /// Members up to which no table of places is kept.
    private static let few = 16

    package init() {}

    package var isEmpty: Bool { keys.isEmpty }
    package var count: Int { keys.count }

    /// The value of a key; nil when the key is absent. Assigning nil removes the key.
    package subscript(key: String) -> JSONValue? {
        get { place(of: key).map { values[$0] } }
        set {
            switch (place(of: key), newValue) {
            case (let place?, let value?): values[place] = value
            case (nil, let value?):
                keys.append(key)
                values.append(value)
                if places != nil { places?[key] = keys.count - 1 } else if keys.count > Self.few { index() }
            case (let place?, nil):
                keys.remove(at: place)
                values.remove(at: place)
                if places != nil { index() }
            case (nil, nil): break
            }
        }
    }

    private func place(of key: String) -> Int? {
        if let places { return places[key] }
        return keys.firstIndex(of: key)
    }

    private mutating func index() {
        places = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, $0) })
    }

    package static func == (left: Self, right: Self) -> Bool { left.keys == right.keys && left.values == right.values }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(keys)
        hasher.combine(values)
    }

    /// Calls `body` for every member in order.
    package func forEach(_ body: (String, JSONValue) throws -> Void) rethrows {
        for place in keys.indices { try body(keys[place], values[place]) }
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
    /// The document as JSON without spaces.
    package func serialized() -> String { String(decoding: serializedBytes(), as: UTF8.self) }

    /// The same as UTF-8. Numbers that JSON cannot write (infinite, NaN) become null.
    package func serializedBytes() -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(1024)
        write(to: &out)
        return out
    }

    private func write(to out: inout [UInt8]) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): out.append(contentsOf: String(value).utf8)
        case .number(let value): Self.append(value, to: &out)
        case .string(let value): Self.append(value, to: &out)
        case .array(let values):
            out.append(UInt8(ascii: "["))
            var isFirst = true
            for value in values {
                if !isFirst { out.append(UInt8(ascii: ",")) }
                isFirst = false
                value.write(to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .object(let object):
            out.append(UInt8(ascii: "{"))
            var isFirst = true
            object.forEach { key, value in
                if !isFirst { out.append(UInt8(ascii: ",")) }
                isFirst = false
                Self.append(key, to: &out)
                out.append(UInt8(ascii: ":"))
                value.write(to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }

    /// Adds a number as JSON.
    package static func append(_ value: Double, to out: inout [UInt8]) {
        out.append(contentsOf: (value.isFinite ? value.description : "null").utf8)
    }

    package static func append(_ value: Int64, to out: inout [UInt8]) {
        // Lists have hundreds of numbers; making a text of each first takes five times as long.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var place = digits.count
            var rest = value.magnitude
            repeat {
                place -= 1
                digits[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if value < 0 { out.append(UInt8(ascii: "-")) }
            out.append(contentsOf: UnsafeBufferPointer(rebasing: digits[place...]))
        }
    }

    /// Adds a text as JSON, with its quotation marks.
    package static func append(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        var text = text
        // Nearly every text is written as it is.
        let isPlain = text.withUTF8 { bytes in
            guard bytes.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && $0 != 0x7F && $0 != 0xE2 }) else {
                return false
            }
            out.append(contentsOf: bytes)
            return true
        }
        if !isPlain { writeEscaped(text, to: &out) }
        out.append(UInt8(ascii: "\""))
    }

    private static func writeEscaped(_ text: String, to out: inout [UInt8]) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out.append(contentsOf: "\\\"".utf8)
            case "\\": out.append(contentsOf: "\\\\".utf8)
            case "\n": out.append(contentsOf: "\\n".utf8)
            case "\r": out.append(contentsOf: "\\r".utf8)
            case "\t": out.append(contentsOf: "\\t".utf8)
            // U+2028 and U+2029 end a line in JavaScript; escaping them keeps the text safe inside a script as well.
            case "\u{0}"..."\u{1F}", "\u{7F}", "\u{2028}", "\u{2029}":
                let hex = String(scalar.value, radix: 16)
                out.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - hex.count) + hex).utf8)
            default: out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
    }
}
