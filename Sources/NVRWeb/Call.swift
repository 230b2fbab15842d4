package import HTTPTypes
package import Hummingbird
package import NVRAccounts
package import NVRModel

/// One request as a route sees it: matched, authorised, its body read.
package struct Call: Sendable {
    package let head: HTTPRequest
    /// Decoded path parameters of the route's pattern.
    package let parameters: [String: String]
    package let query: QueryItems
    package let body: ByteBuffer
    /// Who calls; nil on anonymous routes.
    package let caller: Identity?
    package let client: ClientAddress
    /// False when the path, in any encoding, names something else than itself: `..`, a hidden slash.
    package let isPathSafe: Bool
    package let context: AppContext

    /// The caller of a route that is not anonymous.
    package func requireCaller() throws -> Identity {
        guard let caller else { throw HTTPFailure.notAuthenticated }
        return caller
    }

    /// A path parameter that is an id. A number that is none is a 422 as in the reference; one that is too large exists nowhere.
    package func id<Subject>(_ name: String, of: Subject.Type = Subject.self) throws -> ID<Subject> {
        let text = JSONValue.string(parameters[name] ?? "")
        return ID(Int64(try FieldCheck.integer(text, limits: .min ... .max, loc: [.key("path"), .key(name)]).get()))
    }

    /// The body as JSON. Throws the 422 of an empty body and of one that is no JSON.
    package func json() throws -> JSONValue {
        guard body.readableBytes > 0 else {
            throw FieldProblems([FieldProblem(type: "missing", loc: [.key("body")], msg: "Field required", input: .null)])
        }
        do {
            return try JSONValue(parsing: body.readableBytesView)
        } catch {
            throw FieldProblems([.syntax(error)])
        }
    }

    /// The body as JSON that has to be an object.
    package func object() throws -> JSONObject {
        let value = try json()
        guard let object = value.object else { throw FieldProblems([.notAnObject([.key("body")], input: value)]) }
        return object
    }

    /// The body as a list of ids: a bare list, or an object that holds it under `key`.
    package func ids<Subject>(key: String, of: Subject.Type = Subject.self) throws -> [ID<Subject>] {
        let value = try json()
        var loc: [FieldProblem.Step] = [.key("body")]
        var list = value
        if case .object(let object) = value {
            loc.append(.key(key))
            guard let member = object[key] else { throw FieldProblems([.missing(loc, body: value)]) }
            list = member
        }
        guard let elements = list.array else {
            throw FieldProblems([FieldProblem(type: "list_type", loc: loc, msg: "Input should be a valid list", input: list)])
        }
        guard elements.count <= Self.mostIDs else {
            throw FieldProblems([.value(loc, "a list may hold at most \(Self.mostIDs) ids", input: .null)])
        }
        var fields = FieldReader()
        let ids = elements.enumerated().map { index, element in
            ID<Subject>(Int64(fields.value(FieldCheck.integer(element, limits: .min ... .max, loc: loc + [.index(index)])) ?? 0))
        }
        try fields.finish()
        return ids
    }

    /// Ids one request may name.
    package static let mostIDs = 10_000

    /// A flag of the query; false when absent.
    package func flag(_ name: String) throws -> Bool {
        guard let text = query[name] else { return false }
        return try FieldCheck.boolean(.string(text), loc: [.key("query"), .key(name)]).get()
    }
}

/// Collects what is wrong with the fields of a request, so that one answer names it all.
package struct FieldReader {
    private var problems: [FieldProblem] = []

    package init() {}

    /// The value, or nil after having noted the problem.
    package mutating func value<Value>(_ outcome: FieldCheck.Outcome<Value>) -> Value? {
        switch outcome {
        case .success(let value): return value
        case .failure(let failure):
            problems += failure.problems
            return nil
        }
    }

    /// An integer of the query; `fallback` when absent.
    package mutating func integer(_ query: QueryItems, _ name: String, default fallback: Int, limits: ClosedRange<Int>) -> Int {
        guard let text = query[name] else { return fallback }
        return value(FieldCheck.integer(.string(text), limits: limits, loc: [.key("query"), .key(name)])) ?? fallback
    }

    /// A list of ids of a body; nil when it is absent or null.
    package mutating func ids<Subject>(_ body: JSONObject, _ name: String, of: Subject.Type = Subject.self) -> [ID<Subject>]? {
        guard let sent = body[name], sent != .null else { return nil }
        let loc: [FieldProblem.Step] = [.key("body"), .key(name)]
        guard let elements = sent.array else {
            note(FieldProblem(type: "list_type", loc: loc, msg: "Input should be a valid list", input: sent))
            return nil
        }
        guard elements.count <= Call.mostIDs else {
            note(.value(loc, "a list may hold at most \(Call.mostIDs) ids", input: .null))
            return nil
        }
        return elements.enumerated().compactMap { index, element in
            value(FieldCheck.integer(element, limits: .min ... .max, loc: loc + [.index(index)])).map { ID<Subject>(Int64($0)) }
        }
    }

    /// A text of a body; nil when it is absent, null or wrong. A required one that is absent is noted.
    package mutating func text(_ body: JSONObject, _ name: String, length: ClosedRange<Int>, required: Bool = false) -> String? {
        let loc: [FieldProblem.Step] = [.key("body"), .key(name)]
        guard let sent = body[name] else {
            if required { note(.missing(loc, body: .object(body))) }
            return nil
        }
        if sent == .null, !required { return nil }
        return value(FieldCheck.text(sent, length: length, loc: loc))
    }

    /// A name of a body: 1…100 characters after trimming.
    package mutating func name(_ body: JSONObject, required: Bool) -> String? {
        var body = body
        // Trimming what is far too long would only cost time.
        if let text = body["name"]?.string, text.utf8.count <= 10_000 { body["name"] = .string(trimmed(text)) }
        return text(body, "name", length: 1...100, required: required)
    }

    package mutating func note(_ problem: FieldProblem) { problems.append(problem) }

    /// Throws all that was noted.
    package func finish() throws(FieldProblems) {
        if !problems.isEmpty { throw FieldProblems(problems) }
    }
}
