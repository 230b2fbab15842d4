#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import NVRRecording
package import NVRStore

/// Opens the database of the old installation, whatever it comes as, in a folder of our own: the original is only read.
package enum ReferenceSource {
    /// What a file begins with.
    package enum Form: Equatable {
        case sqlite
        /// pg_dump's custom format, and its tar format.
        case archive
        case compressed
        case text

        package init(_ head: [UInt8]) {
            if head.starts(with: Array("SQLite format 3\0".utf8)) {
                self = .sqlite
            } else if head.starts(with: Array("PGDMP".utf8)) || head.count > 262 && head[257...].starts(with: Array("ustar".utf8)) {
                self = .archive
            } else if head.starts(with: [0x1F, 0x8B]) || head.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) || head.starts(with: Array("BZh".utf8))
                || head.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A])
            {
                self = .compressed
            } else {
                self = .text
            }
        }
    }

    /// Rows that are stored at once.
    private static let batch = 2000

    /// - Parameters:
    ///   - path: a plain SQL dump or an SQLite file.
    ///   - folder: an empty folder that nobody else reads.
    ///   - problem: hears what of a dump cannot be used.
    ///   - progress: hears how many bytes were read.
    /// - Throws: `invalid` with the way out for other files. Blocks.
    package static func open(
        _ path: String, staging folder: String, problem: (_ place: String, _ reason: String) -> Void, progress: (Int64) -> Void
    ) throws -> StagedTables {
        let file: POSIXFile
        do throws(FileError) { file = try POSIXFile.openExisting(path) } catch {
            throw NVRError(.notFound, "the database \(path) cannot be opened: \(error.reason)")
        }
        let head = try file.read(at: 0, count: 512)
        switch Form(head) {
        case .sqlite:
            try copy(file, to: folder + "/source.db")
            // What was not yet written into the file itself.
            if let log = try? POSIXFile.openExisting(path + "-wal") { try copy(log, to: folder + "/source.db-wal") }
            return try StagedTables(opening: folder + "/source.db")
        case .archive:
            throw NVRError(
                .invalid,
                "this is an archive of pg_dump (custom or tar format). Make plain SQL of it: `pg_restore --no-owner -f dump.sql \(path)`, or dump anew: "
                    + "`docker compose exec -T db pg_dump -U vibenvr vibenvr > dump.sql`")
        case .compressed: throw NVRError(.invalid, "the dump is compressed: unpack it first")
        case .text: return try load(file, into: folder + "/source.db", problem, progress)
        }
    }

    private static func copy(_ file: POSIXFile, to path: String) throws {
        let copy = try POSIXFile.create(path)
        var offset: Int64 = 0
        while true {
            let bytes = try file.read(at: offset, count: 1 << 20)
            if bytes.isEmpty { return }
            try bytes.withUnsafeBytes { try copy.write([$0], at: offset) }
            offset += Int64(bytes.count)
        }
    }

    private static func load(
        _ file: POSIXFile, into path: String, _ problem: (String, String) -> Void, _ progress: (Int64) -> Void
    ) throws -> StagedTables {
        let tables = try StagedTables(creating: path)
        var parser = DumpParser(tables: ReferenceDocument.tables)
        var waiting: [String: [[String?]]] = [:]
        func take(_ output: DumpParser.Output) throws {
            switch output {
            case .row(let table, let columns, let values, let line):
                if !tables.has(table) {
                    do { try tables.create(table, columns) } catch let error as NVRError where error.kind == .invalid {
                        return problem("line \(line)", "\(table): \(error.message)")
                    }
                }
                guard let values = arranged(values, columns, tables.columns(of: table)) else {
                    return problem("line \(line)", "a row of \(table) has other columns than those before")
                }
                waiting[table, default: []].append(values)
                if waiting[table]?.count ?? 0 >= batch { try tables.insert(table, waiting.removeValue(forKey: table) ?? []) }
            case .problem(let line, let text): problem("line \(line)", text)
            }
        }
        var offset: Int64 = 0
        while true {
            let bytes = try file.read(at: offset, count: 1 << 20)
            if bytes.isEmpty { break }
            try parser.feed(bytes, take)
            offset += Int64(bytes.count)
            progress(offset)
        }
        try parser.finish(take)
        for (table, rows) in waiting { try tables.insert(table, rows) }
        guard parser.looksLikeDump else {
            throw NVRError(.invalid, "the file is neither an SQLite database nor the plain SQL that pg_dump writes")
        }
        return tables
    }

    /// Values in the order of the table's columns.
    private static func arranged(_ values: [String?], _ columns: [String], _ wanted: [String]) -> [String?]? {
        if columns == wanted { return values }
        var places: [String: Int] = [:]
        for (place, column) in columns.enumerated() { places[column] = place }
        guard columns.count <= wanted.count, columns.allSatisfy(wanted.contains) else { return nil }
        return wanted.map { places[$0].flatMap { values[$0] } }
    }
}
