import GRDB
import NVRBase
package import NVRModel

/// One line of the audit trail: who did what, when, from where.
package struct AuditEntry: Sendable, Hashable {
    /// Given by the store.
    package var id: Int64 = 0
    package var time: WallTime
    package var userID: ID<User>?
    /// As it was then. For sign-ins the name that was claimed; it is kept only when there is a user of that name, since people type
    /// passwords into the wrong field.
    package var userName: String?
    package var tokenID: ID<APIToken>?
    /// Of the client, or `unknown`.
    package var address: String
    package var method: String
    /// The pattern of the route, such as `/cameras/{camera_id}`.
    package var route: String
    /// The values of the pattern's parameters.
    package var parameters: JSONObject = [:]
    package var cameraID: ID<Camera>?
    package var status: Int
    /// What was asked for, in a few words without secrets.
    package var summary: String

    package init(time: WallTime, address: String, method: String, route: String, status: Int, summary: String = "") {
        self.time = time
        self.address = address
        self.method = method
        self.route = route
        self.status = status
        self.summary = summary
    }
}

/// What `GET /audit` asks for.
package struct AuditFilter: Sendable, Hashable {
    /// A user by id, or by name with upper and lower case alike.
    package var userID: ID<User>?
    package var userName: String?
    package var route: String?
    package var method: String?
    package var camera: ID<Camera>?
    /// Entries from here on, and before there.
    package var from: WallTime?
    package var to: WallTime?
    /// Only entries older than this one: where the page before ended.
    package var before: Int64?
    package var skip = 0
    package var limit = 100

    package init() {}
}

/// The audit trail. There is no way to change an entry, and none to delete one but by age: the schema refuses both.
package struct AuditStore: Sendable {
    let rows: Rows

    /// Adds entries in one transaction. Claimed names of nobody are left out.
    package func append(_ entries: [AuditEntry]) async throws {
        guard !entries.isEmpty else { return }
        try await rows.write("writing the audit trail") { db in
            for entry in entries {
                var (userID, userName) = (entry.userID?.rawValue, entry.userName)
                if userID == nil, let claimed = userName {
                    let user = try db.row("SELECT id, username FROM users WHERE username = ?", [claimed]) {
                        ($0["id"] as Int64, $0["username"] as String)
                    }
                    (userID, userName) = (user?.0, user?.1)
                }
                try db.run(
                    """
                    INSERT INTO audit (at_us, user_id, user_name, token_id, address, method, route, parameters, camera_id, status, summary)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                    [
                        entry.time.microseconds, userID, userName, entry.tokenID?.rawValue, entry.address, entry.method, entry.route,
                        JSONValue.object(entry.parameters).serialized(), entry.cameraID?.rawValue, entry.status, entry.summary,
                    ])
            }
        }
    }

    /// Entries that a filter lets through, newest first.
    package func list(_ filter: AuditFilter) async throws -> [AuditEntry] {
        let (sql, arguments) = Self.query(filter)
        return try await rows.read("reading the audit trail") { db in try db.rows(sql, arguments, Self.entry) }
    }

    /// One range of one index, in its order.
    static func query(_ filter: AuditFilter) -> (sql: String, arguments: StatementArguments) {
        var conditions: [String] = []
        var arguments: [(any DatabaseValueConvertible)?] = []
        func add(_ condition: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            conditions.append(condition)
            arguments.append(value)
        }
        add("user_id = ?", filter.userID?.rawValue)
        add("user_name = ?", filter.userName)
        add("route = ?", filter.route)
        add("method = ?", filter.method)
        add("camera_id = ?", filter.camera?.rawValue)
        add("at_us >= ?", filter.from?.microseconds)
        add("at_us < ?", filter.to?.microseconds)
        add("(at_us, id) < (SELECT at_us, id FROM audit WHERE id = ?)", filter.before)
        // Named, since the planner has no statistics to choose by.
        let index =
            filter.userID != nil
            ? "audit_by_user"
            : filter.userName != nil
                ? "audit_by_name"
                : filter.camera != nil ? "audit_by_camera" : filter.route != nil ? "audit_by_route" : "audit_by_time"
        let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        arguments += [min(max(filter.limit, 0), 10_000), max(filter.skip, 0)]
        return (
            "SELECT * FROM audit INDEXED BY \(index)\(condition) ORDER BY at_us DESC, id DESC LIMIT ? OFFSET ?",
            StatementArguments(arguments)
        )
    }

    /// Deletes entries from before `time`, in transactions that keep nobody waiting. Gives their number.
    package func expire(before time: WallTime) async throws -> Int {
        var count = 0
        while true {
            let deleted = try await rows.write("deleting old entries of the audit trail") { db in
                // The schema lets go of nothing that is younger than this.
                try db.run("UPDATE audit_expiry SET before_us = ?", [time.microseconds])
                try db.run(
                    "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_us < ? ORDER BY at_us LIMIT ?)",
                    [time.microseconds, CameraStore.step])
                return db.changesCount
            }
            count += deleted
            if deleted < CameraStore.step { return count }
        }
    }

    private static func entry(_ row: Row) throws -> AuditEntry {
        var entry = AuditEntry(
            time: WallTime(microseconds: row["at_us"]), address: row["address"], method: row["method"], route: row["route"],
            status: row["status"], summary: row["summary"])
        entry.id = row["id"]
        entry.userID = (row["user_id"] as Int64?).map(ID.init)
        entry.userName = row["user_name"]
        entry.tokenID = (row["token_id"] as Int64?).map(ID.init)
        entry.cameraID = (row["camera_id"] as Int64?).map(ID.init)
        do { entry.parameters = try JSONValue(parsing: row["parameters"] as String).object ?? [:] } catch {
            throw NVRError(.dataLoss, "the audit entry \(entry.id) cannot be read")
        }
        return entry
    }
}
