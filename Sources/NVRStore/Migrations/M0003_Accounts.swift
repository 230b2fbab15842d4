import GRDB

/// Rights to cameras and groups, second factors, trusted devices and avatars. Times are microseconds UTC. Frozen.
enum M0003_Accounts {
    static func run(_ db: Database) throws {
        try db.execute(sql: grants + secondFactors + avatars)
    }

    private static let grants = """
        CREATE TABLE user_cameras (
            user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            camera_id INTEGER NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
            can_view INTEGER NOT NULL,
            can_replay INTEGER NOT NULL,
            can_control INTEGER NOT NULL,
            PRIMARY KEY (user_id, camera_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX user_cameras_by_camera ON user_cameras (camera_id);
        CREATE TABLE user_groups (
            user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            group_id INTEGER NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
            can_view INTEGER NOT NULL,
            can_replay INTEGER NOT NULL,
            can_control INTEGER NOT NULL,
            PRIMARY KEY (user_id, group_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX user_groups_by_group ON user_groups (group_id);

        """

    /// `secret` is sealed. `last_step` is the newest time step whose code was taken: a code is good once. Codes and device tokens
    /// are there as SHA-256.
    private static let secondFactors = """
        CREATE TABLE second_factors (
            user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
            secret TEXT NOT NULL,
            is_enabled INTEGER NOT NULL,
            last_step INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE recovery_codes (
            user_id INTEGER NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
            hash BLOB NOT NULL,
            PRIMARY KEY (user_id, hash)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE trusted_devices (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user_id INTEGER NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
            hash BLOB NOT NULL UNIQUE,
            name TEXT NOT NULL,
            created_us INTEGER NOT NULL,
            last_used_us INTEGER NOT NULL,
            expires_us INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX trusted_devices_by_user ON trusted_devices (user_id);

        """

    private static let avatars = """
        CREATE TABLE avatars (
            user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
            name TEXT NOT NULL UNIQUE,
            jpeg BLOB NOT NULL
        ) STRICT;
        """
}
