import GRDB

extension Store {
    /// Makes a database as an older version of the program left it: the schema up to the migration of this name, and then what `rows`, SQL, puts in
    /// it. For tests: `open` brings it up to date.
    package static func makeOlder(at path: String, upTo migration: String, rows: String) throws {
        let database = try DatabaseQueue(path: path)
        try Migrations.migrator(SecretKeys().choose(for: path, check: nil).current).migrate(database, upTo: migration)
        try database.write { try $0.execute(sql: rows) }
        try database.close()
    }
}
