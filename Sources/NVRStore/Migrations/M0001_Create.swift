import GRDB

/// The first schema; docs/STORAGE.md explains it. Times are microseconds UTC. Frozen.
enum M0001_Create {
    static func run(_ db: Database) throws {
        try db.execute(sql: cameras + footage + events + totals + accounts)
    }

    /// AUTOINCREMENT: the id of a deleted camera is never given again, since its footage may still be there.
    private static let cameras = """
        CREATE TABLE cameras (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            sort_order INTEGER NOT NULL,
            created_us INTEGER NOT NULL,
            settings TEXT NOT NULL
        ) STRICT;

        """

    /// The packed index lies in a table of its own: it is fifty times as large as its row and read one segment at a time.
    private static let footage = """
        CREATE TABLE segments (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            camera_id INTEGER NOT NULL,
            role INTEGER NOT NULL CHECK (role IN (0, 1)),
            run INTEGER NOT NULL,
            path TEXT NOT NULL UNIQUE,
            start_us INTEGER NOT NULL,
            end_us INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
            is_continuous INTEGER NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            codecs TEXT NOT NULL,
            init_length INTEGER NOT NULL,
            timescale INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX segments_by_time ON segments (camera_id, role, start_us);
        CREATE INDEX segments_by_start ON segments (start_us) WHERE state IN (1, 2);
        CREATE INDEX segments_not_finished ON segments (state) WHERE state <> 2;
        CREATE INDEX segments_long ON segments (camera_id, role, start_us) WHERE end_us - start_us > 3600000000;
        CREATE TABLE segment_indexes (
            segment_id INTEGER PRIMARY KEY REFERENCES segments (id) ON DELETE CASCADE,
            packed BLOB NOT NULL
        ) STRICT;
        CREATE TABLE garbage_files (
            path TEXT PRIMARY KEY NOT NULL
        ) STRICT, WITHOUT ROWID;

        """

    /// Every list of events merges ranges of one of the two long indexes, newest first; nothing is ever sorted or scanned.
    private static let events = """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            camera_id INTEGER NOT NULL,
            medium INTEGER NOT NULL CHECK (medium IN (0, 1)),
            kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
            start_us INTEGER NOT NULL,
            end_us INTEGER,
            segment_id INTEGER REFERENCES segments (id) ON DELETE SET NULL,
            picture_path TEXT,
            thumbnail_path TEXT,
            bytes INTEGER,
            width INTEGER,
            height INTEGER,
            score REAL,
            metadata TEXT
        ) STRICT;
        CREATE INDEX events_by_kind ON events (medium, kind, start_us);
        CREATE INDEX events_by_camera ON events (camera_id, medium, kind, start_us);
        CREATE INDEX events_by_segment ON events (segment_id) WHERE segment_id IS NOT NULL;
        CREATE INDEX events_by_picture ON events (picture_path) WHERE picture_path IS NOT NULL;
        CREATE INDEX events_by_thumbnail ON events (thumbnail_path) WHERE thumbnail_path IS NOT NULL;
        CREATE INDEX events_open ON events (camera_id) WHERE end_us IS NULL AND medium = 0;
        CREATE INDEX events_long ON events (camera_id, kind, start_us) WHERE medium = 0 AND end_us - start_us > 3600000000;

        """

    /// Running totals, kept by triggers, so that numbers on a page never count millions of rows.
    private static let totals = """
        CREATE TABLE event_totals (
            camera_id INTEGER NOT NULL,
            medium INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            PRIMARY KEY (camera_id, medium, kind)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER events_inserted AFTER INSERT ON events BEGIN
            INSERT INTO event_totals VALUES (NEW.camera_id, NEW.medium, NEW.kind, 1, coalesce(NEW.bytes, 0))
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER events_changed AFTER UPDATE OF bytes ON events WHEN OLD.bytes IS NOT NEW.bytes BEGIN
            UPDATE event_totals SET bytes = bytes + coalesce(NEW.bytes, 0) - coalesce(OLD.bytes, 0)
            WHERE camera_id = OLD.camera_id AND medium = OLD.medium AND kind = OLD.kind;
        END;
        CREATE TRIGGER events_deleted AFTER DELETE ON events BEGIN
            UPDATE event_totals SET count = count - 1, bytes = bytes - coalesce(OLD.bytes, 0)
            WHERE camera_id = OLD.camera_id AND medium = OLD.medium AND kind = OLD.kind;
        END;
        CREATE TABLE segment_totals (
            camera_id INTEGER NOT NULL,
            role INTEGER NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            PRIMARY KEY (camera_id, role)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER segments_listed AFTER UPDATE OF state, bytes ON segments WHEN NEW.state IN (1, 2) BEGIN
            INSERT INTO segment_totals VALUES (NEW.camera_id, NEW.role, 1, NEW.bytes)
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER segments_unlisted AFTER UPDATE OF state, bytes ON segments WHEN OLD.state IN (1, 2) BEGIN
            UPDATE segment_totals SET count = count - 1, bytes = bytes - OLD.bytes WHERE camera_id = OLD.camera_id AND role = OLD.role;
        END;
        CREATE TRIGGER segments_inserted AFTER INSERT ON segments WHEN NEW.state IN (1, 2) BEGIN
            INSERT INTO segment_totals VALUES (NEW.camera_id, NEW.role, 1, NEW.bytes)
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER segments_deleted AFTER DELETE ON segments WHEN OLD.state IN (1, 2) BEGIN
            UPDATE segment_totals SET count = count - 1, bytes = bytes - OLD.bytes WHERE camera_id = OLD.camera_id AND role = OLD.role;
        END;

        """

    private static let accounts = """
        CREATE TABLE users (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            username TEXT NOT NULL UNIQUE COLLATE NOCASE,
            password_hash TEXT NOT NULL,
            email TEXT,
            role TEXT NOT NULL CHECK (role IN ('admin', 'viewer')),
            is_active INTEGER NOT NULL,
            restrict_camera_access INTEGER NOT NULL,
            language TEXT NOT NULL,
            avatar_path TEXT,
            created_us INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY NOT NULL,
            user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            created_us INTEGER NOT NULL,
            expires_us INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sessions_by_user ON sessions (user_id);
        CREATE INDEX sessions_by_end ON sessions (expires_us);
        CREATE TABLE api_tokens (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            hash BLOB NOT NULL UNIQUE,
            created_us INTEGER NOT NULL,
            expires_us INTEGER,
            last_used_us INTEGER,
            is_active INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX api_tokens_by_user ON api_tokens (user_id);
        CREATE TABLE settings (
            key TEXT PRIMARY KEY NOT NULL,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
