/// What a body says about a user, checked: every field it names, or what is wrong with all of them. Unknown fields are passed over.
package struct UserPatch: Sendable {
    package private(set) var username: String?
    package private(set) var password: Secret?
    /// Nil inside: no address any more.
    package private(set) var email: String??
    package private(set) var role: User.Role?
    package private(set) var isActive: Bool?
    package private(set) var restrictCameraAccess: Bool?
    package private(set) var language: String?
    package private(set) var cameraGrants: [Grant<Camera>]?
    package private(set) var groupGrants: [Grant<CameraGroup>]?

    /// Text that is not printed by accident.
    package struct Secret: Sendable, CustomStringConvertible {
        package let text: String
        package var description: String { "•••" }
    }

    /// Grants of one kind that a body may hold.
    package static let mostGrants = 1000

    /// `creating`: name and password have to be there. `name`: that of the user who is changed, for the rules of passwords.
    package init(body: JSONValue, creating: Bool, name: String = "") throws(FieldProblems) {
        guard let object = body.object else { throw FieldProblems([.notAnObject([.key("body")], input: body)]) }
        var reader = Reader(object: object)
        username = reader.required("username", creating) { value, loc in
            FieldCheck.text(value, length: 0...4096, isPlain: false, loc: loc).flatMap { Self.check($0, User.refusal(ofName: $0), value, loc) }
        }
        let named = username ?? object["username"]?.string ?? name
        password = reader.required("password", creating) { value, loc in
            FieldCheck.text(value, length: 0...4096, isPlain: false, loc: loc)
                .flatMap { Self.check($0, PasswordPolicy.refusal(of: $0, username: named), value, loc) }
        }.map(Secret.init)
        email = reader.read("email", allowsNull: true) { value, loc in
            if case .null = value { return .success(String?.none) }
            return FieldCheck.text(value, length: 0...320, loc: loc).flatMap { text in
                // A form sends an empty text for a field that was left empty.
                text.isEmpty ? .success(nil) : Self.check(text, User.refusal(ofEmail: text), value, loc).map(Optional.some)
            }
        }
        role = reader.read("role") { value, loc in
            FieldCheck.choice(value, of: User.Role.allCases.map(\.rawValue), loc: loc)
        }.flatMap(User.Role.init(rawValue:))
        isActive = reader.read("is_active") { FieldCheck.boolean($0, loc: $1) }
        restrictCameraAccess = reader.read("restrict_camera_access") { FieldCheck.boolean($0, loc: $1) }
        language = reader.read("language") { FieldCheck.text($0, length: 2...User.longestLanguage, loc: $1) }
        cameraGrants = reader.grants("camera_accesses", short: "allowed_camera_ids")
        groupGrants = reader.grants("group_accesses", short: "allowed_group_ids")
        if !reader.problems.isEmpty { throw FieldProblems(reader.problems) }
    }

    /// Takes the fields over, but for the password.
    package func apply(to user: inout User) {
        if let username { user.username = username }
        if let email { user.email = email }
        if let role { user.role = role }
        if let isActive { user.isActive = isActive }
        if let restrictCameraAccess { user.restrictCameraAccess = restrictCameraAccess }
        if let language { user.language = language }
        if let cameraGrants { user.cameraGrants = cameraGrants }
        if let groupGrants { user.groupGrants = groupGrants }
    }

    private static func check(
        _ text: String, _ refusal: String?, _ value: JSONValue, _ loc: [FieldProblem.Step]
    ) -> FieldCheck.Outcome<String> {
        refusal.map { .failure(FieldProblems([.value(loc, $0, input: value)])) } ?? .success(text)
    }

    /// The members of a body, one after another.
    private struct Reader {
        let object: JSONObject
        var problems: [FieldProblem] = []

        typealias Check<Value> = (JSONValue, [FieldProblem.Step]) -> FieldCheck.Outcome<Value>

        /// Null counts as absent unless it means something.
        mutating func read<Value>(_ name: String, allowsNull: Bool = false, _ check: Check<Value>) -> Value? {
            guard let value = object[name], allowsNull || value != .null else { return nil }
            return taken(check(value, [.key("body"), .key(name)]))
        }

        mutating func required<Value>(_ name: String, _ isRequired: Bool, _ check: Check<Value>) -> Value? {
            if isRequired {
                guard let value = object[name] else {
                    problems.append(.missing([.key("body"), .key(name)], body: .object(object)))
                    return nil
                }
                return taken(check(value, [.key("body"), .key(name)]))
            }
            return read(name, check)
        }

        mutating func taken<Value>(_ outcome: FieldCheck.Outcome<Value>) -> Value? {
            switch outcome {
            case .success(let value): return value
            case .failure(let failure):
                problems += failure.problems
                return nil
            }
        }

        /// Grants in full, or the ids alone under the `short` name, which stand for view and replay.
        mutating func grants<Subject>(_ name: String, short: String) -> [Grant<Subject>]? {
            if let value = object[name], value != .null { return list(value, [.key("body"), .key(name)]) { Self.grant($0, $1) } }
            if let value = object[short], value != .null {
                return list(value, [.key("body"), .key(short)]) { element, loc in
                    FieldCheck.integer(element, limits: .min ... .max, loc: loc).map { Grant(id: ID(Int64($0))) }
                }
            }
            return nil
        }

        private mutating func list<Subject>(
            _ value: JSONValue, _ loc: [FieldProblem.Step], _ element: Check<Grant<Subject>>
        ) -> [Grant<Subject>]? {
            guard let elements = value.array else {
                problems.append(FieldProblem(type: "list_type", loc: loc, msg: "Input should be a valid list", input: value))
                return nil
            }
            guard elements.count <= UserPatch.mostGrants else {
                problems.append(.value(loc, "a list may hold at most \(UserPatch.mostGrants) grants", input: .null))
                return nil
            }
            var grants: [Grant<Subject>] = []
            for (index, value) in elements.enumerated() {
                guard let grant = taken(element(value, loc + [.index(index)])) else { continue }
                // The last word on a camera counts.
                grants.removeAll { $0.id == grant.id }
                grants.append(grant)
            }
            return grants.sorted { $0.id < $1.id }
        }

        private static func grant<Subject>(_ value: JSONValue, _ loc: [FieldProblem.Step]) -> FieldCheck.Outcome<Grant<Subject>> {
            guard let object = value.object else { return .failure(FieldProblems([.notAnObject(loc, input: value)])) }
            guard let id = object["id"] else { return .failure(FieldProblems([.missing(loc + [.key("id")], body: value)])) }
            func flag(_ name: String, _ fallback: Bool) -> FieldCheck.Outcome<Bool> {
                object[name].map { FieldCheck.boolean($0, loc: loc + [.key(name)]) } ?? .success(fallback)
            }
            return FieldCheck.integer(id, limits: .min ... .max, loc: loc + [.key("id")]).flatMap { id in
                flag("can_view", true).flatMap { view in
                    flag("can_replay", true).flatMap { replay in
                        flag("can_control", false).map { control in
                            Grant(id: ID(Int64(id)), canView: view, canReplay: replay, canControl: control)
                        }
                    }
                }
            }
        }
    }
}
