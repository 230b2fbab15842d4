/// One entry of a 422 answer: which field of a body or query was refused and why, in pydantic's words, as clients know them.
package struct FieldProblem: Sendable, Hashable {
    /// A step of the path to the field.
    package enum Step: Sendable, Hashable {
        case key(String)
        case index(Int)
    }

    /// "missing", "string_type", "int_parsing", "value_error", …
    package var type: String
    package var loc: [Step]
    package var msg: String
    /// What was sent, without secrets: see `JSONValue.redacted`.
    package var input: JSONValue
    package var ctx: JSONValue?

    /// `input` is redacted here, so that no caller can forget it.
    package init(type: String, loc: [Step], msg: String, input: JSONValue, ctx: JSONValue? = nil) {
        self.type = type
        self.loc = loc
        self.msg = msg
        self.input = input.redacted(key: loc.last)
        self.ctx = ctx
    }

    /// What is wrong, without the words in front that say that it is a rule of ours.
    package var reason: String { msg.hasPrefix(Self.ownRuleOpening) ? String(msg.dropFirst(Self.ownRuleOpening.count)) : msg }

    /// The entry as the API answers it.
    package var json: JSONValue {
        var object: JSONObject = [
            "type": .string(type),
            "loc": .array(
                loc.map { step in
                    switch step {
                    case .key(let key): .string(key)
                    case .index(let index): JSONValue(index)
                    }
                }),
            "msg": .string(msg),
            "input": input,
        ]
        if let ctx { object["ctx"] = ctx }
        if type == Self.ownRule, let reason = Reason(String(msg.dropFirst(Self.ownRuleOpening.count))) {
            object["msg_code"] = .string(reason.code)
            object["msg_parameters"] = reason.parametersJSON
        }
        return .object(object)
    }

    /// A field that must be there is not; `body` is what was sent instead.
    package static func missing(_ loc: [Step], body: JSONValue) -> FieldProblem {
        FieldProblem(type: "missing", loc: loc, msg: "Field required", input: body)
    }

    /// A body that is no JSON.
    package static func syntax(_ error: JSONSyntaxError) -> FieldProblem {
        FieldProblem(
            type: "json_invalid", loc: [.key("body"), .index(error.offset)], msg: "JSON decode error", input: .object([:]),
            ctx: ["error": .string(error.message)])
    }

    private static let ownRule = "value_error"
    private static let ownRuleOpening = "Value error, "

    /// A rule of ours is broken.
    package static func value(_ loc: [Step], _ message: String, input: JSONValue) -> FieldProblem {
        FieldProblem(type: ownRule, loc: loc, msg: ownRuleOpening + message, input: input, ctx: ["error": [:]])
    }

    /// A body that is JSON, yet no object.
    package static func notAnObject(_ loc: [Step], input: JSONValue) -> FieldProblem {
        FieldProblem(
            type: "model_attributes_type", loc: loc, msg: "Input should be a valid dictionary or object to extract fields from",
            input: input)
    }
}

/// All that is wrong with a body or a query: the web layer answers 422 with it.
package struct FieldProblems: Error, Sendable, Hashable {
    package var problems: [FieldProblem]

    package init(_ problems: [FieldProblem]) { self.problems = problems }

    /// The body of the answer: `{"detail": […]}`.
    package var json: JSONValue { ["detail": .array(problems.map(\.json))] }
}

// MARK: - Redaction

extension JSONValue {
    /// A copy that may be answered or logged: values under keys that name secrets become dots, URLs lose their credentials, texts
    /// and lists are cut to a length that cannot be abused.
    package func redacted(key: FieldProblem.Step? = nil) -> JSONValue {
        if case .key(let name) = key, Self.namesSecret(name) {
            switch self {
            case .null, .bool: return self
            // The whole body is echoed when a secret field is missing from it: its own members are looked at below.
            case .object: break
            default: return .string("•••")
            }
        }
        switch self {
        case .string(let text): return .string(Self.cut(redactingURLCredentials(in: text)))
        case .array(let elements): return .array(elements.prefix(100).map { $0.redacted() })
        case .object(let object):
            var copy = JSONObject()
            for name in object.keys.prefix(200) { copy[Self.cut(name)] = object[name]?.redacted(key: .key(name)) }
            return .object(copy)
        default: return self
        }
    }

    private static func cut(_ text: String) -> String { text.utf8.count <= 1000 ? text : String(text.prefix(250)) + "…" }

    /// Whether a field of this name holds something that must not be shown.
    package static func namesSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        return ["password", "passwd", "passphrase", "token", "secret", "api_key", "apikey", "webhook_url", "totp", "recovery_code", "proxy_url"]
            .contains { name.contains($0) } || name == "code"
    }
}

/// Takes credentials out of a URL text: user info, and values of parameters that name a password, wherever cameras put them
/// (`?user=a&password=b`, `/user=a_password=b`). Text without them is returned as it is.
package func redactingURLCredentials(in text: String) -> String {
    var text = text
    if let scheme = firstRange(of: "://", in: text), let at = text[scheme.upperBound...].lastIndex(of: "@") {
        text = text[..<scheme.upperBound] + "•••@" + text[text.index(after: at)...]
    }
    var out = ""
    var rest = text[...]
    while let equals = rest.firstIndex(of: "=") {
        let after = rest.index(after: equals)
        out += rest[..<after]
        let lead = rest[..<equals].lowercased()
        rest = rest[after...]
        if ["password", "passwd", "pass", "pwd", "psw", "token", "secret", "auth", "key"].contains(where: lead.hasSuffix) {
            let end = rest.firstIndex { "&;/?#".contains($0) } ?? rest.endIndex
            if end > rest.startIndex { out += "•••" }
            rest = rest[end...]
        }
    }
    return out + rest
}

private func firstRange(of needle: String, in text: String) -> Range<String.Index>? {
    var start = text.startIndex
    while start < text.endIndex {
        if text[start...].hasPrefix(needle) { return start..<text.index(start, offsetBy: needle.count) }
        start = text.index(after: start)
    }
    return nil
}
