import GRDB
import NVRBase
package import NVRModel

/// Server-wide settings as text by key; only those that differ from their defaults are here. Secrets are encrypted.
package struct SettingsStore: Sendable {
    let rows: Rows

    /// What the secret of a key is sealed for.
    static func context(_ key: String) -> String { "setting:\(key)" }

    /// The settings as they are now, in plain text, with the name of this installation.
    package func values() async throws -> SettingValues {
        try await rows.read("reading the settings") { db in
            var values = try fetchAll(db)
            values[Settings.instanceID.key.name] = try db.row("SELECT instance FROM installation") { $0["instance"] as String }
            return SettingValues(stored: values)
        }
    }

    /// The stored text of a key; nil when it has its default.
    package func get(_ key: String) async throws -> String? { try await all()[key] }

    package func all() async throws -> [String: String] { try await rows.read("reading the settings") { try fetchAll($0) } }

    /// Stores values in one transaction; nil removes a key, and so does its default. What is not changed is not announced.
    package func set(_ values: [String: String?]) async throws {
        let changed = try await rows.write("storing settings") { try write($0, values) }
        for key in changed.sorted() { rows.changes.send(.setting(key)) }
    }

    func fetchAll(_ db: Database) throws -> [String: String] {
        let pairs = try db.rows("SELECT key, value FROM settings") { ($0["key"] as String, $0["value"] as String) }
        var values = Dictionary(pairs) { $1 }
        for (key, text) in values where Settings.named(key)?.isSecret == true {
            values[key] = try rows.secrets.open(text, for: Self.context(key))
        }
        return values
    }

    /// In the transaction of the caller; gives the keys that have another value now.
    func write(_ db: Database, _ values: [String: String?]) throws -> Set<String> {
        let old = try fetchAll(db)
        var changed: Set<String> = []
        for (name, value) in values {
            let key = Settings.named(name)
            if key?.kind == .server { continue }
            let value = value == key?.defaultText ? nil : value
            guard old[name] != value else { continue }
            if let value {
                let stored = key?.isSecret == true ? try rows.secrets.seal(value, for: Self.context(name)) : value
                try db.run("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", [name, stored])
            } else {
                try db.run("DELETE FROM settings WHERE key = ?", [name])
            }
            changed.insert(name)
        }
        return changed
    }
}
