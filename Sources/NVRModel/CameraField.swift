/// One field of a camera as the API names it: the one declaration from which reading, writing, checking, answering, storing,
/// documenting and copying settings are derived.
package struct CameraField: Sendable {
    /// What settings belong together when they are copied from camera to camera. Identity and ONVIF are never copied.
    package enum Category: String, Sendable, Hashable, CaseIterable {
        case general, identity, recording, motion, snapshots, masks, overlay, alerts, schedule, storage, ai, onvif
    }

    /// The type of a value with its limits.
    package enum Kind: Sendable, Hashable {
        case boolean
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        /// One of the angles or other numbers listed.
        case integerChoice([Int])
        /// Free text of at most so many characters, without control characters.
        case text(Int)
        /// Text of 1…100 characters after trimming, without control characters.
        case name
        case choice([String])
        case url(schemes: [String])
        case filePattern
        case timeOfDay
        case masks
        /// Masks that are refused unless empty, since nothing burns them in.
        case unavailableMasks
        /// A list of short texts.
        case labels
        /// Made by the server; ignored in requests.
        case server
    }

    package let name: String
    package let kind: Kind
    package let category: Category
    /// Whether null may be sent; it sets the default.
    package let isNullable: Bool
    /// Must be there when a camera is made.
    package let isRequired: Bool
    /// Passwords, tokens and webhook URLs: answered to administrators only.
    package let isSecret: Bool
    let read: @Sendable (Camera) -> JSONValue
    let write: @Sendable (inout Camera, JSONValue) -> Void

    /// Whether the value is encrypted in the database: secrets, and URLs, which hold credentials.
    package var isEncrypted: Bool {
        if case .url = kind { true } else { isSecret }
    }

    /// Whether the field is part of a camera's stored settings.
    package var isStored: Bool { kind != .server }

    /// The value in a new camera.
    package var defaultValue: JSONValue { read(Self.template) }

    private static let template = Camera(id: ID(0), createdAt: WallTime(microseconds: 0))

    private static let byName: [String: CameraField] = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    /// The field of a name.
    package static func named(_ name: String) -> CameraField? { byName[name] }

    /// Fields of the form that API keys get, in its order. The hardware and model of detection belong to the server.
    package static let summaryNames = [
        "id", "name", "location", "is_active", "resolution_width", "resolution_height", "framerate", "recording_mode", "rtsp_transport",
        "live_view_mode", "status", "last_seen", "privacy_masks", "motion_masks", "audio_enabled", "enable_audio", "record_audio",
        "ptz_can_pan_tilt", "ptz_can_zoom", "ptz_can_home", "detect_engine", "ai_enabled", "ai_object_types", "ai_threshold",
        "ai_hardware", "ai_model", "ai_tracking_enabled", "created_at",
    ]

    // MARK: Makers

    private typealias Path<Value> = any WritableKeyPath<Camera, Value> & Sendable

    private init(
        _ name: String, _ kind: Kind, _ category: Category, nullable: Bool, required: Bool = false, secret: Bool = false,
        read: @escaping @Sendable (Camera) -> JSONValue, write: @escaping @Sendable (inout Camera, JSONValue) -> Void
    ) {
        self.name = name
        self.kind = kind
        self.category = category
        isNullable = nullable
        isRequired = required
        isSecret = secret
        self.read = read
        self.write = write
    }

    private static func flag(_ name: String, _ path: Path<Bool>, _ category: Category, nullable: Bool = true) -> CameraField {
        CameraField(name, .boolean, category, nullable: nullable) {
            .bool($0[keyPath: path])
        } write: {
            if case .bool(let value) = $1 { $0[keyPath: path] = value }
        }
    }

    private static func integer(_ name: String, _ path: Path<Int>, _ limits: ClosedRange<Int>, _ category: Category) -> CameraField {
        integer(name, path, .integer(limits), category)
    }

    private static func integer(_ name: String, _ path: Path<Int>, _ kind: Kind, _ category: Category) -> CameraField {
        CameraField(name, kind, category, nullable: true) {
            JSONValue($0[keyPath: path])
        } write: {
            if case .integer(let value) = $1 { $0[keyPath: path] = Int(value) }
        }
    }

    private static func integer(_ name: String, _ path: Path<Int?>, _ limits: ClosedRange<Int>, _ category: Category) -> CameraField {
        CameraField(name, .integer(limits), category, nullable: true) {
            JSONValue($0[keyPath: path])
        } write: {
            if case .integer(let value) = $1 { $0[keyPath: path] = Int(value) } else { $0[keyPath: path] = nil }
        }
    }

    private static func number(
        _ name: String, _ path: Path<Double>, _ limits: ClosedRange<Double>, _ category: Category, nullable: Bool = true
    ) -> CameraField {
        CameraField(name, .number(limits), category, nullable: nullable) {
            .number($0[keyPath: path])
        } write: {
            switch $1 {
            case .number(let value): $0[keyPath: path] = value
            case .integer(let value): $0[keyPath: path] = Double(value)
            default: break
            }
        }
    }

    private static func text(
        _ name: String, _ path: Path<String>, _ kind: Kind, _ category: Category, required: Bool = false
    ) -> CameraField {
        CameraField(name, kind, category, nullable: !required, required: required) {
            .string($0[keyPath: path])
        } write: {
            if case .string(let value) = $1 { $0[keyPath: path] = value }
        }
    }

    private static func text(
        _ name: String, _ path: Path<String?>, _ kind: Kind, _ category: Category, secret: Bool = false
    ) -> CameraField {
        CameraField(name, kind, category, nullable: true, secret: secret) {
            JSONValue($0[keyPath: path])
        } write: {
            if case .string(let value) = $1 { $0[keyPath: path] = value } else { $0[keyPath: path] = nil }
        }
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ path: Path<Choice>, _ category: Category
    ) -> CameraField {
        CameraField(name, .choice(Choice.allCases.map(\.rawValue)), category, nullable: true) {
            .string($0[keyPath: path].rawValue)
        } write: {
            if case .string(let text) = $1, let value = Choice(rawValue: text) { $0[keyPath: path] = value }
        }
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ path: Path<Choice?>, _ category: Category
    ) -> CameraField {
        CameraField(name, .choice(Choice.allCases.map(\.rawValue)), category, nullable: true) {
            JSONValue($0[keyPath: path]?.rawValue)
        } write: {
            if case .string(let text) = $1 { $0[keyPath: path] = Choice(rawValue: text) } else { $0[keyPath: path] = nil }
        }
    }

    private static func masks(_ name: String, _ path: Path<[Mask]>, _ kind: Kind) -> CameraField {
        CameraField(name, kind, .masks, nullable: true) {
            .string(Mask.text(of: $0[keyPath: path]))
        } write: {
            if case .success(let masks) = Mask.list(from: $1) { $0[keyPath: path] = masks }
        }
    }

    private static func server(_ name: String, _ read: @escaping @Sendable (Camera) -> JSONValue) -> CameraField {
        CameraField(name, .server, .identity, nullable: true, read: read, write: { _, _ in })
    }

    private static func day(_ name: String, _ path: Path<Camera.Schedule.Day>) -> [CameraField] {
        func bound(_ suffix: String, _ bound: any WritableKeyPath<Camera.Schedule.Day, TimeOfDay> & Sendable) -> CameraField {
            CameraField("schedule_" + name + suffix, .timeOfDay, .schedule, nullable: true) {
                .string($0[keyPath: path][keyPath: bound].text)
            } write: {
                if case .string(let text) = $1, let time = TimeOfDay(text) { $0[keyPath: path][keyPath: bound] = time }
            }
        }
        let isEnabled = CameraField("schedule_" + name, .boolean, .schedule, nullable: true) {
            .bool($0[keyPath: path].isEnabled)
        } write: {
            if case .bool(let value) = $1 { $0[keyPath: path].isEnabled = value }
        }
        return [isEnabled, bound("_start", \.start), bound("_end", \.end)]
    }

    // MARK: The table

    private static let webSchemes = ["http", "https"]
    private static let profiles = 1...Int(Int32.max)
    /// Below 0: minus the id of an S3 profile. 0 is refused with those that do not exist.
    private static let archives = -Int(Int32.max)...Int(Int32.max)

    /// Every field, in the order of answers.
    package static let all: [CameraField] = identity + source + onvif + pictureShape + recording + motion + alerts + planning + closing

    private static let identity: [CameraField] = [
        text("name", \.general.name, .name, .identity, required: true),
        text("rtsp_url", \.streams.url, .url(schemes: CameraURL.streamSchemes), .identity, required: true),
        text("sub_rtsp_url", \.streams.subURL, .url(schemes: CameraURL.streamSchemes), .identity),
        text("location", \.general.location, .text(200), .identity),
        flag("is_active", \.general.isActive, .general, nullable: false),
        choice("rtsp_transport", \.streams.transport, .general),
        choice("sub_rtsp_transport", \.streams.subTransport, .general),
        text("live_view_mode", \.general.liveViewMode, .text(20), .general),
    ]

    private static let source: [CameraField] = [
        integer("storage_profile_id", \.storage.profileID, profiles, .storage),
        integer("motion_storage_profile_id", \.storage.motionProfileID, profiles, .storage),
        integer("continuous_storage_profile_id", \.storage.continuousProfileID, profiles, .storage),
        integer("snapshot_storage_profile_id", \.storage.snapshotProfileID, profiles, .storage),
        integer("archive_storage_profile_id", \.storage.archiveProfileID, archives, .storage),
        integer("archive_after_hours", \.storage.archiveAfterHours, 1...87_600, .storage),
        server("status") { _ in .string(CameraStatus.starting.rawValue) },
        server("last_seen") { _ in .null },
        integer("sort_order", \.sortOrder, 0...Camera.largestSortOrder, .identity),
        flag("audio_enabled", \.streams.audioEnabled, .general, nullable: false),
        flag("enable_audio", \.streams.enableAudio, .general, nullable: false),
    ]

    private static let onvif: [CameraField] = [
        text("onvif_host", \.onvif.host, .text(253), .onvif),
        integer("onvif_port", \.onvif.port, 1...65_535, .onvif),
        text("onvif_username", \.onvif.username, .text(256), .onvif),
        text("onvif_password", \.onvif.password, .text(256), .onvif, secret: true),
        text("onvif_profile_token", \.onvif.profileToken, .text(256), .onvif),
        text("onvif_manufacturer", \.onvif.manufacturer, .text(256), .onvif),
        text("onvif_model", \.onvif.model, .text(256), .onvif),
        text("onvif_firmware", \.onvif.firmware, .text(256), .onvif),
        text("onvif_serial", \.onvif.serial, .text(256), .onvif),
        text("onvif_hw_id", \.onvif.hardwareID, .text(256), .onvif),
        flag("ptz_can_pan_tilt", \.onvif.canPanTilt, .onvif, nullable: false),
        flag("ptz_can_zoom", \.onvif.canZoom, .onvif, nullable: false),
        flag("ptz_can_home", \.onvif.canHome, .onvif, nullable: false),
        flag("onvif_can_events", \.onvif.canEvents, .onvif, nullable: false),
    ]

    private static let pictureShape: [CameraField] = [
        integer("resolution_width", \.streams.width, 1...16_384, .identity),
        integer("resolution_height", \.streams.height, 1...16_384, .identity),
        flag("auto_resolution", \.streams.autoResolution, .identity),
        integer("framerate", \.streams.framerate, 1...240, .general),
        integer("rotation", \.streams.rotation, .integerChoice([0, 90, 180, 270]), .general),
        text("text_left", \.overlay.left, .text(200), .overlay),
        text("text_right", \.overlay.right, .text(200), .overlay),
        number("text_scale", \.overlay.scale, 0.1...10, .overlay),
    ]

    private static let recording: [CameraField] = [
        text("movie_file_name", \.recording.fileName, .filePattern, .recording),
        integer("movie_quality", \.recording.quality, 1...100, .recording),
        flag("movie_passthrough", \.recording.passthrough, .recording),
        choice("recording_mode", \.recording.mode, .recording),
        choice("previous_recording_mode", \.recording.previousMode, .recording),
        integer("max_movie_length", \.recording.maxLength, 60...300, .recording),
        flag("record_audio", \.recording.audio, .recording, nullable: false),
        text("preserve_movies", \.recording.preserve, .text(100), .recording),
        number("max_storage_gb", \.recording.maxStorage, 0...1_000_000, .recording),
        text("picture_file_name", \.pictures.fileName, .filePattern, .snapshots),
        integer("picture_quality", \.pictures.quality, 1...100, .snapshots),
        text("picture_recording_mode", \.pictures.mode, .text(50), .snapshots),
        text("preserve_pictures", \.pictures.preserve, .text(100), .snapshots),
        flag("enable_manual_snapshots", \.pictures.manualSnapshots, .snapshots),
        number("max_pictures_storage_gb", \.pictures.maxStorage, 0...1_000_000, .snapshots),
    ]

    private static let motion: [CameraField] = [
        integer("threshold", \.detection.threshold, 1...57_600, .motion),
        flag("despeckle_filter", \.detection.despeckle, .motion),
        integer("motion_gap", \.detection.motionGap, 0...3600, .motion),
        integer("captured_before", \.recording.capturedBefore, 0...120, .recording),
        integer("captured_after", \.recording.capturedAfter, 0...3600, .recording),
        integer("min_motion_frames", \.detection.minMotionFrames, 1...1000, .motion),
        flag("show_frame_changes", \.detection.showFrameChanges, .motion),
        flag("auto_threshold_tuning", \.detection.autoThreshold, .motion),
        flag("auto_noise_detection", \.detection.autoNoise, .motion),
        integer("light_switch_detection", \.detection.lightSwitch, 0...100, .motion),
        flag("mask", \.detection.maskEnabled, .masks),
        masks("privacy_masks", \.detection.privacyMasks, .unavailableMasks),
        masks("motion_masks", \.detection.motionMasks, .masks),
        flag("create_debug_media", \.detection.createDebugMedia, .motion),
    ]

    private static let alerts: [CameraField] = [
        text("notify_webhook_url", \.alerts.webhookURL, .url(schemes: webSchemes), .alerts, secret: true),
        text("notify_telegram_token", \.alerts.telegramToken, .text(256), .alerts, secret: true),
        text("notify_telegram_chat_id", \.alerts.telegramChatID, .text(256), .alerts),
        text("notify_email_address", \.alerts.emailAddress, .text(320), .alerts),
        text("notify_health_webhook_url", \.alerts.healthWebhookURL, .url(schemes: webSchemes), .alerts, secret: true),
        text("notify_health_telegram_token", \.alerts.healthTelegramToken, .text(256), .alerts, secret: true),
        text("notify_health_telegram_chat_id", \.alerts.healthTelegramChatID, .text(256), .alerts),
        text("notify_health_email_recipient", \.alerts.healthEmailRecipient, .text(320), .alerts),
        flag("notify_start_email", \.alerts.startEmail, .alerts),
        flag("notify_start_telegram", \.alerts.startTelegram, .alerts),
        flag("notify_start_webhook", \.alerts.startWebhook, .alerts),
        flag("notify_start_command", \.alerts.startCommand, .alerts),
        flag("notify_end_webhook", \.alerts.endWebhook, .alerts),
        flag("notify_end_command", \.alerts.endCommand, .alerts),
        flag("notify_health_email", \.alerts.healthEmail, .alerts),
        flag("notify_health_telegram", \.alerts.healthTelegram, .alerts),
        flag("notify_health_webhook", \.alerts.healthWebhook, .alerts),
        flag("notify_attach_image_email", \.alerts.attachImageToEmail, .alerts),
    ]

    private static let planning: [CameraField] =
        [
            text("detect_motion_mode", \.detection.mode, .text(50), .motion),
            text("detect_engine", \.detection.engine, .text(50), .motion),
        ]
        + day("monday", \.schedule.monday) + day("tuesday", \.schedule.tuesday) + day("wednesday", \.schedule.wednesday)
        + day("thursday", \.schedule.thursday) + day("friday", \.schedule.friday) + day("saturday", \.schedule.saturday)
        + day("sunday", \.schedule.sunday)

    private static let closing: [CameraField] = [
        flag("ai_enabled", \.ai.isEnabled, .ai, nullable: false),
        CameraField("ai_object_types", .labels, .ai, nullable: false) {
            .array($0.ai.objectTypes.map(JSONValue.string))
        } write: {
            if case .array(let labels) = $1 { $0.ai.objectTypes = labels.compactMap(\.string) }
        },
        number("ai_threshold", \.ai.threshold, 0...1, .ai, nullable: false),
        flag("ai_tracking_enabled", \.ai.tracking, .ai, nullable: false),
        server("id") { .integer($0.id.rawValue) },
        server("created_at") { .string($0.createdAt.iso8601) },
        server("groups") { _ in .array([]) },
        server("storage_profile") { _ in .null },
    ]
}
