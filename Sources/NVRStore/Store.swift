import GRDB
#if canImport(Glibc)
    import Glibc
#endif
package import Logging
package import NVRBase
package import NVRModel

/// The database of the product: opened once, migrated, handed out as one store struct per aggregate. Any task may use it; all
/// writes go through one connection, one transaction at a time, each durable when its call returns (docs/STORAGE.md).
package struct Store: Sendable {
    package let cameras: CameraStore
    package let groups: GroupStore
    package let storageProfiles: StorageProfileStore
    package let segments: SegmentStore
    package let events: EventStore
    package let users: UserStore
    package let sessions: SessionStore
    package let tokens: TokenStore
    package let secondFactors: SecondFactorStore
    package let streamingSecrets: StreamingSecretStore
    package let avatars: AvatarStore
    package let layouts: LayoutStore
    package let settings: SettingsStore
    package let audit: AuditStore
    package let timeline: TimelineStore
    package let outages: OutageStore
    package let holds: HoldStore
    package let retention: RetentionStore
    package let s3Profiles: S3ProfileStore
    package let offsite: OffsiteStore
    package let health: HealthStore
    package let upkeep: UpkeepStore
    package let imports: ImportStore
    package let footageKeys: FootageKeyStore
    /// What was changed, sent after the commit. A slow subscriber loses the oldest; then it looks at the whole again.
    package let changes: Broadcast<StoreChange>
    /// When it may have changed what somebody may do.
    package let access: AccessChanges
    /// Counts commits, for what is kept of rows until they change.
    package var versions: StoreVersions { rows.versions }
    /// How many writes there were, and how many wait.
    package var commits: CommitCounts { rows.commits.counts }
    /// Hears of damage that is found while the database is used.
    package var damage: DamageWatch { rows.damage }
    /// Encrypts what a copied database must not give away.
    package let secrets: SecretBox

    let rows: Rows

    private init(rows: Rows, access: AccessChanges) {
        self.rows = rows
        self.access = access
        changes = rows.changes
        secrets = rows.secrets
        cameras = CameraStore(rows: rows)
        groups = GroupStore(rows: rows)
        storageProfiles = StorageProfileStore(rows: rows)
        segments = SegmentStore(rows: rows)
        events = EventStore(rows: rows)
        users = UserStore(rows: rows)
        sessions = SessionStore(rows: rows)
        tokens = TokenStore(rows: rows)
        secondFactors = SecondFactorStore(rows: rows)
        streamingSecrets = StreamingSecretStore(rows: rows)
        avatars = AvatarStore(rows: rows)
        layouts = LayoutStore(rows: rows)
        settings = SettingsStore(rows: rows)
        audit = AuditStore(rows: rows)
        timeline = TimelineStore(rows: rows)
        outages = OutageStore(rows: rows)
        holds = HoldStore(rows: rows)
        retention = RetentionStore(rows: rows)
        s3Profiles = S3ProfileStore(rows: rows)
        offsite = OffsiteStore(rows: rows)
        health = HealthStore(rows: rows)
        upkeep = UpkeepStore(rows: rows)
        imports = ImportStore(rows: rows)
        footageKeys = FootageKeyStore(rows: rows)
    }

    /// Opens the database file, made with mode 0600 when it is not there; its folder must exist. Throws `unavailable` when the
    /// file lies on a network file system, where SQLite's locks and shared memory do not hold, `dataLoss` when it is damaged,
    /// `conflict` when a newer version of the product made it and `invalid` when none of `keys` is the one it is encrypted with.
    package static func open(at path: String, keys: SecretKeys = SecretKeys(), logger: Logger? = nil) throws -> Store {
        if let type = StoreLocation.networkType(of: path) { throw StoreLocation.refusal(path, type) }
        // SQLite gives the files beside it (-wal, -shm) the mode of the database file.
        let descriptor = Glibc.open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw NVRError(.unavailable, "the database \(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        Glibc.close(descriptor)
        do {
            let pool = try DatabasePool(path: path, configuration: configuration())
            // The pool sets NORMAL, with which the last commits before a power cut are lost.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            let reserve = path.lastIndex(of: "/").map { SpaceReserve(folder: String(path[..<$0])) }
            let store = try Store(opening: pool, name: path, logger: logger, reserve: reserve) { try keys.choose(for: path, check: $0) }
            logger?.debug("database opened", metadata: ["path": "\(path)"])
            return store
        } catch {
            throw Rows.translated(error, doing: "opening the database \(path)")
        }
    }

    /// An empty database in memory, for tests.
    package static func inMemory() throws -> Store {
        try Store(opening: DatabaseQueue(configuration: configuration()), name: "in memory", logger: nil, reserve: nil) { _ in
            SecretKeys.Choice(current: .random())
        }
    }

    private init(
        opening writer: any DatabaseWriter, name: String, logger: Logger?, reserve: SpaceReserve?,
        choosingKey choose: (_ check: String?) throws -> SecretKeys.Choice
    ) throws {
        try writer.writeWithoutTransaction { db in
            // Small tables without which nothing works; footage rows can be made again from the files.
            for table in [
                "installation", "cameras", "groups", "group_cameras", "storage_profiles", "users", "user_cameras", "user_groups", "settings",
                "sessions", "api_tokens", "holds", "segment_totals", "event_totals", "health_events", "upkeep",
            ] where try db.tableExists(table) {
                let verdict = try String.fetchAll(db, sql: "PRAGMA quick_check('\(table)')")
                guard verdict == ["ok"] else {
                    throw NVRError(.dataLoss, "the database \(name) is damaged (\(table): \(verdict.first ?? "no answer")); restore a copy of it")
                }
            }
        }
        let keys = try choose(try writer.read(Sealing.check))
        let migrator = Migrations.migrator(keys.current)
        guard try !writer.read(migrator.hasBeenSuperseded) else {
            if let entry = try writer.read({ try Migrations.damaged($0, migrator) }) {
                throw NVRError(.dataLoss, "the database \(name) is damaged (its list of migrations: \(entry))")
            }
            throw NVRError(.conflict, "the database \(name) was made by a newer version of this program; use that one")
        }
        try migrator.migrate(writer)
        if let next = keys.next {
            try writer.write { try Sealing.changeKey($0, from: keys.current, to: next) }
            logger?.notice("the secrets of the database are encrypted with another key now")
        }
        do { try Sealing.scrub(writer) } catch {
            logger?.warning(
                "what earlier versions stored in plain text could not be removed from the file; tried again at the next start",
                metadata: ["error": "\(Rows.translated(error, doing: "rewriting the database"))"])
        }
        let access = AccessChanges()
        writer.add(transactionObserver: AccessObserver(access), extent: .databaseLifetime)
        let rows = Rows(
            writer: writer, changes: Broadcast(), secrets: keys.next ?? keys.current,
            damage: DamageWatch(marker: reserve == nil ? nil : DatabaseFiles(path: name).marker), reserve: reserve)
        writer.add(transactionObserver: VersionObserver(rows.versions), extent: .databaseLifetime)
        self.init(rows: rows, access: access)
    }

    private static func configuration() -> Configuration {
        var configuration = Configuration()
        configuration.label = "store"
        configuration.maximumReaderCount = 3
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            // Kibibytes for each connection, as far as the database fills them: a hundred events of one camera among many lie in a megabyte
            // of pages. The system's own page cache holds the rest.
            try db.execute(sql: "PRAGMA cache_size = -2048; PRAGMA mmap_size = 0; PRAGMA journal_size_limit = 16777216")
            // Rows may have been written by hostile hands; no SQL function or view may act for them.
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
        }
        return configuration
    }

    /// Bytes of the database file.
    package func bytes() async throws -> Int64 {
        try await rows.read("measuring the database") { db in
            let pages = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            return pages * (try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
        }
    }

    /// Reads the whole database and gives what is wrong with it; empty when it is sound.
    package func problems() async throws -> [String] {
        try await rows.read("checking the database") { db in
            var problems = try String.fetchAll(db, sql: "PRAGMA integrity_check").filter { $0 != "ok" }
            let orphans = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").count
            if orphans > 0 { problems.append("\(orphans) rows refer to rows that do not exist") }
            return problems
        }
    }

    /// Ends the subscriptions and closes the file. Calls that come later throw.
    package func close() throws {
        changes.finish()
        access.broadcast.finish()
        damage.broadcast.finish()
        do { try rows.writer.close() } catch { throw Rows.translated(error, doing: "closing the database") }
    }
}

/// What was changed by a commit: ids only; the receiver reads what it needs.
package enum StoreChange: Sendable, Hashable {
    /// Made or changed.
    case camera(ID<Camera>)
    /// Its places in groups went with it.
    case cameraDeleted(ID<Camera>)
    /// Made, or given other cameras.
    case group(ID<CameraGroup>)
    case groupDeleted(ID<CameraGroup>)
    /// Made or changed. Cameras that are moved by a deletion are announced as changed.
    case storageProfile(ID<StorageProfile>)
    case storageProfileDeleted(ID<StorageProfile>)
    /// Made, changed or deleted.
    case s3Profile(ID<S3Profile>)
    /// Made, changed or ended.
    case event(ID<Event>)
    case eventDeleted(ID<Event>)
    case setting(String)
}
