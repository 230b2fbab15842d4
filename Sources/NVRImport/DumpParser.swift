/// Reads the plain text that pg_dump writes (PostgreSQL 18 documentation: pg_dump, COPY "Text Format", 4.1 "Lexical Structure"): the rows of
/// named tables, from `COPY … FROM stdin` and from `INSERT INTO … VALUES`. Everything else is passed over. Pure: bytes go in, rows come out.
///
/// What cannot be understood is told with its line and left out; a line or statement longer than a bound is, too, so memory is bounded.
package struct DumpParser {
    package enum Output: Equatable {
        /// A row begins or goes on in a table; values are in the order of the columns.
        case row(table: String, columns: [String], values: [String?], line: Int)
        case problem(line: Int, text: String)
    }

    /// Bytes of a line of data, or of a statement.
    package static let longest = 16 << 20
    /// Columns of a table.
    static let mostColumns = 1000

    private enum Mode {
        case statements
        /// Data of a table; nil columns: of one that nobody wants.
        case copy(table: String, columns: [String]?)
    }

    private let tables: Set<String>
    private var mode = Mode.statements
    private var line: [UInt8] = []
    private var lineIsTooLong = false
    private var number = 0
    private var statement = DumpStatement()
    private var encoding = DumpText.Encoding.utf8
    private var backslashes = false
    /// Columns as `CREATE TABLE` lists them, for rows that do not.
    private var created: [String: [String]] = [:]
    /// Whether anything was found that only a dump has.
    package private(set) var looksLikeDump = false

    /// `tables`: whose rows are wanted, in lower case, without their schema.
    package init(tables: Set<String>) { self.tables = tables }

    package mutating func feed(_ bytes: [UInt8], _ emit: (Output) throws -> Void) rethrows {
        var start = 0
        while start < bytes.count {
            guard let end = bytes[start...].firstIndex(of: 0x0A) else {
                keep(bytes[start...])
                return
            }
            keep(bytes[start..<end])
            try endLine(emit)
            start = end + 1
        }
    }

    /// The end of the file.
    package mutating func finish(_ emit: (Output) throws -> Void) rethrows {
        if !line.isEmpty || lineIsTooLong { try endLine(emit) }
        if case .copy = mode { try emit(.problem(line: number, text: "the file ends in the middle of a table: it is not whole")) }
        if !statement.isBlank { try emit(.problem(line: number, text: "the file ends in the middle of a statement: it is not whole")) }
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        guard !lineIsTooLong else { return }
        if line.count + bytes.count > Self.longest {
            lineIsTooLong = true
            line.removeAll()
        } else {
            line.append(contentsOf: bytes)
        }
    }

    private mutating func endLine(_ emit: (Output) throws -> Void) rethrows {
        number += 1
        defer {
            line.removeAll(keepingCapacity: line.capacity < 1 << 20)
            lineIsTooLong = false
        }
        // Files that went through Windows; a carriage return of the data is written as \r.
        if line.last == 0x0D { line.removeLast() }
        switch mode {
        case .copy(let table, let columns): try copyLine(table, columns, emit)
        case .statements: try statementLine(emit)
        }
    }

    // MARK: COPY

    private mutating func copyLine(_ table: String, _ columns: [String]?, _ emit: (Output) throws -> Void) rethrows {
        if line == [0x5C, 0x2E] {
            mode = .statements
            return
        }
        guard let columns else { return }
        guard !lineIsTooLong else { return try emit(.problem(line: number, text: "a row of \(table) is larger than 16 MB")) }
        let values = DumpText.copyFields(line, encoding)
        guard values.count == columns.count else {
            return try emit(.problem(line: number, text: "a row of \(table) has \(values.count) values instead of \(columns.count)"))
        }
        try emit(.row(table: table, columns: columns, values: values, line: number))
    }

    // MARK: Statements

    private mutating func statementLine(_ emit: (Output) throws -> Void) rethrows {
        guard !lineIsTooLong else {
            statement = DumpStatement()
            return try emit(.problem(line: number, text: "a line is larger than 16 MB"))
        }
        // Commands of psql, as \restrict and \connect.
        if statement.isBlank, line.first == 0x5C { return }
        var rest = line[...]
        while true {
            let found = statement.take(&rest, backslashes: backslashes)
            guard found else { break }
            let done = statement
            statement = DumpStatement()
            try run(done, emit)
            if case .copy = mode { return }
        }
        if statement.count > Self.longest {
            statement = DumpStatement()
            try emit(.problem(line: number, text: "a statement is larger than 16 MB; what follows may be missing"))
        }
    }

    private mutating func run(_ statement: DumpStatement, _ emit: (Output) throws -> Void) rethrows {
        var reader = DumpTokens(statement.bytes, encoding: encoding, backslashes: backslashes)
        guard let first = reader.word() else { return }
        switch first {
        case "set": set(&reader)
        case "create": create(&reader)
        case "copy": try copy(&reader, emit)
        case "insert": try insert(&reader, emit)
        default: break
        }
    }

    private mutating func set(_ reader: inout DumpTokens) {
        let name = reader.word()
        guard reader.symbol(0x3D) || reader.word() == "to" else { return }
        let value = (reader.string() ?? reader.word() ?? "").lowercased()
        if name == "standard_conforming_strings" { backslashes = value == "off" }
        if name == "client_encoding" { encoding = DumpText.Encoding(name: value) }
    }

    private mutating func create(_ reader: inout DumpTokens) {
        var word = reader.word()
        while word == "unlogged" || word == "temporary" || word == "global" || word == "local" { word = reader.word() }
        guard word == "table" else { return }
        looksLikeDump = true
        guard let table = reader.qualifiedName(), tables.contains(table), reader.symbol(0x28) else { return }
        var columns: [String] = []
        repeat {
            let isQuoted = reader.isAtQuotedName
            guard let name = reader.name() else { return }
            if isQuoted || !["constraint", "primary", "unique", "check", "foreign", "exclude", "like"].contains(name) { columns.append(name) }
        } while reader.skipToComma() && columns.count < Self.mostColumns
        created[table] = columns
    }

    private mutating func copy(_ reader: inout DumpTokens, _ emit: (Output) throws -> Void) rethrows {
        guard let table = reader.qualifiedName() else { return }
        let columns = reader.nameList() ?? created[table] ?? []
        guard reader.word() == "from", reader.word() == "stdin" else { return }
        looksLikeDump = true
        let isPlain = reader.isAtEnd
        guard tables.contains(table) else {
            mode = .copy(table: table, columns: nil)
            return
        }
        guard isPlain, !columns.isEmpty, columns.count <= Self.mostColumns else {
            mode = .copy(table: table, columns: nil)
            return try emit(.problem(line: number, text: "the table \(table) is written in a form that is not known and was left out"))
        }
        mode = .copy(table: table, columns: columns)
    }

    private mutating func insert(_ reader: inout DumpTokens, _ emit: (Output) throws -> Void) rethrows {
        guard reader.word() == "into", let table = reader.qualifiedName() else { return }
        looksLikeDump = true
        guard tables.contains(table) else { return }
        let listed = reader.nameList()
        var word = reader.word()
        if word == "overriding" {
            _ = (reader.word(), reader.word())
            word = reader.word()
        }
        guard word == "values" else { return try emit(.problem(line: number, text: "a row of \(table) cannot be understood")) }
        guard let columns = listed ?? created[table], !columns.isEmpty, columns.count <= Self.mostColumns else {
            return try emit(.problem(line: number, text: "the columns of \(table) are not known"))
        }
        repeat {
            guard let values = reader.values(atMost: Self.mostColumns) else {
                return try emit(.problem(line: number, text: "a row of \(table) cannot be understood"))
            }
            if values.count == columns.count {
                try emit(.row(table: table, columns: columns, values: values, line: number))
            } else {
                try emit(.problem(line: number, text: "a row of \(table) has \(values.count) values instead of \(columns.count)"))
            }
        } while reader.symbol(0x2C)
    }
}
