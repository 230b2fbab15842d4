import FoundationEssentials
import GRDB
import NVRBase
package import NVRModel

/// Pictures of users, small enough for rows.
package struct AvatarStore: Sendable {
    let rows: Rows

    /// Gives a user a picture in place of the old one, or none; `path` is where it is served. Throws `notFound`.
    package func set(_ user: ID<User>, jpeg: [UInt8]?, path: String?) async throws -> User {
        try await rows.write("storing an avatar") { db in
            try db.run("UPDATE users SET avatar_path = ? WHERE id = ?", [path, user.rawValue])
            guard db.changesCount > 0, let changed = try UserStore.fetch(db, user) else { throw NVRError(.notFound, "User not found") }
            try db.run("DELETE FROM avatars WHERE user_id = ?", [user.rawValue])
            if let jpeg { try db.run("INSERT INTO avatars (user_id, jpeg) VALUES (?, ?)", [user.rawValue, Data(jpeg)]) }
            return changed
        }
    }

    /// The picture of a user; nil when there is none.
    package func get(_ user: ID<User>) async throws -> [UInt8]? {
        try await rows.read("reading an avatar") { db in
            try db.row("SELECT jpeg FROM avatars WHERE user_id = ?", [user.rawValue]) { Array($0["jpeg"] as Data) }
        }
    }
}
