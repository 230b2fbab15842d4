package import HTTPTypes
package import NVRModel

/// The OpenAPI 3.1 document of what is really served: paths, parameters and rights come from the route table, the rest from the
/// descriptions in this folder. Pure.
package enum OpenAPIDocument {
    /// What the route table knows of a route.
    package struct Line: Sendable {
        package let method: HTTPRequest.Method
        package let pattern: String
        package let access: RouteAccess

        package init(_ method: HTTPRequest.Method, _ pattern: String, _ access: RouteAccess) {
            self.method = method
            self.pattern = pattern
            self.access = access
        }

        package init(_ route: Route) { self.init(route.method, route.pattern, route.access) }

        /// `GET /cameras/{camera_id}`, the key between table and descriptions.
        package var name: String { "\(method.rawValue) \(pattern)" }
    }

    /// The descriptions of every area.
    package static let operations: [Operation] =
        authOperations + cameraOperations + cameraFileOperations + groupOperations + storageOperations + s3Operations + liveOperations
        + eventOperations
        + eventIntakeOperations + replayOperations + timelineOperations + exportOperations + holdOperations + mediaOperations + backupOperations
        + systemOperations + twoFactorOperations + userOperations + apiKeyOperations + settingsOperations + maintenanceOperations
        + retentionOperations

    private static let byRoute = Dictionary(operations.map { ($0.route, $0) }, uniquingKeysWith: { first, _ in first })

    /// The document of these routes. A route that nobody described is left out; a test sees to it that there is none.
    package static func document(of lines: [Line], version: String) -> JSONValue {
        var paths = JSONObject()
        for line in lines {
            guard let operation = byRoute[line.name] else { continue }
            let path = operation.shownPath ?? line.pattern
            var item = paths[path]?.object ?? JSONObject()
            item[line.method.rawValue.lowercased()] = json(operation, line, path)
            paths[path] = .object(item)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "VibeNVR", "version": .string(version),
                "description": .string(introduction),
            ],
            "servers": [["url": "/", "description": "This server"], ["url": "/api", "description": "The same, for proxies that share a host"]],
            "tags": .array(Operation.Tag.allCases.map { ["name": .string($0.rawValue)] }),
            "paths": .object(paths),
            "components": [
                "securitySchemes": securitySchemes, "responses": sharedResponses,
                "schemas": .object(
                    schemas.reduce(into: JSONObject()) { object, entry in object[entry.0] = entry.1.json }),
            ],
        ]
    }

    private static let introduction = """
        Times are ISO 8601 in UTC. Unknown members of requests are ignored. Numbers and booleans may also be sent as text \
        (`"5"`, `"true"`). Errors are `{"detail": "text"}`, or a list of problems with status 422. \
        Beside texts that people meet stand a code and the values in them (`detail_code`, `detail_parameters`; `reason_code`, …). HEAD answers wherever GET does. \
        Every path is served under `/` and under `/api`.
        """

    // MARK: Rights

    private static let securitySchemes: JSONValue = [
        "bearer": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The `access_token` of a sign-in."],
        "authCookie": ["type": "apiKey", "in": "cookie", "name": "auth_token", "description": "Set by a sign-in; for the page."],
        "mediaCookie": [
            "type": "apiKey", "in": "cookie", "name": "media_token", "description": "Set by a sign-in; opens pictures and footage alone.",
        ],
        "apiKey": ["type": "apiKey", "in": "header", "name": "X-API-Key", "description": "Read-only, with the rights of the user who made it."],
        "webhookSecret": [
            "type": "apiKey", "in": "header", "name": "X-Webhook-Secret", "description": "What the server was started with; opens the webhook alone.",
        ],
    ]

    private static func security(_ access: RouteAccess) -> JSONValue {
        let schemes: [String]
        switch access {
        case .anonymous: schemes = []
        case .webhook: schemes = ["webhookSecret"]
        case .user, .admin: schemes = ["bearer", "authCookie"]
        case .userOrKey: schemes = ["bearer", "authCookie", "apiKey"]
        case .media: schemes = ["bearer", "authCookie", "mediaCookie", "apiKey"]
        }
        return .array(schemes.map { [$0: []] as JSONObject }.map(JSONValue.object))
    }

    /// Who may call, for readers.
    private static func audience(_ access: RouteAccess) -> String {
        switch access {
        case .anonymous: "Open to everybody."
        case .webhook: "For programs that know the webhook's secret."
        case .user: "For every signed-in user."
        case .userOrKey: "For every signed-in user and for API keys."
        case .admin: "For administrators."
        case .media: "For every signed-in user, the media cookie, and API keys."
        }
    }

    // MARK: One operation

    private static func json(_ operation: Operation, _ line: Line, _ path: String) -> JSONValue {
        var object: JSONObject = [
            "operationId": .string(operation.id), "tags": [.string(operation.tag.rawValue)], "summary": .string(operation.summary),
            "description": .string([operation.text, audience(line.access)].filter { !$0.isEmpty }.joined(separator: "\n\n")),
            "security": security(line.access), "x-access": .string(line.access.rawValue),
        ]
        let parameters =
            parameterNames(in: path).map(pathParameter) + operation.query.map { json($0, in: "query") }
            + operation.headers.map { json($0, in: "header") }
        if !parameters.isEmpty { object["parameters"] = .array(parameters) }
        if !operation.bodies.isEmpty {
            var content = JSONObject()
            for body in operation.bodies { content[body.contentType] = ["schema": body.schema.json] }
            object["requestBody"] = ["required": .bool(operation.isBodyRequired), "content": .object(content)]
        }
        object["responses"] = responses(operation, line, path)
        return .object(object)
    }

    private static func json(_ parameter: Operation.Parameter, in place: String) -> JSONValue {
        [
            "name": .string(parameter.name), "in": .string(place), "required": .bool(parameter.isRequired),
            "description": .string(parameter.text), "schema": parameter.schema.json,
        ]
    }

    package static func parameterNames(in path: String) -> [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") && $0.hasSuffix("}") }.map { String($0.dropFirst().dropLast()) }
    }

    /// Parameters whose names end in `_id` are row numbers; the others are names.
    private static func isID(_ name: String) -> Bool { name.hasSuffix("_id") }

    private static func pathParameter(_ name: String) -> JSONValue {
        let schema: Schema = isID(name) ? .id : .text(1...255)
        return ["name": .string(name), "in": "path", "required": true, "schema": schema.json]
    }

    // MARK: Answers

    private static func responses(_ operation: Operation, _ line: Line, _ path: String) -> JSONValue {
        var responses: [(Int, JSONValue)] = operation.answers.map { ($0.status, json($0)) }
        func add(_ status: Int, _ name: String) {
            responses.append((status, ["$ref": .string("#/components/responses/" + name)]))
        }
        var texts: [Int: [String]] = [:]
        for refusal in operation.refusals { texts[refusal.status, default: []].append(refusal.text) }
        let isSafe = line.method == .get
        if line.access != .anonymous, texts[401] == nil { add(401, "Unauthorized") }
        if line.access == .admin || !isSafe, texts[403] == nil { add(403, "Forbidden") }
        if !operation.bodies.isEmpty, texts[413] == nil { add(413, "TooLarge") }
        // Texts in the request line may be longer than it may be.
        if !operation.query.isEmpty || !parameterNames(in: path).allSatisfy(isID), texts[431] == nil { add(431, "TooLong") }
        let isChecked =
            !operation.bodies.isEmpty || !operation.query.isEmpty || parameterNames(in: path).contains(where: isID)
        if isChecked, !operation.answers.isEmpty || !operation.bodies.isEmpty, texts[422] == nil { add(422, "Invalid") }
        if !parameterNames(in: path).allSatisfy(isID), texts[404] == nil { add(404, "NotFound") }
        if texts[503] == nil { add(503, "Unavailable") }
        for (status, lines) in texts {
            responses.append((status, refusal(lines.joined(separator: " "), headers: headers(of: status))))
        }
        var object = JSONObject()
        for (status, json) in responses.sorted(by: { $0.0 < $1.0 }) { object[String(status)] = json }
        return .object(object)
    }

    private static func json(_ answer: Operation.Answer) -> JSONValue {
        var object: JSONObject = ["description": .string(answer.text)]
        if !answer.headers.isEmpty {
            var headers = JSONObject()
            for header in answer.headers {
                headers[header.name] = [
                    "description": .string(header.text), "required": .bool(header.isRequired), "schema": header.schema.json,
                ]
            }
            object["headers"] = .object(headers)
        }
        if !answer.content.isEmpty {
            var content = JSONObject()
            for entry in answer.content { content[entry.type] = ["schema": entry.schema.json] }
            object["content"] = .object(content)
        }
        return .object(object)
    }

    private static func refusal(_ text: String, headers: JSONObject = [:], schema: String = "Refusal") -> JSONValue {
        var object: JSONObject = ["description": .string(text)]
        if !headers.isEmpty { object["headers"] = .object(headers) }
        object["content"] = ["application/json": ["schema": Schema.named(schema).json]]
        return .object(object)
    }

    /// Headers that a refusal always has.
    private static func headers(of status: Int) -> JSONObject {
        func header(_ name: String, _ text: String, _ schema: Schema) -> JSONObject {
            [name: ["description": .string(text), "required": true, "schema": schema.json]]
        }
        switch status {
        case 401: return header("WWW-Authenticate", "How to be known (RFC 9110 section 15.5.2).", .text)
        case 416: return header("Content-Range", "`bytes */length`.", .text)
        case 429, 503: return header("Retry-After", "Seconds to wait.", .integer(1...86_400))
        default: return [:]
        }
    }

    private static let sharedResponses: JSONValue = [
        "Unauthorized": refusal("Nobody is signed in, or the session or key is over.", headers: headers(of: 401)),
        "Forbidden": refusal("Known, but not allowed; or a request from another site."),
        "NotFound": refusal("There is nothing of this name."),
        "TooLarge": refusal("The body is larger than it may be."),
        "TooLong": refusal("The request line with its parameters is longer than it may be (RFC 6585 section 5)."),
        "Invalid": refusal("Something that was sent does not fit; every problem is named.", schema: "Problems"),
        "Unavailable": refusal("The server is shutting down.", headers: headers(of: 503)),
    ]

    // MARK: Schemas

    /// `components/schemas`.
    static let schemas: [(String, Schema)] =
        [
            (
                "Refusal",
                .object(
                    ["detail": Schema.text.described("What is wrong, for a person.")],
                    optional: ["detail_code": .saidCode, "detail_parameters": .saidParameters])
            ),
            ("Problems", .object(["detail": .array(of: .named("Problem"))])),
            (
                "Problem",
                .object(
                    [
                        "type": Schema.text.described("A word for programs: `missing`, `int_parsing`, `value_error`, …"),
                        "loc": Schema.array(of: .any(of: [.text, .integer])).described("Where: `body` or `query` or `path`, then names and indices."),
                        "msg": Schema.text.described("What is wrong, for a person."),
                        "input": Schema.anything.described("What was sent, without secrets."),
                    ],
                    optional: [
                        "ctx": Schema.map(of: .anything).described("Limits that were missed."), "msg_code": .saidCode,
                        "msg_parameters": .saidParameters,
                    ])
            ),
        ] + accountSchemas + userSchemas + cameraSchemas + groupSchemas + eventSchemas + replaySchemas + timelineSchemas + holdSchemas + s3Schemas
        + settingsSchemas + backupSchemas + statisticsSchemas
}
