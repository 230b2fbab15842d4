import GRDB

/// Groups of cameras and storage profiles. Times are microseconds UTC. Frozen.
enum M0002_Groups {
    static func run(_ db: Database) throws {
        try db.execute(sql: groups + profiles)
    }

    /// Names are unique without regard to case, as people read them.
    private static let groups = """
        CREATE TABLE groups (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE COLLATE NOCASE,
            description TEXT,
            created_us INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE group_cameras (
            group_id INTEGER NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
            camera_id INTEGER NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
            PRIMARY KEY (group_id, camera_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX group_cameras_by_camera ON group_cameras (camera_id);

        """

    /// AUTOINCREMENT: cameras name profiles in their settings, and the id of a deleted one must never mean another.
    private static let profiles = """
        CREATE TABLE storage_profiles (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE COLLATE NOCASE,
            path TEXT NOT NULL UNIQUE,
            description TEXT,
            max_size_gb REAL NOT NULL,
            created_us INTEGER NOT NULL
        ) STRICT;
        """
}
