#if canImport(Glibc)
    import Glibc
#endif
import Files
import GRDB
import NVRBase
package import NVRModel
import Synchronization

/// Copies of the database that are made while it is used, in a folder of their own. What has the right name there is whole, was found
/// sound when it was made, and is on the disk.
package struct DatabaseBackups: Sendable {
    /// One copy.
    package struct Copy: Sendable, Hashable {
        package var path: String
        /// When it was made.
        package var time: WallTime
        package var bytes: Int64

        package init(path: String, time: WallTime, bytes: Int64) {
            self.path = path
            self.time = time
            self.bytes = bytes
        }
    }

    /// Bytes of the volume that a backup leaves free.
    static let keptFree: Int64 = 128 << 20
    private static let prefix = "vibenvr-"
    private static let suffix = ".db"

    package let folder: String

    package init(folder: String) { self.folder = folder }

    /// `20261128T161200Z`: sorts by time.
    static func stamp(_ time: WallTime) -> String { String(time.iso8601.prefix(19).filter { $0 != "-" && $0 != ":" }) + "Z" }

    private static func time(ofStamp text: Substring) -> WallTime? {
        let digits = Array(text)
        guard digits.count == 16, digits[8] == "T", digits[15] == "Z" else { return nil }
        func part(_ range: Range<Int>) -> String { String(digits[range]) }
        return WallTime(iso8601: "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z")
    }

    /// All copies, newest first; none when there is no folder.
    package func list() -> [Copy] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var copies: [Copy] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasPrefix(Self.prefix), name.hasSuffix(Self.suffix),
                let time = Self.time(ofStamp: name.dropFirst(Self.prefix.count).dropLast(Self.suffix.count)),
                let bytes = DatabaseFiles.length(folder + "/" + name)
            else { continue }
            copies.append(Copy(path: folder + "/" + name, time: time, bytes: bytes))
        }
        return copies.sorted { ($0.time, $0.path) > ($1.time, $1.path) }
    }

    /// Copies the database and looks at every page of the copy; then older copies that are too many go. Blocks; whoever writes to the
    /// database meanwhile waits for nothing. Throws `dataLoss` when the copy shows that the database is damaged, `exhausted` when the
    /// disk has no room for it.
    package func make(of store: Store, now: WallTime) throws -> Copy {
        let stop = BackupStop()
        return try finish(begin(of: store, now: now, until: stop), until: stop)
    }

    /// The first half of `make`: the copy itself. It holds up what the database's log gives back, so it should not last.
    package func begin(of store: Store, now: WallTime, until stop: BackupStop) throws -> Draft {
        var status = statvfs()
        try makeFolder()
        let size = try store.rows.writer.read { db in
            try (Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0) * (Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0)
        }
        if statvfs(folder, &status) == 0, Int64(clamping: status.f_bavail) * Int64(status.f_frsize) - size < Self.keptFree {
            throw NVRError(.exhausted, "the disk has no room for a backup of the database")
        }
        do {
            return try Draft(queue: copy(store, until: stop), time: now, bytes: size)
        } catch {
            removePart()
            throw Rows.translated(error, doing: "copying the database")
        }
    }

    /// The second half of `make`: the look at every page, which takes several times as long and holds up nobody.
    package func finish(_ draft: Draft, until stop: BackupStop) throws -> Copy {
        defer { removePart() }
        do {
            try check(draft.queue, until: stop)
        } catch {
            try stop.check()
            throw Rows.translated(error, doing: "looking at the copy of the database")
        }
        let path = folder + "/" + Self.prefix + Self.stamp(draft.time) + Self.suffix
        try Self.sync(part)
        guard rename(part, path) == 0 else { throw DatabaseFiles.failure("moving", part) }
        try Self.sync(folder)
        let made = Copy(path: path, time: draft.time, bytes: DatabaseFiles.length(path) ?? draft.bytes)
        for old in BackupRotation.surplus(list().filter { $0 != made }, newest: made) { unlink(old.path) }
        return made
    }

    /// A copy that nobody looked at yet.
    package struct Draft: Sendable {
        let queue: DatabaseQueue
        let time: WallTime
        let bytes: Int64
    }

    private var part: String { folder + "/.part" + Self.suffix }
    private func removePart() { for name in [part] + DatabaseFiles.companions.map({ part + $0 }) { unlink(name) } }

    /// Of 4096 bytes: less than a millisecond of a core, for which a request may have to wait.
    private static let pagesPerStep: CInt = 64
    /// After each step ten times as long as it took belongs to others, but no more than this: who copies is not to wait for ever
    /// because a disk once stood still. What it writes costs the machine more than the step itself.
    private static let longestRest = Duration.milliseconds(50)

    private func copy(_ store: Store, until stop: BackupStop) throws -> DatabaseQueue {
        removePart()
        let descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DatabaseFiles.failure("making", part) }
        // Closing it takes SQLite's locks of the file with it (fcntl(2)), of which it holds none outside of a transaction.
        defer { close(descriptor) }
        var configuration = Configuration()
        configuration.label = "backup"
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA synchronous = OFF; PRAGMA cache_size = -2048; PRAGMA trusted_schema = OFF")
        }
        let target = try DatabaseQueue(path: part, configuration: configuration)
        try store.rows.writer.read { source in
            // Begins the snapshot that all steps read, which keeps nobody from writing; without it every commit would begin the copy anew.
            _ = try Int.fetchOne(source, sql: "SELECT count(*) FROM sqlite_master")
            try target.writeWithoutTransaction { copy in
                let clock = ContinuousClock()
                var begun = clock.now
                try source.backup(to: copy, pagesPerStep: Self.pagesPerStep) { progress in
                    try stop.check()
                    defer { begun = clock.now }
                    // A sync that finds hundreds of megabytes to write holds up whoever else waits for the disk.
                    let code = FileContent.writeOut(descriptor, from: 0)
                    if code != 0 { throw NVRError(.unavailable, "writing the copy failed: \(String(cString: strerror(code)))") }
                    let rest = min(Self.longestRest, (clock.now - begun) * 10)
                    if !progress.isCompleted { usleep(useconds_t(rest / .microseconds(1))) }
                }
            }
        }
        return target
    }

    private func check(_ target: DatabaseQueue, until stop: BackupStop) throws {
        let problems = try stop.interrupting(target) { db in
            // A copy is one file, without a log.
            try db.execute(sql: "PRAGMA journal_mode = DELETE")
            // SQLite forgets an interruption while nothing runs (sqlite3_interrupt); of these rows one is left until the end.
            let running = try Int.fetchCursor(db, sql: "VALUES (1), (2)")
            return try withExtendedLifetime(running) {
                _ = try running.next()
                try stop.check()
                return try String.fetchAll(db, sql: "PRAGMA integrity_check(1)").filter { $0 != "ok" }
            }
        }
        try stop.check()
        try target.close()
        if let problem = problems.first { throw NVRError(.dataLoss, "the database is damaged: \(problem)") }
    }

    private func makeFolder() throws {
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            guard errno == ENOENT, let slash = folder.lastIndex(of: "/") else { throw DatabaseFiles.failure("making", folder) }
            _ = mkdir(String(folder[..<slash]), 0o700)
            guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw DatabaseFiles.failure("making", folder) }
            return
        }
    }

    private static func sync(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DatabaseFiles.failure("opening", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw DatabaseFiles.failure("syncing", path) }
    }
}

/// Ends a backup that is being made, from any thread. Whoever makes it gets a `CancellationError`.
package final class BackupStop: Sendable {
    private let state = Mutex<(isStopped: Bool, database: DatabaseQueue?)>((false, nil))

    package init() {}

    package func stop() {
        state.withLock { state in
            state.isStopped = true
            // Under the lock: it must not be closed meanwhile.
            state.database?.interrupt()
        }
    }

    /// Runs `body` on the database; the statement that runs when it is to stop ends then.
    func interrupting<Value>(_ database: DatabaseQueue, _ body: (Database) throws -> Value) throws -> Value {
        state.withLock { $0.database = database }
        defer { state.withLock { $0.database = nil } }
        return try database.writeWithoutTransaction(body)
    }

    func check() throws { if state.withLock({ $0.isStopped }) { throw CancellationError() } }
}

/// Which copies of the database are too many. Pure.
package enum BackupRotation {
    /// Copies that are kept whatever their age.
    package static let recent = 4
    /// Days of which one older copy each is kept.
    package static let days = 3
    /// Bytes of all copies; the two newest are kept even so.
    package static let budget: Int64 = 4 << 30

    /// `older`: newest first, without `newest`. The four newest stay, and the newest of each of three days before, as far as the bytes go.
    package static func surplus(_ older: [DatabaseBackups.Copy], newest: DatabaseBackups.Copy) -> [DatabaseBackups.Copy] {
        var surplus: [DatabaseBackups.Copy] = []
        var bytes = newest.bytes
        var kept = 1
        var daysKept: Set<Int64> = []
        for copy in older {
            let day = copy.time.microseconds / 86_400_000_000
            let isRecent = kept < recent
            let isOfDay = !isRecent && daysKept.count < days && !daysKept.contains(day)
            let isAffordable = kept < 2 || bytes.addingReportingOverflow(copy.bytes).overflow == false && bytes + copy.bytes <= budget
            guard isRecent || isOfDay, isAffordable else {
                surplus.append(copy)
                continue
            }
            if isOfDay { daysKept.insert(day) }
            kept += 1
            bytes += copy.bytes
        }
        return surplus
    }
}
