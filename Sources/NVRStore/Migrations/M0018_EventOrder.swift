import GRDB

/// Events in the order of time, of all cameras and of one, whatever their kind: lists without a choice of kinds are one range of an index
/// instead of six to be merged. Frozen.
enum M0018_EventOrder {
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE INDEX events_by_start ON events (start_us);
                CREATE INDEX events_by_camera_start ON events (camera_id, start_us);
                """)
    }
}
