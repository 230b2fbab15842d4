import GRDB

/// On which volume a file lies: 0 is the default folder for recordings, any other number the id of a storage profile. Frozen.
enum M0009_Volumes {
    static func run(_ db: Database) throws { try db.execute(sql: columns + garbage + totals) }

    /// A path stays unique among all volumes, so that a file keeps its address when it moves. `marked_us`: when the folder of a profile
    /// was given its marker; NULL before that.
    private static let columns = """
        ALTER TABLE segments ADD COLUMN volume INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE events ADD COLUMN volume INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE storage_profiles ADD COLUMN marked_us INTEGER;
        CREATE INDEX segments_by_volume ON segments (volume, start_us) WHERE volume <> 0 AND state IN (1, 2);

        """

    /// Files that no row needs any more: pictures of deleted events, and originals of footage that was moved.
    private static let garbage = """
        CREATE TABLE garbage_places (
            volume INTEGER NOT NULL,
            path TEXT NOT NULL,
            PRIMARY KEY (volume, path)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO garbage_places SELECT 0, path FROM garbage_files;
        DROP TABLE garbage_files;
        ALTER TABLE garbage_places RENAME TO garbage_files;

        """

    /// Listed segments (medium 0) and snapshots (medium 1) of each volume.
    private static let totals = """
        CREATE TABLE volume_totals (
            volume INTEGER NOT NULL,
            medium INTEGER NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            PRIMARY KEY (volume, medium)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO volume_totals SELECT 0, 0, coalesce(sum(count), 0), coalesce(sum(bytes), 0) FROM segment_totals;
        INSERT INTO volume_totals SELECT 0, 1, coalesce(sum(count), 0), coalesce(sum(bytes), 0) FROM event_totals WHERE medium = 1;
        CREATE TRIGGER segments_come_to_volume AFTER UPDATE OF state, bytes, volume ON segments WHEN NEW.state IN (1, 2) BEGIN
            INSERT INTO volume_totals VALUES (NEW.volume, 0, 1, NEW.bytes)
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER segments_leave_volume AFTER UPDATE OF state, bytes, volume ON segments WHEN OLD.state IN (1, 2) BEGIN
            UPDATE volume_totals SET count = count - 1, bytes = bytes - OLD.bytes WHERE volume = OLD.volume AND medium = 0;
        END;
        CREATE TRIGGER segments_inserted_on_volume AFTER INSERT ON segments WHEN NEW.state IN (1, 2) BEGIN
            INSERT INTO volume_totals VALUES (NEW.volume, 0, 1, NEW.bytes)
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER segments_deleted_on_volume AFTER DELETE ON segments WHEN OLD.state IN (1, 2) BEGIN
            UPDATE volume_totals SET count = count - 1, bytes = bytes - OLD.bytes WHERE volume = OLD.volume AND medium = 0;
        END;
        CREATE TRIGGER snapshots_come_to_volume AFTER INSERT ON events WHEN NEW.medium = 1 BEGIN
            INSERT INTO volume_totals VALUES (NEW.volume, 1, 1, coalesce(NEW.bytes, 0))
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER snapshots_change_on_volume AFTER UPDATE OF bytes, volume ON events
        WHEN NEW.medium = 1 AND (OLD.bytes IS NOT NEW.bytes OR OLD.volume <> NEW.volume) BEGIN
            UPDATE volume_totals SET count = count - 1, bytes = bytes - coalesce(OLD.bytes, 0) WHERE volume = OLD.volume AND medium = 1;
            INSERT INTO volume_totals VALUES (NEW.volume, 1, 1, coalesce(NEW.bytes, 0))
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER snapshots_leave_volume AFTER DELETE ON events WHEN OLD.medium = 1 BEGIN
            UPDATE volume_totals SET count = count - 1, bytes = bytes - coalesce(OLD.bytes, 0) WHERE volume = OLD.volume AND medium = 1;
        END;
        """
}
