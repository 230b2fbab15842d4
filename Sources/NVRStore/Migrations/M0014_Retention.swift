import GRDB

/// What retention has to remember: one row. Times are microseconds UTC, `jumps` is JSON. Frozen.
enum M0014_Retention {
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE retention (
                    id INTEGER PRIMARY KEY CHECK (id = 0),
                    seen_us INTEGER,
                    jumps TEXT NOT NULL,
                    spent INTEGER NOT NULL,
                    spent_us INTEGER,
                    run_us INTEGER
                ) STRICT;
                INSERT INTO retention VALUES (0, NULL, '[]', 0, NULL, NULL);
                """)
    }
}
