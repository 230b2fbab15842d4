import GRDB

/// Retention reads a camera's footage from an index alone. In the table the rows of cameras that record at the same time lie between each
/// other, so that every row of one of them costs a page. All of it is written with the row anyway: its end changes whenever bytes do.
/// Frozen.
enum M0020_FootageIndex {
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                DROP INDEX segments_by_time;
                CREATE INDEX segments_by_time ON segments (camera_id, role, start_us, end_us, state, bytes, volume, is_continuous);
                """)
    }
}
