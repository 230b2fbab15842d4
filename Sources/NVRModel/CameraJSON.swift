// The JSON forms of a camera: answers, stored settings, and checked changes. All walk `CameraField.all`.

extension Camera {
    /// Who an answer is for.
    package enum Form: Sendable, Hashable {
        /// Administrators: everything.
        case full
        /// Other people: without passwords, tokens, webhook URLs and the credentials of URLs.
        case withoutSecrets
        /// API keys: the short form.
        case summary
    }

    /// The camera as the API answers it. `health` gives `status` and `last_seen`; without it the camera is starting.
    package func json(_ form: Form, health: CameraHealth? = nil) -> JSONValue {
        var object = JSONObject()
        switch form {
        case .full, .withoutSecrets:
            for field in CameraField.all {
                var value = field.read(self)
                if form == .withoutSecrets {
                    if field.isSecret {
                        value = .null
                    } else if case .url = field.kind, case .string(let url) = value {
                        value = .string(Self.withoutCredentials(url))
                    }
                }
                object[field.name] = value
            }
        case .summary:
            for name in CameraField.summaryNames { object[name] = CameraField.named(name)?.read(self) ?? .null }
        }
        if let health {
            object["status"] = .string(health.status.rawValue)
            object["last_seen"] = JSONValue(health.lastSeen?.iso8601)
        }
        return .object(object)
    }

    /// A stored URL without user info and without parameters that name a password.
    package static func withoutCredentials(_ url: String) -> String {
        let redacted = redactingURLCredentials(in: url)
        guard let dots = redacted.firstIndex(of: "•"), redacted[dots...].hasPrefix("•••@") else { return redacted }
        return String(redacted[..<dots] + redacted[redacted.index(dots, offsetBy: 4)...])
    }

    /// Takes the values of some stored fields from another camera.
    package mutating func take(fields names: Set<String>, of other: Camera) {
        for field in CameraField.all where field.isStored && names.contains(field.name) { field.write(&self, field.read(other)) }
    }

    /// Takes the settings of some categories from another camera. Identity, ONVIF and general settings stay.
    package mutating func copySettings(of other: Camera, categories: Set<CameraField.Category>) {
        for field in CameraField.all
        where field.isStored && categories.contains(field.category) && ![.identity, .onvif, .general].contains(field.category) {
            field.write(&self, field.read(other))
        }
    }
}

/// A checked set of changes to a camera, made from a request body outside of any transaction and applied inside one.
package struct CameraPatch: Sendable {
    private var changes: [(field: CameraField, value: JSONValue)] = []

    /// Nothing to change.
    package init() {}

    /// Checks a body. `creating` demands the required fields; else any subset is a change. Unknown and server-owned fields are
    /// ignored. Throws every problem at once.
    package init(body: JSONValue, creating: Bool, rules: CameraURL.Rules) throws(FieldProblems) {
        guard case .object(let object) = body else { throw FieldProblems([.notAnObject([.key("body")], input: body)]) }
        var problems: [FieldProblem] = []
        for field in CameraField.all where field.isStored {
            let loc: [FieldProblem.Step] = [.key("body"), .key(field.name)]
            guard let sent = object[field.name] else {
                if creating, field.isRequired { problems.append(.missing(loc, body: body)) }
                continue
            }
            switch field.check(sent, loc: loc, rules: rules) {
            case .success(let value): changes.append((field, value))
            case .failure(let failure): problems.append(contentsOf: failure.problems)
            }
        }
        if !problems.isEmpty { throw FieldProblems(problems) }
    }

    package var isEmpty: Bool { changes.isEmpty }
    /// Names of the fields that are set.
    package var names: [String] { changes.map(\.field.name) }

    package func apply(to camera: inout Camera) {
        for change in changes { change.field.write(&camera, change.value) }
    }

    /// A new camera of these values; the store gives it its id.
    package func newCamera(at time: WallTime) -> Camera {
        var camera = Camera(id: ID(0), createdAt: time)
        apply(to: &camera)
        return camera
    }
}
