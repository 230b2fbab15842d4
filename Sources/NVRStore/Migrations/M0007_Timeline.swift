import GRDB

/// Sums of footage and events by time, and why nothing was recorded. Times in `timeline_` tables are milliseconds UTC, others
/// microseconds UTC. Frozen.
enum M0007_Timeline {
    static func run(_ db: Database) throws {
        try db.execute(sql: index + outages + sums)
        try TimelineStore.fill(db, TimelineStore.levels(db))
        try db.execute(sql: triggers)
    }

    /// A day of minutes is read from this index alone.
    private static let index = """
        DROP INDEX segments_by_time;
        CREATE INDEX segments_by_time ON segments (camera_id, role, start_us, end_us, state);

        """

    /// The two short indexes answer for months and years, where only what lasts can be seen.
    private static let outages = """
        CREATE TABLE outages (
            camera_id INTEGER NOT NULL,
            start_us INTEGER NOT NULL,
            end_us INTEGER,
            cause INTEGER NOT NULL CHECK (cause BETWEEN 0 AND 5),
            reason TEXT,
            PRIMARY KEY (camera_id, start_us)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX outages_of_minutes ON outages (camera_id, start_us) WHERE end_us IS NULL OR end_us - start_us > 600000000;
        CREATE INDEX outages_of_hours ON outages (camera_id, start_us) WHERE end_us IS NULL OR end_us - start_us > 21600000000;
        CREATE TRIGGER outages_end_with_camera AFTER DELETE ON cameras BEGIN
            DELETE FROM outages WHERE camera_id = OLD.id AND end_us IS NULL;
        END;

        """

    /// 96 buckets a row, nine digits each, so that a year is a few rows and a change of one still rewrites one page.
    private static let sums: String = """
        CREATE TABLE timeline_levels (
            level INTEGER PRIMARY KEY,
            unit INTEGER NOT NULL,
            phase INTEGER NOT NULL
        ) STRICT;
        INSERT INTO timeline_levels VALUES (0, 300000, 0), (1, 3600000, 0), (2, 86400000, 0);
        CREATE TABLE timeline_chunks (
            camera_id INTEGER NOT NULL,
            level INTEGER NOT NULL,
            chunk INTEGER NOT NULL,
            series INTEGER NOT NULL,
            total INTEGER NOT NULL,
            cells TEXT NOT NULL,
            PRIMARY KEY (camera_id, level, chunk, series)
        ) STRICT, WITHOUT ROWID;
        CREATE VIEW timeline_additions (camera_id, series, level, bucket, amount) AS SELECT 0, 0, 0, 0, 0;

        """

    private static let chunkOfNew = "camera_id = NEW.camera_id AND level = NEW.level AND chunk = NEW.bucket / 96 AND series = NEW.series"

    private static let triggers: String = """
        CREATE TRIGGER timeline_added INSTEAD OF INSERT ON timeline_additions BEGIN
            INSERT INTO timeline_chunks VALUES (NEW.camera_id, NEW.level, NEW.bucket / 96, NEW.series, 0, '\(String(repeating: "0", count: 864))')
                ON CONFLICT DO NOTHING;
            UPDATE timeline_chunks SET total = total + NEW.amount, cells = substr(cells, 1, NEW.bucket % 96 * 9)
                || printf('%09d', min(999999999, max(0, CAST(substr(cells, NEW.bucket % 96 * 9 + 1, 9) AS INTEGER) + NEW.amount)))
                || substr(cells, NEW.bucket % 96 * 9 + 10)
                WHERE \(chunkOfNew);
            DELETE FROM timeline_chunks WHERE NEW.amount < 0 AND \(chunkOfNew) AND total <= 0;
        END;
        CREATE TRIGGER timeline_segment_inserted AFTER INSERT ON segments WHEN NEW.state IN (1, 2) BEGIN
            \(span("NEW", series: "NEW.role", from: start("NEW"), sign: "+"))
        END;
        CREATE TRIGGER timeline_segment_extended AFTER UPDATE OF state, start_us, end_us ON segments
        WHEN \(isExtended) BEGIN
            \(span("NEW", series: "NEW.role", from: end("OLD"), sign: "+"))
        END;
        CREATE TRIGGER timeline_segment_unlisted AFTER UPDATE OF state, start_us, end_us ON segments
        WHEN OLD.state IN (1, 2) AND NOT (\(isExtended)) BEGIN
            \(span("OLD", series: "OLD.role", from: start("OLD"), sign: "-"))
        END;
        CREATE TRIGGER timeline_segment_listed AFTER UPDATE OF state, start_us, end_us ON segments
        WHEN NEW.state IN (1, 2) AND NOT (\(isExtended)) BEGIN
            \(span("NEW", series: "NEW.role", from: start("NEW"), sign: "+"))
        END;
        CREATE TRIGGER timeline_segment_deleted AFTER DELETE ON segments WHEN OLD.state IN (1, 2) BEGIN
            \(span("OLD", series: "OLD.role", from: start("OLD"), sign: "-"))
        END;
        CREATE TRIGGER timeline_event_inserted AFTER INSERT ON events WHEN \(isCounted("NEW")) BEGIN
            \(count("NEW", "1"))
        END;
        CREATE TRIGGER timeline_event_moved AFTER UPDATE OF start_us ON events WHEN \(isCounted("NEW")) AND OLD.start_us <> NEW.start_us BEGIN
            \(count("OLD", "-1"))
            \(count("NEW", "1"))
        END;
        CREATE TRIGGER timeline_event_deleted AFTER DELETE ON events WHEN \(isCounted("OLD")) BEGIN
            \(count("OLD", "-1"))
        END;
        CREATE TRIGGER timeline_motion_inserted AFTER INSERT ON events WHEN \(isMotion("NEW")) BEGIN
            \(span("NEW", series: "2", from: start("NEW"), sign: "+"))
        END;
        CREATE TRIGGER timeline_motion_changed AFTER UPDATE OF start_us, end_us ON events
        WHEN NEW.medium = 0 AND NEW.kind = 0 AND (OLD.start_us <> NEW.start_us OR OLD.end_us IS NOT NEW.end_us) BEGIN
            \(span("OLD", series: "2", from: start("OLD"), sign: "-"))
            \(span("NEW", series: "2", from: start("NEW"), sign: "+"))
        END;
        CREATE TRIGGER timeline_motion_deleted AFTER DELETE ON events WHEN \(isMotion("OLD")) BEGIN
            \(span("OLD", series: "2", from: start("OLD"), sign: "-"))
        END;
        """

    private static let isExtended =
        "OLD.state IN (1, 2) AND NEW.state IN (1, 2) AND NEW.start_us = OLD.start_us AND NEW.end_us >= OLD.end_us"

    private static func isCounted(_ row: String) -> String { "NOT (\(row).medium = 0 AND \(row).kind = 1)" }
    private static func isMotion(_ row: String) -> String { "\(row).medium = 0 AND \(row).kind = 0 AND \(row).end_us IS NOT NULL" }

    // What `TimelineLevel.clip` does.
    private static func start(_ row: String) -> String { "min(max(\(row).start_us / 1000, 0), 253402300799000)" }
    private static func end(_ row: String) -> String {
        "min(max(\(row).end_us / 1000, 0), 253402300799000, \(start(row)) + 34560000000)"
    }

    /// Adds the time from `from` to the end of a row to the buckets it lies in; takes it away with the sign `-`. Nothing when the end
    /// is null.
    private static func span(_ row: String, series: String, from: String, sign: String) -> String {
        let end = end(row)
        return """
            INSERT INTO timeline_additions SELECT \(row).camera_id, \(series), level, bucket,
                \(sign)(min(\(end), (bucket + 1) * unit - phase) - max(\(from), bucket * unit - phase))
            FROM (WITH RECURSIVE walk (level, unit, phase, bucket, last) AS (
                SELECT level, unit, phase, (\(from) + phase) / unit, (\(end) - 1 + phase) / unit FROM timeline_levels WHERE \(end) > \(from)
                UNION ALL SELECT level, unit, phase, bucket + 1, last FROM walk WHERE bucket < last
            ) SELECT level, unit, phase, bucket FROM walk);
            """
    }

    private static func count(_ row: String, _ amount: String) -> String {
        """
        INSERT INTO timeline_additions SELECT \(row).camera_id, iif(\(row).medium = 1, 4, 3), level, (\(start(row)) + phase) / unit, \(amount)
        FROM timeline_levels;
        """
    }
}
