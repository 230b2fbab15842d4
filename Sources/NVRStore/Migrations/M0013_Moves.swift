import GRDB

/// Footage on its way to another volume. Frozen.
enum M0013_Moves {
    /// A row is there before anything of the copy is, and goes with the switch or with what is left of the copy. No reference to `segments`:
    /// a segment that is deleted meanwhile leaves a copy that is still to be unlinked.
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE moves (
                    segment_id INTEGER PRIMARY KEY,
                    volume INTEGER NOT NULL,
                    path TEXT NOT NULL
                ) STRICT;
                """)
    }
}
