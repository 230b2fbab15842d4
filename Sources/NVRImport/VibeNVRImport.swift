import Argon2
package import NVRBackup
import NVRBase
package import NVRModel
package import NVRRecording
package import NVRStore

/// Brings an installation of VibeNVR along: what was set up by way of a backup, then every event with its recording. Whatever it brought is
/// noted, so that a run after an interruption, or with a newer dump, goes on where the last one ended. The old files are only read.
///
/// Used on one thread made for blocking, while no server uses the data folder.
package final class VibeNVRImport {
    package struct Options {
        /// Takes recordings that play as they are by a link, where the file system lets it; else everything is written anew.
        package var links = true
        /// Begins although the disk may not hold all of it.
        package var isPartial = false
        /// Nothing is written: the store is one in memory.
        package var isDry = false
        /// Called with what is there before any of it is changed, and only when something is there; what it throws ends the import.
        package var beforeChange: (StoredConfiguration) throws -> Void = { _ in }

        package init() {}
    }

    let store: Store
    let importer: FootageImporter
    let tables: StagedTables
    let paths: ReferencePaths
    let options: Options
    private let rules: BackupReader.Rules
    private let now: WallTime
    let progress: (String) -> Void

    var report = ImportReport()
    var source = ""
    /// Cameras of the old installation and which they are here.
    var cameras: [Int64: Camera] = [:]
    /// Recordings that were brought, and when they began, microseconds UTC.
    var files: [String: Int64] = [:]

    /// Events that are stored in one transaction.
    private static let batch = 50

    /// `problem`s of the dump are part of `report`. `progress` hears lines for a person, often.
    package init(
        store: Store, importer: FootageImporter, tables: StagedTables, paths: ReferencePaths, rules: BackupReader.Rules, options: Options,
        report: ImportReport, now: WallTime, progress: @escaping (String) -> Void
    ) {
        self.store = store
        self.importer = importer
        self.tables = tables
        self.paths = paths
        self.rules = rules
        self.options = options
        self.report = report
        self.now = now
        self.progress = progress
    }

    /// Throws when nothing can be brought at all, `exhausted` when the disk does not hold it, before anything is changed; what fails by
    /// itself is part of the report.
    package func run() throws -> ImportReport {
        var document = ReferenceDocument(tables: tables, paths: paths)
        source = try document.source()
        let json = try document.json()
        for note in document.notes { report.leaveOut(note.place, note.reason) }
        files = try broughtFiles()
        let space = try measure()
        report.space = space
        guard space.isEnough || options.isPartial || options.isDry else { throw NVRError(.exhausted, space.refusal) }
        try configure(json)
        do {
            try bringEvents()
        } catch let error as NVRError where error.kind == .exhausted {
            report.stopped = error.message
        }
        return report
    }

    // MARK: What was set up

    private func configure(_ json: JSONValue) throws {
        let store = store
        let source = source
        let known = try blockingWait { try await store.imports.targets(.camera, of: source) }
        var configuration = try read(json)
        let wanted = configuration.cameras.map(\.id)
        var ids: [ID<Camera>: ID<Camera>] = [:]
        for (key, target) in known { if let id = Int64(key) { ids[ID(id)] = ID(target) } }
        let here = try blockingWait { try await store.configuration() }
        if known.isEmpty {
            // On an empty server cameras keep their numbers, by which scripts and bookmarks know them.
            if here.cameras.isEmpty { configuration.instance = here.instance }
            if !here.cameras.isEmpty || !here.users.isEmpty { try options.beforeChange(here) }
        } else {
            // What was brought once is this server's by now, with what was changed since.
            configuration.settings = [:]
            configuration.cameras.removeAll { ids[$0.id] != nil }
            configuration.storageProfiles.removeAll { profile in here.storageProfiles.contains { $0.name == profile.name } }
            configuration.groups.removeAll { group in here.groups.contains { $0.name == group.name } }
            configuration.users.removeAll { user in
                here.users.contains { $0.user.username.lowercased() == user.user.username.lowercased() }
            }
        }
        if here.users.isEmpty, !configuration.users.contains(where: { $0.user.role == .admin && $0.user.isActive }) {
            // Whoever opens the server first becomes its administrator, as on every new one.
            for user in configuration.users { report.leaveOut("user \(user.user.username)", "there is no administrator among the users") }
            configuration.users = []
        }
        let password = configuration.users.contains { $0.passwordHash == nil } ? try Self.unknownPassword() : ""
        let (final, before) = (configuration, ids)
        let (brought, found) = try blockingWait { try await store.restore(final, passwordless: password, known: before) }
        let warnings = report.configuration.warnings
        report.configuration = brought
        report.configuration.warnings = warnings + brought.warnings
        ids.merge(found) { _, new in new }
        let notes = Dictionary(uniqueKeysWithValues: ids.map { ($0.key.description, Optional($0.value.rawValue)) })
        try blockingWait { try await store.imports.note(notes, .camera, of: source) }
        let all = try blockingWait { try await store.cameras.all() }
        for id in wanted { cameras[id.rawValue] = all.first { $0.id == ids[id] } }
    }

    /// The configuration without what cannot be read of it.
    private func read(_ json: JSONValue) throws -> StoredConfiguration {
        var object = json.object ?? [:]
        for (list, name) in [("cameras", "name"), ("storage_profiles", "name"), ("groups", "name"), ("users", "username")] {
            var taken: Set<NameKey> = []
            sift(&object, list, name) { item in
                let key = NameKey(list == "users" ? item[name]?.string ?? "" : "\(item["id"] ?? .null)")
                guard taken.insert(key).inserted else { throw ReasonedRefusal("it is there twice") }
                return [list: [item]]
            }
        }
        // What belongs to users is read with one.
        for list in ["api_tokens", "recovery_codes"] {
            sift(&object, list, "name") { item in
                var own = item.object ?? [:]
                own["username"] = "somebody"
                return ["users": [["username": "somebody"]], list: [.object(own)]]
            }
        }
        var names: Set<NameKey> = []
        object["groups"] = .array((object["groups"]?.array ?? []).filter { names.insert(NameKey($0["name"]?.string ?? "")).inserted })
        let groups = Set((object["groups"]?.array ?? []).compactMap { $0["id"] })
        let cameras = Set((object["cameras"]?.array ?? []).compactMap { $0["id"] })
        object["associations"] = .array(
            (object["associations"]?.array ?? []).filter { item in
                item["group_id"].map(groups.contains) ?? false && item["camera_id"].map(cameras.contains) ?? false
            })
        var reader = BackupReader(rules: rules, now: now)
        let configuration = try reader.read(.object(object))
        report.configuration.warnings += reader.warnings
        return configuration
    }

    /// Leaves out the members of a list that cannot be read by themselves. `alone`: a backup that holds nothing else.
    private func sift(_ object: inout JSONObject, _ list: String, _ name: String, alone: (JSONValue) throws -> JSONObject) {
        object[list] = .array(
            (object[list]?.array ?? []).filter { item in
                do {
                    var single = try alone(item)
                    if single["cameras"] == nil { single["cameras"] = [] }
                    var reader = BackupReader(rules: rules, now: now)
                    _ = try reader.read(.object(single))
                    return true
                } catch {
                    report.leaveOut("\(list.dropLast()) \(item[name]?.string ?? "without a name")", Self.refusal(error, in: list))
                    return false
                }
            })
    }

    /// What the reader of backups says of a single item, without where it lay in a backup that was never written.
    private static func refusal(_ error: any Error, in list: String) -> String {
        var text = (error as? NVRError)?.message ?? "\(error)"
        for start in ["Invalid backup file format: ", "\(list)[0]."] where text.hasPrefix(start) { text.removeFirst(start.count) }
        return text
    }

    /// The hash of a password that nobody knows.
    private static func unknownPassword() throws -> String {
        var generator = SystemRandomNumberGenerator()
        return try PasswordHash.make((0..<4).map { _ in String(UInt64.random(in: .min ... .max, using: &generator), radix: 36) }.joined())
    }

    // MARK: Events

    private func bringEvents() throws {
        // Continuous recordings first: they hold what those of motion hold, and more. Names make each camera's go on in time.
        let order = try tables.order(of: "events", by: ["event_type", "camera_id", "file_path", "id"])
        let store = store
        let source = source
        var done = 0
        for start in stride(from: 0, to: order.count, by: Self.batch) {
            let rows = try tables.rows("events", order[start..<min(start + Self.batch, order.count)], longest: ReferenceEvent.longest)
            let events: [ReferenceEvent] = rows.compactMap { values in
                let row = ReferenceRow(values: values)
                switch ReferenceEvent.read(row) {
                case .success(let event): return event
                case .failure(let refusal):
                    report.leaveOut("event \(row.text("id") ?? "without an id")", refusal.description)
                    return nil
                }
            }
            let keys = events.map { "\($0.id)" }
            let known = try blockingWait { try await store.imports.known(keys, .event, of: source) }
            report.eventsKnown += known.count
            try bring(events.filter { !known.contains("\($0.id)") })
            done += rows.count
            progress("\(done) of \(order.count) events")
        }
    }

    /// Recordings that an earlier run brought.
    private func broughtFiles() throws -> [String: Int64] {
        let (store, source) = (store, source)
        return try blockingWait { try await store.imports.targets(.file, of: source) }
    }

    private func bring(_ events: [ReferenceEvent]) throws {
        var stored: [(key: String, event: Event)] = []
        var listed: [String: Int64?] = [:]
        func flush() throws {
            let (store, source, events, notes) = (store, source, stored, listed)
            stored = []
            listed = [:]
            do {
                report.events += try blockingWait { try await store.imports.insert(events, of: source) } + notes.count
                try blockingWait { try await store.imports.note(notes, .event, of: source) }
            } catch {
                for path in events.flatMap({ [$0.event.picturePath, $0.event.thumbnailPath] }).compactMap({ $0 }) { try importer.removePicture(path) }
                throw error
            }
        }
        for event in events {
            do {
                switch try bring(event) {
                case .event(let made): stored.append(("\(event.id)", made))
                // The continuous event of a segment is made with it.
                case .listed: listed["\(event.id)"] = .some(nil)
                case nil: break
                }
            } catch let error as NVRError where error.kind == .exhausted {
                try flush()
                throw error
            } catch {
                guard let reason = Self.reason(error) else { throw error }
                report.leaveOut("event \(event.id), \(event.file)", reason)
            }
        }
        try flush()
    }

    /// Why one event cannot be brought; nil when the import itself cannot go on.
    private static func reason(_ error: any Error) -> String? {
        switch error {
        case let error as NVRError: error.kind == .conflict || error.kind == .invalid ? error.message : nil
        case let error as FileError: error.isFull ? nil : "a file operation failed: \(error.reason)"
        default: "\(error)"
        }
    }
}
