import NVRBase
package import NVRModel
package import NVRStore

/// Reads the document of a backup, ours or one of VibeNVR, into a configuration. Pure.
///
/// What cannot be taken at all (no backup, a camera without a usable URL) is thrown as `invalid` and names its place. What can be left
/// out without harm (a value outside of our limits, an unknown setting) is left at its default and told as a warning. Neither text
/// ever holds a value.
package struct BackupReader {
    package struct Rules: Sendable {
        /// What URLs may lead to.
        package var urls: CameraURL.Rules
        /// The folder that recordings of a profile go to, its links followed. Throws `NVRError` when they cannot; makes nothing.
        package var folder: @Sendable (_ path: String) throws -> String
        /// Throws `NVRError` when no bucket could be where a profile says.
        package var bucket: @Sendable (S3Profile) throws -> Void

        package init(
            urls: CameraURL.Rules, folder: @escaping @Sendable (_ path: String) throws -> String,
            bucket: @escaping @Sendable (S3Profile) throws -> Void = { _ in }
        ) {
            self.urls = urls
            self.folder = folder
            self.bucket = bucket
        }
    }

    let rules: Rules
    let now: WallTime
    /// Members of each list that are read.
    static let mostMembers = 10_000
    private static let mostWarnings = 200

    package private(set) var warnings: [String] = []

    package init(rules: Rules, now: WallTime) {
        self.rules = rules
        self.now = now
    }

    package mutating func read(_ document: JSONValue) throws -> StoredConfiguration {
        guard let object = document.object, object["cameras"]?.array != nil else { throw NVRError(.invalid, "Invalid backup file format") }
        var configuration = StoredConfiguration(instance: object["instance"]?.string ?? "")
        configuration.settings = try settings(object["settings"])
        (configuration.storageProfiles, configuration.unusableFolders) = try profiles(list(object, "storage_profiles"))
        configuration.s3Profiles = try s3Profiles(list(object, "s3_profiles"))
        let known = Set(configuration.storageProfiles.map(\.id))
        let buckets = Set(configuration.s3Profiles.map(\.id))
        for (index, item) in try list(object, "cameras").enumerated() {
            let (found, fields) = try self.camera(item, "cameras[\(index)]")
            var camera = found
            configuration.cameraFields[camera.id] = fields
            for id in camera.storage.profiles.subtracting(known) {
                camera.storage.forget(id)
                warn("camera \(camera.general.name): its storage profile is not available; it records to the default folder")
            }
            if let bucket = camera.storage.archiveBucket, !buckets.contains(bucket) {
                camera.storage.forget(bucket)
                warn("camera \(camera.general.name): the bucket of its archive is not available; its footage stays where it is")
            }
            if camera.storage.archiveProfileID == 0 { camera.storage.archiveProfileID = nil }
            configuration.cameras.append(camera)
        }
        try demandUnique(configuration.cameras.map(\.id.rawValue), "cameras")
        configuration.groups = try groups(object)
        configuration.users = try users(object)
        return configuration
    }

    mutating func warn(_ text: String) {
        if warnings.count < Self.mostWarnings { warnings.append(text) }
        if warnings.count == Self.mostWarnings { warnings.append("… and more") }
    }

    // MARK: Lists

    /// A list of objects; empty when the member is absent or null.
    func list(_ object: JSONObject, _ name: String) throws -> [JSONObject] {
        switch object[name] {
        case nil, .null: return []
        case .array(let items):
            guard items.count <= Self.mostMembers else { throw wrong(name, "has more than \(Self.mostMembers) members") }
            return try items.enumerated().map { index, item in
                guard let object = item.object else { throw wrong("\(name)[\(index)]", "is no object") }
                return object
            }
        default: throw wrong(name, "is no list")
        }
    }

    func wrong(_ place: String, _ reason: String) -> NVRError { NVRError(.invalid, "Invalid backup file format: \(place) \(reason)") }

    func id(_ object: JSONObject, _ key: String, _ place: String) throws -> Int64 {
        // An id beyond those would be the last one that the database ever gives.
        guard case .integer(let id) = object[key], (1...Int64(Int32.max)).contains(id) else { throw wrong("\(place).\(key)", "is no id") }
        return id
    }

    func text(_ object: JSONObject, _ key: String, _ place: String, atMost length: Int = 1000) throws -> String? {
        switch object[key] {
        case nil, .null: return nil
        case .some(let value):
            guard case .success(let text) = FieldCheck.text(value, length: 0...length, loc: []) else {
                throw wrong("\(place).\(key)", "is no text of at most \(length) characters")
            }
            return text
        }
    }

    func flag(_ object: JSONObject, _ key: String, default fallback: Bool) -> Bool {
        if case .bool(let flag) = object[key] { flag } else { fallback }
    }

    /// A time of the document; those of VibeNVR are UTC and do not say so.
    func time(_ object: JSONObject, _ key: String) -> WallTime? { object[key]?.string.flatMap { WallTime(iso8601: $0) } }

    func ids<Subject>(_ value: JSONValue?, of: Subject.Type = Subject.self) -> [ID<Subject>] {
        (value?.array ?? []).prefix(Self.mostMembers).compactMap { item -> ID<Subject>? in
            if case .integer(let id) = item { ID(id) } else { nil }
        }
    }

    func demandUnique(_ ids: [Int64], _ place: String) throws {
        if Set(ids).count != ids.count { throw wrong(place, "has an id twice") }
    }

    // MARK: Settings and profiles

    private mutating func settings(_ value: JSONValue?) throws -> [String: String] {
        var pairs: [(String, JSONValue)] = []
        switch value {
        case nil, .null: break
        case .array(let items):
            guard items.count <= Self.mostMembers else { throw wrong("settings", "has more than \(Self.mostMembers) members") }
            for (index, item) in items.enumerated() {
                guard let key = item["key"]?.string else { throw wrong("settings[\(index)].key", "is no text") }
                pairs.append((key, item["value"] ?? .null))
            }
        // As GET /settings answers them.
        case .object(let object): object.forEach { pairs.append(($0, $1["value"] ?? $1)) }
        default: throw wrong("settings", "is no list")
        }
        var settings: [String: String] = [:]
        var unknown = 0
        for (name, value) in pairs {
            guard let key = Settings.named(name) else {
                unknown += 1
                continue
            }
            let text: String
            switch value {
            case .string(let string): text = string
            case .integer(let number): text = String(number)
            case .number(let number): text = number.description
            case .bool(let flag): text = flag ? "true" : "false"
            default: continue
            }
            if key.kind == .server || (key.isSecret && text == SettingKey.mask) { continue }
            switch key.check(text, rules: rules.urls) {
            case .success(let checked): settings[name] = checked
            case .failure(let refusal): warn("setting \(name) was left as it is: \(refusal.reason)")
            }
        }
        if unknown > 0 { warn("\(unknown) settings are not known here and were left out") }
        return settings
    }

    /// Profiles, and why the folders of some cannot be used here now: what is not mounted at the moment may be here all the same.
    private func profiles(_ items: [JSONObject]) throws -> ([StorageProfile], unusable: [ID<StorageProfile>: String]) {
        var profiles: [StorageProfile] = []
        var unusable: [ID<StorageProfile>: String] = [:]
        for (index, item) in items.enumerated() {
            let place = "storage_profiles[\(index)]"
            let id = try id(item, "id", place)
            guard let name = try text(item, "name", place, atMost: 100), !name.isEmpty else { throw wrong(place + ".name", "is no name") }
            var path = try text(item, "path", place, atMost: StorageProfile.maxPathLength) ?? ""
            switch StorageProfile.checkedPath(path) {
            case .success(let checked):
                path = checked
                do { path = try rules.folder(checked) } catch let refusal as NVRError { unusable[ID(id)] = refusal.message }
            case .failure(let refusal): unusable[ID(id)] = refusal.message
            }
            var size = 0.0
            if let sent = item["max_size_gb"], case .success(let number) = FieldCheck.number(sent, limits: 0...1_000_000, loc: []) { size = number }
            profiles.append(
                StorageProfile(
                    id: ID(id), name: name, path: path, description: try text(item, "description", place), maxSize: size,
                    createdAt: time(item, "created_at") ?? now))
        }
        try demandUnique(profiles.map(\.id.rawValue), "storage_profiles")
        return (profiles, unusable)
    }

    // MARK: Groups

    private mutating func groups(_ object: JSONObject) throws -> [CameraGroup] {
        var groups: [CameraGroup] = []
        var names: Set<NameKey> = []
        for (index, item) in try list(object, "groups").enumerated() {
            let place = "groups[\(index)]"
            guard case .success(let name) = FieldCheck.text(item["name"] ?? .null, length: 1...100, loc: []) else {
                throw wrong(place + ".name", "is no name")
            }
            guard names.insert(NameKey(name)).inserted else { throw wrong(place + ".name", "is there twice") }
            let embedded = (item["cameras"]?.array ?? []).map { $0["id"] ?? $0 }
            groups.append(
                CameraGroup(
                    id: ID(try id(item, "id", place)), name: name, description: try text(item, "description", place),
                    createdAt: time(item, "created_at") ?? now, cameras: Set(ids(.array(embedded)))))
        }
        try demandUnique(groups.map(\.id.rawValue), "groups")
        var places: [Int64: Int] = [:]
        for (index, group) in groups.enumerated() { places[group.id.rawValue] = index }
        for (index, item) in try list(object, "associations").enumerated() {
            let group = try id(item, "group_id", "associations[\(index)]")
            let camera = try id(item, "camera_id", "associations[\(index)]")
            if let place = places[group] { groups[place].cameras.insert(ID(camera)) }
        }
        return groups
    }
}
