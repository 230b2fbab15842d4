import GRDB
import NVRBase
package import NVRModel

/// How a user arranged live pictures, by a name of theirs. What a layout holds is the interface's business.
package struct StoredLayout: Sendable, Hashable {
    package var name: String
    /// JSON text.
    package var layout: String
    package var updatedAt: WallTime

    package init(name: String, layout: String, updatedAt: WallTime) {
        self.name = name
        self.layout = layout
        self.updatedAt = updatedAt
    }
}

/// Layouts, each user's own.
package struct LayoutStore: Sendable {
    let rows: Rows

    /// Of one user.
    package static let most = 50

    /// By name.
    package func list(of user: ID<User>) async throws -> [StoredLayout] {
        try await rows.read("reading layouts") { db in
            try db.rows("SELECT name, layout, updated_us FROM layouts WHERE user_id = ? ORDER BY name", [user.rawValue]) {
                StoredLayout(name: $0["name"], layout: $0["layout"], updatedAt: WallTime(microseconds: $0["updated_us"]))
            }
        }
    }

    /// Stores a layout in place of the one of its name. Throws `notFound` when the user is gone, `conflict` when there are too many.
    package func put(_ user: ID<User>, _ layout: StoredLayout) async throws {
        try await rows.write("storing a layout") { db in
            guard try UserStore.fetch(db, user) != nil else { throw NVRError(.notFound, "User not found") }
            let others = try db.row("SELECT count(*) AS count FROM layouts WHERE user_id = ? AND name <> ?", [user.rawValue, layout.name]) {
                $0["count"] as Int
            }
            guard others ?? 0 < Self.most else { throw NVRError(.conflict, "A user may have at most \(Self.most) layouts") }
            try db.run(
                """
                INSERT INTO layouts (user_id, name, layout, updated_us) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET layout = excluded.layout, updated_us = excluded.updated_us
                """, [user.rawValue, layout.name, layout.layout, layout.updatedAt.microseconds])
        }
    }

    /// False when there was none.
    package func delete(_ user: ID<User>, _ name: String) async throws -> Bool {
        try await rows.write("deleting a layout") { db in
            try db.run("DELETE FROM layouts WHERE user_id = ? AND name = ?", [user.rawValue, name])
            return db.changesCount > 0
        }
    }
}
