import GRDB

/// What was brought from other installations, so that an import goes on where it ended and brings nothing twice. `target` is the id here,
/// where there is one. Frozen.
enum M0017_Imports {
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE imports (
                    source TEXT NOT NULL,
                    kind TEXT NOT NULL,
                    key TEXT NOT NULL,
                    target INTEGER,
                    PRIMARY KEY (source, kind, key)
                ) STRICT, WITHOUT ROWID;
                """)
    }
}
