import NVRModel

/// Schemas of cameras, made of `CameraField.all`: what is checked is what is documented.
extension OpenAPIDocument {
    /// Formats of our own, beside those of JSON Schema; the description of a field says what they mean.
    enum Format {
        static let url = "camera-url"
        static let filePattern = "file-pattern"
    }

    /// Characters that are refused in names and texts, as part of a pattern (ECMA 262).
    static let unprintable = "\\u0000-\\u001F\\u007F-\\u009F\\u00AD\\u200B\\u200E\\u200F\\u2028-\\u202E\\u2060-\\u206F\\uFEFF"

    static let cameraSchemas: [(String, Schema)] = [
        ("Camera", camera(CameraField.all.map { ($0.name, answered($0)) } + ownMembers)),
        (
            "CameraSummary",
            Schema.object(required: CameraField.summaryNames.map { name in (name, CameraField.named(name).map(answered) ?? .null) })
                .described("The short form that API keys get. `ai_hardware` and `ai_model` belong to the server: null.")
        ),
        ("ToggledCamera", toggled),
        (
            "NewCamera",
            .object(
                required: CameraField.all.filter(\.isRequired).map { ($0.name, requested($0)) },
                optional: CameraField.all.filter { $0.isStored && !$0.isRequired }.map { ($0.name, requested($0)) })
        ),
        (
            "CameraChanges",
            Schema.object(required: [], optional: CameraField.all.filter(\.isStored).map { ($0.name, changed($0)) })
                .described("Any subset of the fields. What is left out stays as it is.")
        ),
        ("Mask", mask),
    ]

    private static func camera(_ members: [(String, Schema)]) -> Schema {
        Schema.object(required: members)
            .described("Passwords, tokens, webhook URLs and the credentials of URLs are answered to administrators only.")
    }

    /// What the long forms say beside the fields.
    private static let ownMembers: [(String, Schema)] = [
        ("status_reason", Schema.text.orNull.described("Why the camera is in its state, for a person.")),
        ("status_reason_code", .saidCode), ("status_reason_parameters", .saidParameters),
        ("status_since", Schema.dateTime.orNull.described("Since when.")),
        ("source", Schema.text.orNull.described("What reads the main stream: `rtsp` or `libav`.")),
        ("is_recording", Schema.boolean.described("Whether footage is being written now.")),
    ]

    /// The shape that clients know from the toggle.
    private static let toggled: Schema = {
        var members = CameraField.all.filter { $0.name != "groups" }.map { field -> (String, Schema) in
            if field.kind == .labels { return (field.name, Schema.text.described("The list as JSON text.")) }
            return (field.name, answered(field))
        }
        members += ownMembers
        members.append(("notify_attach_image_telegram", .boolean))
        for key in ["motion_storage_profile", "continuous_storage_profile", "snapshot_storage_profile"] {
            members.append((key, Schema.any(of: [storageProfile, .null]).described("For administrators.")))
        }
        return camera(members)
    }()

    private static let mask = Schema.object([
        "points": Schema.array(of: .array(of: .number(0...1), count: 2...2), count: 3...Mask.maxPoints)
            .described("Corners `[x, y]` in 0…1 from the top left; they must not lie on one line.")
    ])

    // MARK: Fields

    /// A field as it is answered. Stored values are not checked against limits again, so none are promised.
    static func answered(_ field: CameraField) -> Schema {
        let schema: Schema
        switch field.kind {
        case .boolean: schema = .boolean
        case .integer: schema = .integer
        case .integerChoice(let choices): schema = .choice(choices)
        case .number: schema = .number
        case .text, .name, .url, .filePattern: schema = .text
        case .timeOfDay: schema = Schema.text.example("23:59")
        case .choice(let choices): schema = .choice(choices)
        case .masks, .unavailableMasks: schema = Schema.text.described("A JSON array of masks, as text.")
        case .labels: schema = .array(of: .text)
        case .server: return answeredByServer(field.name)
        }
        let isNull = field.defaultValue == .null || field.isSecret
        return isNull ? schema.orNull : schema
    }

    private static func answeredByServer(_ name: String) -> Schema {
        switch name {
        case "id": .id
        case "status": .choice(CameraStatus.allCases.map(\.rawValue))
        case "created_at": .dateTime
        case "last_seen": Schema.dateTime.orNull.described("The newest picture.")
        case "groups": .array(of: .object(["name": .text, "description": Schema.text.orNull]))
        case "storage_profile": Schema.any(of: [storageProfile, .null]).described("For administrators.")
        default: .anything
        }
    }

    /// A field of a new camera.
    static func requested(_ field: CameraField) -> Schema {
        field.isRequired ? changed(field) : changed(field).byDefault(field.defaultValue)
    }

    /// A field of a camera that exists. It has no default: clients would send one for whatever they do not mean to change.
    static func changed(_ field: CameraField) -> Schema {
        let schema = field.isNullable ? sent(field.kind).orNull : sent(field.kind)
        guard field.name == "archive_storage_profile_id" else { return schema }
        return schema.described(
            "Where recordings and snapshots move after `archive_after_hours`: the id of a storage profile, or minus the id of an S3 profile.")
    }

    private static func sent(_ kind: CameraField.Kind) -> Schema {
        switch kind {
        case .boolean: .boolean
        case .integer(let limits): .integer(limits)
        case .integerChoice(let choices): .choice(choices)
        case .number(let limits): .number(limits)
        case .text(let most): .text(0...most, pattern: "^[^\(unprintable)]*$")
        case .name:
            Schema.text(1...100, pattern: "^[^\(unprintable)]*[^\\s\(unprintable)][^\(unprintable)]*$")
                .described("Spaces at the ends are taken away.")
        case .choice(let choices): .choice(choices)
        case .url(let schemes):
            Schema.text(0...CameraURL.maxLength, format: Format.url)
                .described("A URL of \(schemes.joined(separator: ", ")). This machine and link-local addresses are refused.")
        case .filePattern:
            Schema.text(1...FilePattern.maxLength, format: Format.filePattern)
                .described("strftime letters, `%q`, `%v`, `%t`; no `..`, no `/` at the beginning.")
        case .timeOfDay: .text(5...5, pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$")
        case .masks:
            .any(of: [.array(of: .named("Mask"), count: 0...Mask.maxCount), Schema.text.described("The same array as JSON text.")])
        case .unavailableMasks:
            Schema.any(of: [.array(of: .named("Mask"), count: 0...0), .choice(["", "[]"])])
                .described("Nothing burns them in yet: only an empty list is taken.")
        case .labels: .array(of: .text(1...64, pattern: "^[^\(unprintable)]*$"), count: 0...100)
        case .server: .anything
        }
    }
}
