import GRDB
import NVRBase
import NVRModel

/// The way to the database that all stores share: one writer, errors in the product's words, changes sent after the commit.
struct Rows: Sendable {
    let writer: any DatabaseWriter
    let changes: Broadcast<StoreChange>
    let secrets: SecretBox
    let versions = StoreVersions()
    let damage: DamageWatch
    /// All cameras as they were read last: decoding their settings takes longer than most answers.
    let cameras = Versioned<Int, [Camera]>()
    /// How many events filters let through, page aside, as it was counted last: every page of a list tells it.
    let eventCounts = VersionedEach<EventFilter, Int, Int>(capacity: 256)
    /// Nil for a database in memory.
    let reserve: SpaceReserve?
    let commits: GroupCommit

    init(
        writer: any DatabaseWriter, changes: Broadcast<StoreChange>, secrets: SecretBox, damage: DamageWatch, reserve: SpaceReserve?
    ) {
        self.writer = writer
        self.changes = changes
        self.secrets = secrets
        self.damage = damage
        self.reserve = reserve
        commits = GroupCommit(writer)
    }

    /// Runs `body` in one transaction, perhaps together with others, and again when that failed as a whole or when the disk was full
    /// and the reserve makes room. A cancelled task does not undo it: what was begun is committed or fails by itself.
    func write<Value: Sendable>(_ doing: String, _ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        var result = await commits.result(of: body)
        if case .failure(let error as DatabaseError) = result, error.resultCode == .SQLITE_FULL, reserve?.release() == true {
            result = await commits.result(of: body)
        }
        switch result {
        case .success(let value):
            reserve?.restoreIfDue()
            return value
        case .failure(let error): throw noted(error, doing: doing)
        }
    }

    /// Runs `body` on a snapshot of the last commit.
    func read<Value: Sendable>(_ doing: String, _ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do { return try await writer.read(body) } catch { throw noted(error, doing: doing) }
    }

    /// Damage is told to who watches for it.
    private func noted(_ error: any Error, doing: String) -> any Error {
        let error = Self.translated(error, doing: doing)
        if let error = error as? NVRError, error.kind == .dataLoss { damage.note(error.message) }
        return error
    }

    static func translated(_ error: any Error, doing: String) -> any Error {
        if error is NVRError || error is CancellationError || error is FieldProblems { return error }
        guard let error = error as? DatabaseError else { return NVRError(.internalFault, "\(doing) failed", underlying: error) }
        // SQL and arguments stay out of the text: arguments may be secrets.
        let reason = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        let kind: NVRError.Kind =
            switch error.resultCode {
            case .SQLITE_CONSTRAINT: .conflict
            case .SQLITE_FULL: .exhausted
            case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_IOERR, .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_MISUSE: .unavailable
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: .dataLoss
            case .SQLITE_INTERRUPT, .SQLITE_ABORT: .unavailable
            default: .internalFault
            }
        return NVRError(kind, "\(doing) failed: \(reason)")
    }
}

extension Database {
    /// Runs a statement that is compiled once per connection.
    func run(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// All rows of a statement that is compiled once per connection.
    func rows<Value>(_ sql: String, _ arguments: StatementArguments = StatementArguments(), _ make: (Row) throws -> Value) throws -> [Value] {
        let cursor = try Row.fetchCursor(try cachedStatement(sql: sql), arguments: arguments)
        var values: [Value] = []
        while let row = try cursor.next() { values.append(try make(row)) }
        return values
    }

    /// The first row of a statement that is compiled once per connection.
    func row<Value>(_ sql: String, _ arguments: StatementArguments = StatementArguments(), _ make: (Row) throws -> Value) throws -> Value? {
        try Row.fetchOne(try cachedStatement(sql: sql), arguments: arguments).map(make)
    }
}
