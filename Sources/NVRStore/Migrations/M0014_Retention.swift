import GRDB

/// What retention has to remember (one row), and how much lies where: listed segments (medium 0) and snapshots (medium 1) by camera and
/// volume. Times are microseconds UTC, `jumps` is JSON. Frozen.
enum M0014_Retention {
    static func run(_ db: Database) throws { try db.execute(sql: memory + totals) }

    private static let memory = """
        CREATE TABLE retention (
            id INTEGER PRIMARY KEY CHECK (id = 0),
            seen_us INTEGER,
            jumps TEXT NOT NULL,
            spent INTEGER NOT NULL,
            spent_us INTEGER,
            run_us INTEGER
        ) STRICT;
        INSERT INTO retention VALUES (0, NULL, '[]', 0, NULL, NULL);

        """

    private static let totals: String = """
        CREATE TABLE shelf_totals (
            camera_id INTEGER NOT NULL,
            volume INTEGER NOT NULL,
            medium INTEGER NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            PRIMARY KEY (camera_id, volume, medium)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO shelf_totals SELECT camera_id, volume, 0, count(*), sum(bytes) FROM segments WHERE state IN (1, 2) GROUP BY camera_id, volume;
        INSERT INTO shelf_totals SELECT camera_id, volume, 1, count(*), coalesce(sum(bytes), 0) FROM events WHERE medium = 1 GROUP BY camera_id, volume;
        CREATE TRIGGER segments_come_to_shelf AFTER UPDATE OF state, bytes, volume ON segments WHEN NEW.state IN (1, 2) BEGIN
            \(add("0", "NEW.bytes"))
        END;
        CREATE TRIGGER segments_leave_shelf AFTER UPDATE OF state, bytes, volume ON segments WHEN OLD.state IN (1, 2) BEGIN
            \(take("0", "OLD.bytes"))
        END;
        CREATE TRIGGER segments_inserted_on_shelf AFTER INSERT ON segments WHEN NEW.state IN (1, 2) BEGIN
            \(add("0", "NEW.bytes"))
        END;
        CREATE TRIGGER segments_deleted_on_shelf AFTER DELETE ON segments WHEN OLD.state IN (1, 2) BEGIN
            \(take("0", "OLD.bytes"))
        END;
        CREATE TRIGGER snapshots_come_to_shelf AFTER INSERT ON events WHEN NEW.medium = 1 BEGIN
            \(add("1", "coalesce(NEW.bytes, 0)"))
        END;
        CREATE TRIGGER snapshots_change_on_shelf AFTER UPDATE OF bytes, volume ON events
        WHEN NEW.medium = 1 AND (OLD.bytes IS NOT NEW.bytes OR OLD.volume <> NEW.volume) BEGIN
            \(take("1", "coalesce(OLD.bytes, 0)"))
            \(add("1", "coalesce(NEW.bytes, 0)"))
        END;
        CREATE TRIGGER snapshots_leave_shelf AFTER DELETE ON events WHEN OLD.medium = 1 BEGIN
            \(take("1", "coalesce(OLD.bytes, 0)"))
        END;
        """

    private static func add(_ medium: String, _ bytes: String) -> String {
        """
        INSERT INTO shelf_totals VALUES (NEW.camera_id, NEW.volume, \(medium), 1, \(bytes))
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        """
    }

    private static func take(_ medium: String, _ bytes: String) -> String {
        """
        UPDATE shelf_totals SET count = count - 1, bytes = bytes - \(bytes)
            WHERE camera_id = OLD.camera_id AND volume = OLD.volume AND medium = \(medium);
        """
    }
}
