import GRDB

/// Labels and zones of events, to find them by, and the layouts that users keep. Frozen.
///
/// What is labelled is read from `events.metadata` by `EventTags` and not by triggers: a database that does not trust its schema lets no
/// trigger read JSON.
enum M0012_EventTags {
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE event_tags (
                    is_zone INTEGER NOT NULL,
                    tag TEXT NOT NULL,
                    start_us INTEGER NOT NULL,
                    event_id INTEGER NOT NULL,
                    camera_id INTEGER NOT NULL,
                    medium INTEGER NOT NULL,
                    kind INTEGER NOT NULL,
                    PRIMARY KEY (is_zone, tag, start_us, event_id)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX event_tags_by_event ON event_tags (event_id);
                CREATE TRIGGER events_untag AFTER DELETE ON events WHEN OLD.metadata IS NOT NULL BEGIN
                    DELETE FROM event_tags WHERE event_id = OLD.id;
                END;
                CREATE TABLE layouts (
                    user_id INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
                    name TEXT NOT NULL,
                    layout TEXT NOT NULL,
                    updated_us INTEGER NOT NULL,
                    PRIMARY KEY (user_id, name)
                ) STRICT, WITHOUT ROWID;
                """)
        let rows = try Row.fetchAll(db, sql: "SELECT id, metadata, start_us, camera_id, medium, kind FROM events WHERE metadata IS NOT NULL")
        for row in rows {
            for tag in EventTags.of(row["metadata"]) {
                try db.execute(
                    sql: "INSERT OR IGNORE INTO event_tags VALUES (?, ?, ?, ?, ?, ?, ?)",
                    arguments: [tag.isZone, tag.text, row["start_us"], row["id"], row["camera_id"], row["medium"], row["kind"]])
            }
        }
    }
}
