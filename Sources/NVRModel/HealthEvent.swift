/// Something that people must hear of: a state that lasts until it is over, or a thing that happened once.
package struct HealthEvent: Sendable, Hashable {
    /// What it is about, as answers and messages spell it. Raw values are stored.
    package struct Kind: Sendable, Hashable {
        package let rawValue: String

        package init(rawValue: String) { self.rawValue = rawValue }

        /// A camera is to be recorded, and no bytes of it reach the disk.
        package static let recordingStalled = Kind(rawValue: "recording_stalled")
        /// The database is damaged; the next start puts a backup in its place.
        package static let databaseDamaged = Kind(rawValue: "database_damaged")
        /// A backup was put in the place of the database.
        package static let databaseRestored = Kind(rawValue: "database_restored")
        /// The database was begun anew, since there was no backup of it.
        package static let databaseLost = Kind(rawValue: "database_lost")
        /// No backup of the database can be made.
        package static let databaseBackupFailed = Kind(rawValue: "database_backup_failed")
        /// Footage that no row knew is listed again.
        package static let footageReindexed = Kind(rawValue: "footage_reindexed")
        /// Rows and files of footage differ in a way that nobody but a person can mend.
        package static let footageDrift = Kind(rawValue: "footage_drift")
        /// Footage is encrypted with a key that the server was not given.
        package static let footageKeyMissing = Kind(rawValue: "footage_key_missing")
        /// The clock shows a time that cannot be.
        package static let clockImplausible = Kind(rawValue: "clock_implausible")
    }

    /// 0 until it is stored.
    package var id: ID<HealthEvent>
    package var kind: Kind
    /// Nil for the server itself.
    package var cameraID: ID<Camera>?
    package var start: WallTime
    /// Nil while it lasts; the start for what only happened.
    package var end: WallTime?
    /// One word of a known few: why, for programs.
    package var cause: String?
    /// For people, without credentials.
    package var detail: String?

    package init(
        id: ID<HealthEvent> = ID(0), kind: Kind, cameraID: ID<Camera>? = nil, start: WallTime, end: WallTime? = nil, cause: String? = nil,
        detail: String? = nil
    ) {
        self.id = id
        self.kind = kind
        self.cameraID = cameraID
        self.start = start
        self.end = end
        self.cause = cause
        self.detail = detail
    }

    /// What tells it from others.
    package var key: Key { Key(kind: kind, cameraID: cameraID) }

    /// A state that may last; of each there is one at a time.
    package struct Key: Sendable, Hashable {
        package var kind: Kind
        package var cameraID: ID<Camera>?

        package init(kind: Kind, cameraID: ID<Camera>? = nil) {
            self.kind = kind
            self.cameraID = cameraID
        }
    }
}
