import GRDB
import NVRBase
package import NVRModel

/// A file that is on its way to another volume, or was when the program ended.
package struct NotedMove: Sendable, Hashable {
    /// Whose file it is.
    package enum Subject: Sendable, Hashable {
        case segment(ID<Segment>)
        /// An event that is a snapshot.
        case picture(ID<Event>)

        fileprivate var code: (medium: Int64, id: Int64) {
            switch self {
            case .segment(let id): (0, id.rawValue)
            case .picture(let id): (1, id.rawValue)
            }
        }
    }

    package var subject: Subject
    /// Where its copy is made.
    package var target: FootagePlace
    /// What finds a half-made file in a bucket again; nil while nothing of ours lies there.
    package var upload: String?

    package init(_ subject: Subject, target: FootagePlace, upload: String? = nil) {
        self.subject = subject
        self.target = target
        self.upload = upload
    }
}

/// A file that may move.
package struct MovableFile: Sendable, Hashable {
    package var subject: NotedMove.Subject
    package var place: FootagePlace
    package var start: WallTime
    /// As its row says.
    package var bytes: Int64

    package init(_ subject: NotedMove.Subject, place: FootagePlace, start: WallTime, bytes: Int64) {
        self.subject = subject
        self.place = place
        self.start = start
        self.bytes = bytes
    }
}

/// Footage and pictures change their volume: noted → copied → switched → original unlinked. A crash at any point leaves a row that tells
/// what is to be done.
extension SegmentStore {
    static let movableSQL = """
        SELECT id, camera_id, volume, path, start_us, bytes, state FROM segments AS s INDEXED BY segments_by_time
        WHERE camera_id = ?1 AND role = ?2 AND start_us > ?3 AND start_us < ?4 AND state = 2 AND volume <> ?5 ORDER BY start_us LIMIT ?6
        """

    /// A snapshot whose thumbnail is another file stays: an event has one volume for both.
    static let movablePicturesSQL = """
        SELECT id, volume, picture_path, start_us, coalesce(bytes, 0) FROM events INDEXED BY events_by_camera
        WHERE camera_id = ?1 AND medium = 1 AND kind = ?2 AND start_us > ?3 AND start_us < ?4 AND volume <> ?5 AND picture_path IS NOT NULL
            AND coalesce(thumbnail_path, picture_path) = picture_path ORDER BY start_us LIMIT ?6
        """

    /// Finished segments of a stream that lie on another volume than `target` and begin in between, oldest first.
    package func movable(
        _ camera: ID<Camera>, _ role: StreamRole, to target: VolumeID, after: WallTime, before: WallTime, limit: Int
    ) async throws -> [SegmentEntry] {
        try await rows.read("finding footage to move") { db in
            try db.rows(
                Self.movableSQL,
                [camera.rawValue, Self.code(role), after.microseconds, before.microseconds, target.rawValue, limit], Self.entry)
        }
    }

    /// The same of snapshots of a kind.
    package func movablePictures(
        _ camera: ID<Camera>, _ kind: Event.Kind, to target: VolumeID, after: WallTime, before: WallTime, limit: Int
    ) async throws -> [MovableFile] {
        try await rows.read("finding snapshots to move") { db in
            try db.rows(
                Self.movablePicturesSQL,
                [camera.rawValue, EventStore.code(kind), after.microseconds, before.microseconds, target.rawValue, limit]
            ) { row in
                MovableFile(
                    .picture(ID(row[0])), place: FootagePlace(VolumeID(rawValue: row[1]), row[2]), start: WallTime(microseconds: row[3]),
                    bytes: row[4])
            }
        }
    }

    /// Announces a copy. False when the row is not as it was, or when a file is still to be unlinked where the copy would lie.
    package func noteMove(of file: MovableFile, to target: VolumeID) async throws -> Bool {
        try await rows.write("announcing a move") { db in
            let isTaken = try db.row(
                "SELECT 1 FROM garbage_files WHERE volume = ? AND path = ?", [target.rawValue, file.place.path], { _ in true })
            guard try Self.place(of: file.subject, db) == file.place, isTaken == nil else { return false }
            let (medium, id) = file.subject.code
            try db.run("INSERT OR REPLACE INTO moves VALUES (?, ?, ?, ?, NULL)", [medium, id, target.rawValue, file.place.path])
            return true
        }
    }

    /// Notes what finds a half-made file again, before any of it is sent. False when the move was given up meanwhile.
    package func noteUpload(_ upload: String, of move: NotedMove) async throws -> Bool {
        try await rows.write("announcing an upload") { db in
            let (medium, id) = move.subject.code
            try db.run("UPDATE moves SET upload = ? WHERE medium = ? AND subject_id = ?", [upload, medium, id])
            return db.changesCount > 0
        }
    }

    /// Moves that were announced and are not over.
    package func moves() async throws -> [NotedMove] {
        try await rows.read("reading moves") { db in
            try db.rows("SELECT medium, subject_id, volume, path, upload FROM moves ORDER BY medium, subject_id", []) { row in
                let subject: NotedMove.Subject = row["medium"] as Int64 == 0 ? .segment(ID(row["subject_id"])) : .picture(ID(row["subject_id"]))
                return NotedMove(subject, target: Self.place(row), upload: row["upload"])
            }
        }
    }

    /// What a move is of, as its row is now; nil when it is gone, or lies where it was to go.
    package func movable(_ move: NotedMove) async throws -> MovableFile? {
        try await rows.read("reading what is to move") { db in
            guard let place = try Self.place(of: move.subject, db), place.path == move.target.path, place.volume != move.target.volume else {
                return nil
            }
            let sql =
                move.subject.code.medium == 0
                ? "SELECT start_us, bytes FROM segments WHERE id = ?" : "SELECT start_us, coalesce(bytes, 0) FROM events WHERE id = ?"
            return try db.row(sql, [move.subject.code.id]) {
                MovableFile(move.subject, place: place, start: WallTime(microseconds: $0[0]), bytes: $0[1])
            }
        }
    }

    private static func place(of subject: NotedMove.Subject, _ db: Database) throws -> FootagePlace? {
        switch subject {
        case .segment(let id): try db.row("SELECT volume, path FROM segments WHERE id = ? AND state = 2", [id.rawValue], place)
        case .picture(let id):
            try db.row(
                "SELECT volume, picture_path AS path FROM events WHERE id = ? AND medium = 1 AND picture_path IS NOT NULL", [id.rawValue], place)
        }
    }

    /// The copy is whole and on the disk: in one transaction, the file lies there and the original is to be unlinked. False when it was
    /// deleted or changed meanwhile; then nothing has changed.
    package func finishMove(_ move: NotedMove, of file: MovableFile) async throws -> Bool {
        try await rows.write("moving footage") { db in
            let (medium, id) = move.subject.code
            let sql =
                medium == 0
                ? "UPDATE segments SET volume = ?1 WHERE id = ?2 AND state = 2 AND volume = ?3 AND path = ?4 AND bytes = ?5"
                : "UPDATE events SET volume = ?1 WHERE id = ?2 AND medium = 1 AND volume = ?3 AND picture_path = ?4 AND coalesce(bytes, 0) = ?5"
            try db.run(sql, [move.target.volume.rawValue, id, file.place.volume.rawValue, move.target.path, file.bytes])
            guard db.changesCount > 0 else { return false }
            try db.run("INSERT OR IGNORE INTO garbage_files VALUES (?, ?)", [file.place.volume.rawValue, move.target.path])
            try db.run("DELETE FROM moves WHERE medium = ? AND subject_id = ?", [medium, id])
            return true
        }
    }

    /// Nothing of the copy is left.
    package func forgetMove(_ move: NotedMove) async throws {
        try await rows.write("giving up a move") { db in
            let (medium, id) = move.subject.code
            try db.run("DELETE FROM moves WHERE medium = ? AND subject_id = ?", [medium, id])
        }
    }
}
