import GRDB

/// Which key new footage was encrypted with, and when: periods, of which the last may go on. Times are microseconds UTC, keys are known by their
/// names alone. Frozen.
enum M0016_FootageKeys {
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE footage_keys (
                    id INTEGER PRIMARY KEY,
                    key TEXT NOT NULL,
                    since_us INTEGER NOT NULL,
                    until_us INTEGER
                ) STRICT;
                """)
    }
}
