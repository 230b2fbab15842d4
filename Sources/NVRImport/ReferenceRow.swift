import NVRModel
package import NVRStore

/// A row of the old database: columns by name, as SQLite or a dump has them.
package struct ReferenceRow {
    package let values: [String: StagedTables.Value]

    package init(values: [String: StagedTables.Value]) { self.values = values }

    subscript(column: String) -> StagedTables.Value { values[column] ?? .null }

    package func text(_ column: String) -> String? { self[column].text }

    package func integer(_ column: String) -> Int64? {
        switch self[column] {
        case .integer(let value): value
        case .real(let value): Int64(exactly: value)
        case .text(let text): Int64(text)
        case .null: nil
        }
    }

    func number(_ column: String) -> Double? {
        let number: Double? =
            switch self[column] {
            case .integer(let value): Double(value)
            case .real(let value): value
            case .text(let text): Double(text)
            case .null: nil
            }
        return number.flatMap { $0.isFinite ? $0 : nil }
    }

    func flag(_ column: String) -> Bool? {
        switch self[column] {
        case .integer(let value): value != 0
        case .text(let text):
            switch text.lowercased() {
            case "t", "true", "1", "yes", "on": true
            case "f", "false", "0", "no", "off": false
            default: nil
            }
        case .real, .null: nil
        }
    }

    /// A time of the product's own: UTC when it does not say.
    func created(_ column: String) -> WallTime? { text(column).flatMap { WallTime(iso8601: $0) ?? ClipTime.stamp($0) } }

    /// A time of footage: on the clock of the old installation when it does not say.
    func stamp(_ column: String) -> WallTime? { text(column).flatMap(ClipTime.stamp) }
}
