import NVRModel

/// A JSON Schema of OpenAPI 3.1 (JSON Schema draft 2020-12) in the making. Pure.
struct Schema: Sendable {
    private var members: JSONObject

    private init(_ members: JSONObject) { self.members = members }

    var json: JSONValue { .object(members) }

    // MARK: Simple values

    /// Any value at all.
    static let anything = Schema([:])
    static let null = Schema(["type": "null"])
    static let boolean = Schema(["type": "boolean"])
    /// The number of a row.
    static let id = Schema(["type": "integer", "format": "int64"])
    static let integer = Schema(["type": "integer"])
    static let number = Schema(["type": "number"])
    static let text = Schema(["type": "string"])
    /// ISO 8601 with `Z` or an offset.
    static let dateTime = Schema(["type": "string", "format": "date-time"])
    /// The bytes of a file.
    static let binary = Schema(["type": "string", "format": "binary"])

    static func integer(_ limits: ClosedRange<Int>) -> Schema {
        Schema(["type": "integer", "minimum": JSONValue(limits.lowerBound), "maximum": JSONValue(limits.upperBound)])
    }

    static func number(_ limits: ClosedRange<Double>) -> Schema {
        Schema(["type": "number", "minimum": .number(limits.lowerBound), "maximum": .number(limits.upperBound)])
    }

    /// Text of a length in characters. `format` may be one of our own: it tells a reader what a pattern cannot.
    static func text(_ length: ClosedRange<Int>, format: String? = nil, pattern: String? = nil) -> Schema {
        var members: JSONObject = ["type": "string"]
        if let format { members["format"] = .string(format) }
        if length.lowerBound > 0 { members["minLength"] = JSONValue(length.lowerBound) }
        members["maxLength"] = JSONValue(length.upperBound)
        if let pattern { members["pattern"] = .string(pattern) }
        return Schema(members)
    }

    static func choice(_ choices: [String]) -> Schema { Schema(["type": "string", "enum": .array(choices.map(JSONValue.string))]) }
    static func choice(_ choices: [Int]) -> Schema { Schema(["type": "integer", "enum": .array(choices.map { JSONValue($0) })]) }

    // MARK: Compositions

    static func array(of element: Schema, count: ClosedRange<Int>? = nil) -> Schema {
        var members: JSONObject = ["type": "array", "items": element.json]
        if let count {
            if count.lowerBound > 0 { members["minItems"] = JSONValue(count.lowerBound) }
            members["maxItems"] = JSONValue(count.upperBound)
        }
        return Schema(members)
    }

    /// An object with members that are always there and members that may be.
    static func object(_ required: KeyValuePairs<String, Schema>, optional: KeyValuePairs<String, Schema> = [:]) -> Schema {
        object(required: required.map { ($0.key, $0.value) }, optional: optional.map { ($0.key, $0.value) })
    }

    static func object(required: [(String, Schema)], optional: [(String, Schema)] = []) -> Schema {
        var properties = JSONObject()
        for (name, schema) in required + optional { properties[name] = schema.json }
        var members: JSONObject = ["type": "object", "properties": .object(properties)]
        if !required.isEmpty { members["required"] = .array(required.map { .string($0.0) }) }
        return Schema(members)
    }

    /// An object whose keys are values themselves, such as ids.
    static func map(of value: Schema) -> Schema { Schema(["type": "object", "additionalProperties": value.json]) }

    static func any(of schemas: [Schema]) -> Schema { Schema(["anyOf": .array(schemas.map(\.json))]) }

    /// A schema of `components/schemas`.
    static func named(_ name: String) -> Schema { Schema(["$ref": .string("#/components/schemas/" + name)]) }

    /// What stands beside a text for people: its code and the values in it.
    static let saidCode = Schema.text.orNull.described("What the text beside says, for programs; null for what has no code. New ones may come.")
    /// Beside a list of texts: each of them with its code.
    static let saidList = Schema.array(of: .object(["text": .text, "code": .saidCode, "parameters": .saidParameters]))
        .described("The same texts, each with what programs know it by.")
    static let saidParameters = Schema.map(of: .anything).orNull.described(
        "Values in the text by their names: text, or `{\"text\", \"code\", \"parameters\"}` for one that is a sentence itself.")

    // MARK: Additions

    /// The value, or null.
    var orNull: Schema {
        guard let type = members["type"]?.string, members["enum"] == nil else { return .any(of: [self, .null]) }
        return with("type", .array([.string(type), "null"]))
    }

    func described(_ text: String) -> Schema { with("description", .string(text)) }
    func example(_ value: JSONValue) -> Schema { with("examples", .array([value])) }
    func byDefault(_ value: JSONValue) -> Schema { with("default", value) }

    private func with(_ key: String, _ value: JSONValue) -> Schema {
        var members = members
        members[key] = value
        return Schema(members)
    }
}
