import GRDB

/// The audit trail, and counts of events and footage over time. Times are microseconds UTC. Frozen.
enum M0004_Audit {
    static func run(_ db: Database) throws {
        try db.execute(sql: audit + eventCounts + segmentHours + backfill)
    }

    /// Rows refer to nothing, so that what a deleted user did stays. Nothing changes a row, and only those that are older than
    /// `audit_expiry` says can be deleted.
    private static let audit = """
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at_us INTEGER NOT NULL,
            user_id INTEGER,
            user_name TEXT COLLATE NOCASE,
            token_id INTEGER,
            address TEXT NOT NULL,
            method TEXT NOT NULL,
            route TEXT NOT NULL,
            parameters TEXT NOT NULL,
            camera_id INTEGER,
            status INTEGER NOT NULL,
            summary TEXT NOT NULL
        ) STRICT;
        CREATE INDEX audit_by_time ON audit (at_us);
        CREATE INDEX audit_by_user ON audit (user_id, at_us);
        CREATE INDEX audit_by_name ON audit (user_name, at_us);
        CREATE INDEX audit_by_route ON audit (route, at_us);
        CREATE INDEX audit_by_camera ON audit (camera_id, at_us) WHERE camera_id IS NOT NULL;
        CREATE TABLE audit_expiry (
            before_us INTEGER NOT NULL
        ) STRICT;
        INSERT INTO audit_expiry VALUES (-9223372036854775807);
        CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN
            SELECT raise(ABORT, 'the audit trail is append-only');
        END;
        CREATE TRIGGER audit_is_deleted_by_age BEFORE DELETE ON audit
        WHEN OLD.at_us >= (SELECT min(before_us) FROM audit_expiry) OR NOT EXISTS (SELECT 1 FROM audit_expiry) BEGIN
            SELECT raise(ABORT, 'the audit trail is append-only');
        END;

        """

    /// Events by the quarter of an hour (unit 0) and by the UTC day (unit 1) in which they begin; camera 0 stands for all. Every time
    /// zone in use begins its hours and days at a quarter, so that any of them is counted by adding a few rows.
    private static let eventCounts: String = """
        CREATE TABLE event_counts (
            camera_id INTEGER NOT NULL,
            unit INTEGER NOT NULL,
            bucket INTEGER NOT NULL,
            medium INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (camera_id, unit, bucket, medium, kind)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER events_counted AFTER INSERT ON events BEGIN
            \(counted)
        END;
        CREATE TRIGGER events_uncounted AFTER DELETE ON events BEGIN
            \(uncounted)
        END;
        CREATE TRIGGER events_recounted AFTER UPDATE OF start_us ON events
        WHEN OLD.start_us / 900000000 <> NEW.start_us / 900000000 BEGIN
            \(uncounted)
            \(counted)
        END;

        """

    private static let counted: String = """
        INSERT INTO event_counts VALUES
            (0, 0, NEW.start_us / 900000000, NEW.medium, NEW.kind, 1),
            (0, 1, NEW.start_us / 86400000000, NEW.medium, NEW.kind, 1),
            (NEW.camera_id, 0, NEW.start_us / 900000000, NEW.medium, NEW.kind, 1),
            (NEW.camera_id, 1, NEW.start_us / 86400000000, NEW.medium, NEW.kind, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
        """

    private static let uncounted: String = [(0, "0"), (0, "OLD.camera_id"), (1, "0"), (1, "OLD.camera_id")].map { unit, camera in
        let length = unit == 0 ? "900000000" : "86400000000"
        let row = """
            camera_id = \(camera) AND unit = \(unit) AND bucket = OLD.start_us / \(length) AND medium = OLD.medium AND kind = OLD.kind
            """
        return "UPDATE event_counts SET count = count - 1 WHERE \(row); DELETE FROM event_counts WHERE \(row) AND count <= 0;"
    }.joined(separator: "\n")

    /// Listed footage by the UTC hour in which its segments begin.
    private static let segmentHours = """
        CREATE TABLE segment_hours (
            camera_id INTEGER NOT NULL,
            hour INTEGER NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            PRIMARY KEY (camera_id, hour)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER segment_hours_listed AFTER UPDATE OF state, bytes, start_us ON segments WHEN NEW.state IN (1, 2) BEGIN
            INSERT INTO segment_hours VALUES (NEW.camera_id, NEW.start_us / 3600000000, 1, NEW.bytes)
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER segment_hours_unlisted AFTER UPDATE OF state, bytes, start_us ON segments WHEN OLD.state IN (1, 2) BEGIN
            UPDATE segment_hours SET count = count - 1, bytes = bytes - OLD.bytes
            WHERE camera_id = OLD.camera_id AND hour = OLD.start_us / 3600000000;
            DELETE FROM segment_hours WHERE camera_id = OLD.camera_id AND hour = OLD.start_us / 3600000000 AND count <= 0;
        END;
        CREATE TRIGGER segment_hours_inserted AFTER INSERT ON segments WHEN NEW.state IN (1, 2) BEGIN
            INSERT INTO segment_hours VALUES (NEW.camera_id, NEW.start_us / 3600000000, 1, NEW.bytes)
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER segment_hours_deleted AFTER DELETE ON segments WHEN OLD.state IN (1, 2) BEGIN
            UPDATE segment_hours SET count = count - 1, bytes = bytes - OLD.bytes
            WHERE camera_id = OLD.camera_id AND hour = OLD.start_us / 3600000000;
            DELETE FROM segment_hours WHERE camera_id = OLD.camera_id AND hour = OLD.start_us / 3600000000 AND count <= 0;
        END;

        """

    private static let backfill = """
        INSERT INTO event_counts SELECT 0, 0, start_us / 900000000, medium, kind, count(*) FROM events GROUP BY 3, 4, 5;
        INSERT INTO event_counts SELECT 0, 1, start_us / 86400000000, medium, kind, count(*) FROM events GROUP BY 3, 4, 5;
        INSERT INTO event_counts
            SELECT camera_id, 0, start_us / 900000000, medium, kind, count(*) FROM events GROUP BY 1, 3, 4, 5;
        INSERT INTO event_counts
            SELECT camera_id, 1, start_us / 86400000000, medium, kind, count(*) FROM events GROUP BY 1, 3, 4, 5;
        INSERT INTO segment_hours SELECT camera_id, start_us / 3600000000, count(*), sum(bytes) FROM segments
            WHERE state IN (1, 2) GROUP BY 1, 2;
        """
}
