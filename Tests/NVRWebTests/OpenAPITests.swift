import HTTPTypes
import NVRModel
import NVRWeb
import Testing

/// The document against the route table, route by route.
@Suite struct OpenAPITests {
    /// Routes that the document does not tell of yet.
    private static let undescribed: Set<String> = []

    private let web: WebFixture
    private let document: JSONValue

    init() async throws {
        web = try await WebFixture()
        let answer = try await web.send(.get, "/openapi.json")
        #expect(answer.status == 200 && answer[.contentType] == "application/json")
        document = try answer.json
    }

    private var lines: [OpenAPIDocument.Line] { web.server.responder.table.routes.map(OpenAPIDocument.Line.init) }

    /// Every operation of the document with its path and method.
    private var operations: [(path: String, method: String, json: JSONValue)] {
        var found: [(String, String, JSONValue)] = []
        document["paths"]?.object?.forEach { path, item in
            item.object?.forEach { method, operation in found.append((path, method, operation)) }
        }
        return found
    }

    /// What the document says of a route.
    private func operation(_ line: OpenAPIDocument.Line) throws -> (path: String, json: JSONValue) {
        let id = try #require(OpenAPIDocument.operations.first { $0.route == line.name }?.id, "\(line.name)")
        let found = try #require(operations.first { $0.json["operationId"] == .string(id) }, "\(line.name)")
        #expect(found.method.uppercased() == line.method.rawValue, "\(line.name)")
        return (found.path, found.json)
    }

    /// The value that a reference means; the value itself when it is none.
    private func resolved(_ value: JSONValue) throws -> JSONValue {
        guard let reference = value["$ref"]?.string else { return value }
        var found = document
        for key in reference.dropFirst(2).split(separator: "/") { found = try #require(found[String(key)], "\(reference)") }
        return found
    }

    @Test("Every route has an operation, and every operation a route")
    func complete() throws {
        let routes = Set(lines.map(\.name))
        let described = Set(OpenAPIDocument.operations.map(\.route))
        #expect(routes.subtracting(described).subtracting(Self.undescribed).sorted() == [], "routes without a description")
        #expect(described.subtracting(routes).sorted() == [], "descriptions without a route")
        #expect(Self.undescribed.intersection(described).sorted() == [], "described by now")
        #expect(OpenAPIDocument.operations.count == described.count, "a route is described twice")
        #expect(operations.count == described.count, "two operations share a path and a method")
        #expect(Set(OpenAPIDocument.operations.map(\.id)).count == described.count, "an operationId is given twice")
    }

    @Test("Path parameters are those of the pattern, once each, and required")
    func pathParameters() throws {
        for line in lines where !Self.undescribed.contains(line.name) {
            let (path, json) = try operation(line)
            let parameters = (json["parameters"]?.array ?? []).filter { $0["in"] == "path" }
            #expect(parameters.allSatisfy { $0["required"] == true && $0["schema"] != nil }, "\(line.name)")
            #expect(parameters.compactMap { $0["name"]?.string } == OpenAPIDocument.parameterNames(in: path), "\(line.name)")
            let literals = { (path: String) in path.split(separator: "/").prefix { !$0.hasPrefix("{") } }
            #expect(literals(path) == literals(line.pattern), "\(line.name)")
            if !line.pattern.contains("...") { #expect(path == line.pattern, "\(line.name)") }
        }
    }

    @Test("The audit trail knows every member of a body by name, so that it can tell what was changed")
    func audited() throws {
        func members(_ schema: JSONValue) throws -> Set<String> {
            let schema = try resolved(schema)
            let parts = try (schema["anyOf"]?.array ?? []).map(members).reduce(Set<String>()) { $0.union($1) }
            return parts.union(schema["properties"]?.object?.keys ?? [])
        }
        for (path, method, json) in operations {
            let body = json["requestBody"]?["content"]?["application/json"]?["schema"] ?? .null
            #expect(try members(body).subtracting(AuditSummary.names).sorted() == [], "\(method) \(path)")
        }
    }

    @Test("Security is that of the route's access")
    func security() throws {
        let expected: [RouteAccess: Set<String>] = [
            .anonymous: [], .webhook: ["webhookSecret"], .user: ["bearer", "authCookie"], .admin: ["bearer", "authCookie"],
            .userOrKey: ["bearer", "authCookie", "apiKey"], .media: ["bearer", "authCookie", "mediaCookie", "apiKey"],
        ]
        let schemes = try #require(document["components"]?["securitySchemes"]?.object)
        for line in lines where !Self.undescribed.contains(line.name) {
            let (_, json) = try operation(line)
            let named = try #require(json["security"]?.array, "\(line.name)").flatMap { $0.object?.keys ?? [] }
            #expect(Set(named) == expected[line.access], "\(line.name)")
            #expect(named.allSatisfy { schemes[$0] != nil })
            let statuses = Set(json["responses"]?.object?.keys ?? [])
            #expect(line.access == .anonymous || statuses.contains("401"), "\(line.name)")
            #expect(line.access != .admin || statuses.contains("403"), "\(line.name)")
            #expect(line.method == .get || statuses.contains("403"), "\(line.name): other sites' requests are refused")
        }
    }

    @Test("Bodies, parameters and answers have schemas; refusals have the form of every refusal")
    func contents() throws {
        for (path, method, json) in operations {
            let name = "\(method) \(path)"
            for parameter in json["parameters"]?.array ?? [] { #expect(parameter["schema"]?.object != nil, "\(name)") }
            let statuses = Set(try #require(json["responses"]?.object, "\(name)").keys)
            if let body = json["requestBody"] {
                let content = try #require(body["content"]?.object, "\(name)")
                #expect(!content.isEmpty, "\(name)")
                content.forEach { _, form in #expect(form["schema"]?.object != nil, "\(name)") }
                #expect(statuses.isSuperset(of: ["413", "422"]), "\(name)")
            }
            let hasID = OpenAPIDocument.parameterNames(in: path).contains { $0.hasSuffix("_id") }
            #expect(!hasID || statuses.isSuperset(of: ["404", "422"]) || statuses.contains("501"), "\(name)")
            #expect(statuses.contains("503"), "\(name)")
            #expect(statuses.contains { $0.hasPrefix("2") || $0 == "101" || $0 == "501" }, "\(name): no answer but refusals")
            for status in statuses {
                let answer = try resolved(try #require(json["responses"]?[status]))
                #expect(answer["description"]?.string?.isEmpty == false, "\(name) \(status)")
                guard let code = Int(status), code >= 400 else { continue }
                #expect(answer["content"]?["application/json"]?["schema"]?["$ref"]?.string != nil || code == 503, "\(name) \(status)")
            }
        }
    }

    @Test("Every reference leads somewhere, and every schema is used")
    func references() throws {
        var named: Set<String> = []
        func walk(_ value: JSONValue) throws {
            if let reference = value["$ref"]?.string {
                _ = try resolved(value)
                named.insert(String(reference.split(separator: "/").last ?? ""))
            }
            for member in value.array ?? [] { try walk(member) }
            try value.object?.forEach { _, member in try walk(member) }
        }
        try walk(document)
        for schema in document["components"]?["schemas"]?.object?.keys ?? [] { #expect(named.contains(schema), "\(schema) is used nowhere") }
    }

    @Test("What is sent of cameras is what is checked: every field with its limits")
    func cameraFields() throws {
        let schemas = try #require(document["components"]?["schemas"])
        let new = try #require(schemas["NewCamera"])
        let stored = CameraField.all.filter(\.isStored)
        #expect(Set(new["properties"]?.object?.keys ?? []) == Set(stored.map(\.name)))
        #expect(new["required"]?.array?.compactMap(\.string) == stored.filter(\.isRequired).map(\.name))
        #expect(schemas["CameraChanges"]?["properties"] != nil && schemas["CameraChanges"]?["required"] == nil)
        #expect(Set(schemas["CameraChanges"]?["properties"]?.object?.keys ?? []) == Set(stored.map(\.name)))
        for field in stored {
            #expect(schemas["CameraChanges"]?["properties"]?[field.name]?["default"] == nil, "\(field.name): clients would send it")
            let schema = try #require(new["properties"]?[field.name])
            guard case .integer(let limits) = field.kind else { continue }
            #expect(schema["minimum"] == JSONValue(limits.lowerBound) && schema["maximum"] == JSONValue(limits.upperBound), "\(field.name)")
            #expect((schema["type"]?.array?.contains("null") ?? false) == field.isNullable, "\(field.name)")
        }
    }

    @Test("Changes have no defaults: generated clients would send them and undo what nobody meant to change")
    func changesHaveNoDefaults() throws {
        for (path, method, json) in operations where method == "put" || method == "patch" {
            try json["requestBody"]?["content"]?.object?.forEach { _, form in
                let schema = try resolved(try #require(form["schema"]))
                schema["properties"]?.object?.forEach { name, member in #expect(member["default"] == nil, "\(method) \(path): \(name)") }
            }
        }
    }

    @Test("A camera's answers have exactly the documented members")
    func cameraAnswers() async throws {
        let camera = try await web.camera()
        let path = "/cameras/\(camera.id)"
        for (headers, name) in [(try await web.bearer(), "Camera"), (try await web.apiKey(), "CameraSummary")] {
            let answer = try await web.send(.get, path, headers).json
            let members = try #require(document["components"]?["schemas"]?[name]?["properties"]?.object)
            #expect(answer.object?.keys.sorted() == members.keys.sorted(), "\(name)")
        }
    }

    @Test("The page of the document is there, with scripts and styles of its own only")
    func page() async throws {
        for prefix in ["", "/api"] {
            let answer = try await web.send(.get, prefix + "/docs")
            #expect(answer.status == 200 && answer[.contentType]?.hasPrefix("text/html") == true)
            #expect(!answer.text.contains("//") || !answer.text.contains("http"), "nothing of another site")
            #expect(!answer.text.contains("style=") && !answer.text.contains("<style") && !answer.text.contains("onclick"))
            for file in ["docs.js", "docs.css", "icon.svg"] {
                #expect(try await web.send(.get, "/ui/" + file).status == 200)
            }
        }
        let document = try await web.send(.get, "/openapi.json")
        let again = try await web.send(.get, "/openapi.json", [.ifNoneMatch: try #require(document[.eTag])])
        #expect(again.status == 304 && again.body.isEmpty)
    }
}
