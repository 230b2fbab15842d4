#if canImport(Glibc)
    import Glibc
#endif
import GRDB
import NVRBase

/// Tables of another installation while they are imported: a database file of our own, filled from a dump or copied from an SQLite file of
/// theirs, and read in whatever order the import needs. What is in it is believed nothing: only named columns of real tables are read, and
/// no view, trigger or function of the file acts.
///
/// Used on one thread; calls block.
package final class StagedTables {
    /// A value as it was stored: SQLite's types, or the text of a dump.
    package enum Value: Sendable, Hashable {
        case null
        case integer(Int64)
        case real(Double)
        case text(String)

        /// Nil for null; numbers as text.
        package var text: String? {
            switch self {
            case .null: nil
            case .integer(let value): String(value)
            case .real(let value): String(value)
            case .text(let text): text
            }
        }
    }

    private let queue: DatabaseQueue
    /// Real tables and their columns.
    private var tables: [String: [String]] = [:]

    /// Columns of one table that are looked at.
    private static let mostColumns = 1000

    /// Makes an empty file at `path`, mode 0600.
    package convenience init(creating path: String) throws {
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw NVRError(.unavailable, "\(path) cannot be made: \(String(cString: strerror(errno)))") }
        Glibc.close(descriptor)
        try self.init(path: path)
        try write { try $0.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF") }
    }

    /// Opens a copy of somebody else's file. Throws `invalid` when it is no database or a damaged one.
    package convenience init(opening path: String) throws {
        try self.init(path: path)
        try read { db in
            // Views are not asked: they could compute for ever.
            let names = try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' LIMIT 1000")
            for name in names where Self.isPlain(name) {
                self.tables[name] = try db.columns(in: name).prefix(Self.mostColumns).map(\.name)
            }
        }
    }

    private init(path: String) throws {
        var configuration = Configuration()
        configuration.label = "import"
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -8192; PRAGMA mmap_size = 0")
        }
        do { queue = try DatabaseQueue(path: path, configuration: configuration) } catch {
            throw NVRError(.invalid, "the file is no SQLite database that can be read", underlying: Rows.translated(error, doing: "opening it"))
        }
    }

    /// Ends the use of the file.
    package func close() throws { try queue.close() }

    // MARK: Filling

    /// Begins a table of text columns. A table that is there is left as it is.
    package func create(_ table: String, _ columns: [String]) throws {
        guard tables[table] == nil else { return }
        guard Self.isPlain(table), !columns.isEmpty, columns.count <= Self.mostColumns, columns.allSatisfy(Self.isPlain),
            Set(columns.map { $0.lowercased() }).count == columns.count
        else { throw NVRError(.invalid, "the columns of a table cannot be understood") }
        try write { try $0.execute(sql: "CREATE TABLE \"\(table)\" (\(columns.map { "\"\($0)\" TEXT" }.joined(separator: ", ")))") }
        tables[table] = columns
    }

    /// Adds rows in one transaction; each has as many values as the table has columns.
    package func insert(_ table: String, _ rows: [[String?]]) throws {
        guard let columns = tables[table], !rows.isEmpty else { return }
        let sql = "INSERT INTO \"\(table)\" VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))"
        try write { db in
            try db.inTransaction {
                for row in rows where row.count == columns.count { try db.run(sql, StatementArguments(row)) }
                return .commit
            }
        }
    }

    // MARK: Reading

    package func has(_ table: String) -> Bool { tables[table] != nil }

    package func columns(of table: String) -> [String] { tables[table] ?? [] }

    package func count(of table: String) throws -> Int {
        guard has(table) else { return 0 }
        return try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \"\(table)\"") ?? 0 }
    }

    /// Rows that are read of one table.
    private static let mostRows = 20_000_000

    /// The numbers of all rows of a table in the order of some of its columns.
    package func order(of table: String, by columns: [String]) throws -> [Int64] {
        guard let known = tables[table] else { return [] }
        let names = columns.filter(known.contains).map { "\"\($0)\"" } + ["rowid"]
        return try read { db in
            try db.rows("SELECT rowid FROM \"\(table)\" ORDER BY \(names.joined(separator: ", ")) LIMIT \(Self.mostRows)") { $0[0] as Int64 }
        }
    }

    /// Rows by their numbers, as columns by name. Texts longer than `longest` bytes come as null.
    package func rows(_ table: String, _ numbers: some Sequence<Int64>, longest: Int) throws -> [[String: Value]] {
        guard let columns = tables[table] else { return [] }
        let names = columns.map { "\"\($0)\"" }.joined(separator: ", ")
        return try read { db in
            try numbers.compactMap { number in
                try db.row("SELECT \(names) FROM \"\(table)\" WHERE rowid = ?", [number]) { row in
                    var values: [String: Value] = [:]
                    for (column, name) in columns.enumerated() { values[name] = Self.value(row[column] as DatabaseValue, longest) }
                    return values
                }
            }
        }
    }

    private static func value(_ value: DatabaseValue, _ longest: Int) -> Value {
        switch value.storage {
        case .null, .blob: .null
        case .int64(let number): .integer(number)
        case .double(let number): .real(number)
        case .string(let text): text.utf8.count <= longest ? .text(text) : .null
        }
    }

    // MARK: SQL

    /// Names that need no care between quotes.
    private static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 100
            && name.utf8.allSatisfy { ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x5F }
    }

    private func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
        do { return try queue.read(body) } catch { throw Self.refusal(error) }
    }

    private func write(_ body: (Database) throws -> Void) throws {
        do { try queue.writeWithoutTransaction(body) } catch { throw Self.refusal(error) }
    }

    private static func refusal(_ error: any Error) -> any Error {
        let error = Rows.translated(error, doing: "reading the database to import")
        guard let known = error as? NVRError, known.kind == .dataLoss else { return error }
        return NVRError(.invalid, "the database to import is damaged or none at all: \(known.message)")
    }
}
