#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import NVRModel

/// The files of a database: what lies there, moving it aside, putting a copy in its place. A step that was made is on the disk when the
/// call returns. Blocks.
struct DatabaseFiles: Sendable {
    /// What SQLite keeps beside a database.
    static let companions = ["-wal", "-shm", "-journal"]

    let path: String

    private var folder: String { path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "." }

    /// Tells that the database was found damaged while it was in use: the next start looks at all of it.
    var marker: String { path + ".suspect" }

    /// Whether there is nothing in the database: no file, or one without a byte, whose log SQLite does not look at.
    var isEmpty: Bool { Self.length(path) ?? 0 == 0 }

    /// Whether there is something to be kept.
    private var holdsAnything: Bool { ([path] + Self.companions.map { path + $0 }).contains { Self.length($0) ?? 0 > 0 } }

    /// Moves aside what there is; gives the new name, nil when there was nothing in it.
    func clear(at time: WallTime) throws -> String? {
        if holdsAnything { return try moveAside(at: time) }
        removeCopy()
        return nil
    }

    /// Moves the database and its companions to names of their own in the same folder, where nothing deletes them; gives the new name.
    private func moveAside(at time: WallTime) throws -> String {
        let stamp = DatabaseBackups.stamp(time)
        var target = path + ".damaged-" + stamp
        var number = 1
        while Self.length(target) != nil, number < 1000 {
            number += 1
            target = path + ".damaged-\(stamp)-\(number)"
        }
        // The log first: a database that is still there without its log is older, never a mix of two.
        for companion in Self.companions where Self.length(path + companion) != nil {
            // What is in shared memory only repeats the log.
            if companion == "-shm" {
                guard unlink(path + companion) == 0 else { throw Self.failure("removing", path + companion) }
            } else if rename(path + companion, target + companion) != 0 {
                throw Self.failure("moving", path + companion)
            }
        }
        if Self.length(path) != nil, rename(path, target) != 0 { throw Self.failure("moving", path) }
        try syncFolder()
        return target
    }

    /// Gives what was moved aside its name again.
    func putBack(_ aside: String) throws {
        guard rename(aside, path) == 0 else { throw Self.failure("moving", aside) }
        for companion in Self.companions where Self.length(aside + companion) != nil {
            guard rename(aside + companion, path + companion) == 0 else { throw Self.failure("moving", aside + companion) }
        }
        try syncFolder()
    }

    /// Puts a copy of a file in the place of the database, whole or not at all. There must be no database.
    func put(_ source: String) throws {
        let part = path + ".part"
        try Self.copy(source, to: part)
        guard rename(part, path) == 0 else { throw Self.failure("moving", part) }
        try syncFolder()
    }

    func removeMarker() { unlink(marker) }

    /// Why the database is being replaced: there until what has to follow is noted in the new one, so that a start that breaks off goes on.
    var rescueNote: String { path + ".replaced" }

    func removeRescueNote() { unlink(rescueNote) }

    func writeRescueNote(_ text: String) throws {
        let descriptor = open(rescueNote, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("making", rescueNote) }
        defer { close(descriptor) }
        guard write(descriptor, text, text.utf8.count) == text.utf8.count, fsync(descriptor) == 0 else { throw Self.failure("writing", rescueNote) }
        try syncFolder()
    }

    /// Removes a database that is a copy of a file elsewhere, or has nothing in it.
    func removeCopy() { for name in [path] + Self.companions.map({ path + $0 }) { unlink(name) } }

    private func syncFolder() throws {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("opening", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.failure("syncing", folder) }
    }

    /// Copies a file, synced, readable by its owner only.
    static func copy(_ source: String, to target: String) throws {
        let from = open(source, O_RDONLY | O_CLOEXEC)
        guard from >= 0 else { throw failure("opening", source) }
        defer { close(from) }
        unlink(target)
        let to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard to >= 0 else { throw failure("making", target) }
        defer { close(to) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(from, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("reading", source) }
            if count == 0 { break }
            var written = 0
            while written < count {
                let more = buffer.withUnsafeBytes { write(to, $0.baseAddress?.advanced(by: written), count - written) }
                if more < 0, errno == EINTR { continue }
                guard more > 0 else { throw failure("writing", target) }
                written += more
            }
        }
        guard fsync(to) == 0 else { throw failure("syncing", target) }
    }

    /// Bytes of a file; nil when there is none.
    static func length(_ path: String) -> Int64? {
        var status = stat()
        return lstat(path, &status) == 0 ? Int64(status.st_size) : nil
    }

    /// The text of a small file; nil when there is none.
    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    static func failure(_ doing: String, _ path: String) -> NVRError {
        let kind: NVRError.Kind = errno == ENOSPC || errno == EDQUOT ? .exhausted : .unavailable
        return NVRError(kind, "\(doing) \(path) failed: \(String(cString: strerror(errno)))")
    }
}
