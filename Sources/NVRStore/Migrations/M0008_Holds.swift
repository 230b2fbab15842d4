import GRDB

/// Ranges of footage that nothing deletes. Times are microseconds UTC. Frozen.
///
/// Every deletion leaves out what is held (`HoldStore`); the triggers are the last guard: a deletion that does not is undone as a whole.
enum M0008_Holds {
    static func run(_ db: Database) throws { try db.execute(sql: holds + guards) }

    /// No reference to `cameras` or `users`: footage outlives its camera, and who held it is told by name. AUTOINCREMENT: the audit
    /// trail names holds by their ids.
    private static let holds = """
        CREATE TABLE holds (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            camera_id INTEGER NOT NULL,
            start_us INTEGER NOT NULL,
            end_us INTEGER NOT NULL CHECK (end_us > start_us),
            reason TEXT NOT NULL,
            created_us INTEGER NOT NULL,
            user_id INTEGER,
            user_name TEXT NOT NULL,
            expires_us INTEGER
        ) STRICT;
        CREATE UNIQUE INDEX holds_by_range ON holds (camera_id, start_us, end_us);
        CREATE VIEW active_holds AS
            SELECT id, camera_id, start_us, end_us FROM holds WHERE expires_us IS NULL OR expires_us > unixepoch() * 1000000;

        """

    private static let guards = """
        CREATE TRIGGER held_segments_stay BEFORE UPDATE OF state ON segments
        WHEN NEW.state = 3 AND OLD.state <> 3 AND \(segment("OLD")) BEGIN
            SELECT RAISE(ABORT, 'the footage is held');
        END;
        CREATE TRIGGER held_segments_are_not_deleted BEFORE DELETE ON segments
        WHEN OLD.state IN (1, 2) AND \(segment("OLD")) BEGIN
            SELECT RAISE(ABORT, 'the footage is held');
        END;
        CREATE TRIGGER held_events_stay BEFORE DELETE ON events WHEN \(event("OLD")) BEGIN
            SELECT RAISE(ABORT, 'the footage is held');
        END;
        """

    /// The end of a segment that grows is not known: it is taken for as long as one can be.
    private static func segment(_ row: String) -> String {
        """
        EXISTS (SELECT 1 FROM active_holds AS h WHERE h.camera_id = \(row).camera_id AND h.end_us > \(row).start_us AND h.start_us <
            CASE WHEN \(row).state < 2 THEN max(\(row).end_us, \(row).start_us + 300000000) ELSE max(\(row).end_us, \(row).start_us + 1) END)
        """
    }

    /// An event that stands for a segment shares its fate; any other is held by its own range, which for one that goes on has no end.
    private static func event(_ row: String) -> String {
        """
        CASE WHEN \(row).segment_id IS NOT NULL
            THEN EXISTS (SELECT 1 FROM segments AS s WHERE s.id = \(row).segment_id AND s.state IN (1, 2) AND \(segment("s")))
            ELSE EXISTS (SELECT 1 FROM active_holds AS h WHERE h.camera_id = \(row).camera_id AND h.end_us > \(row).start_us AND h.start_us <
                CASE WHEN \(row).medium = 1 OR \(row).end_us <= \(row).start_us THEN \(row).start_us + 1
                    ELSE coalesce(\(row).end_us, 9223372036854775807) END)
        END
        """
    }
}
