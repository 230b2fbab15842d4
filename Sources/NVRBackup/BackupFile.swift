package import NVRModel

/// A backup in the folder of the server.
package struct BackupFile: Sendable, Hashable {
    /// Why it was made.
    package enum Occasion: String, Sendable, Hashable, CaseIterable {
        /// Somebody asked for it.
        case manual
        /// The schedule did.
        case auto
        /// A restore was about to change everything.
        case safety
    }

    package var name: String
    package var bytes: Int64
    package var writtenAt: WallTime

    package init(name: String, bytes: Int64, writtenAt: WallTime) {
        self.name = name
        self.bytes = bytes
        self.writtenAt = writtenAt
    }

    /// The file as the API lists it.
    package var json: JSONValue { ["filename": .string(name), "size": .integer(bytes), "created_at": .string(writtenAt.iso8601)] }

    private static let ending = ".json"
    private static let longestName = 128

    /// The name of a backup made at a time; `copy` tells backups of one second from each other.
    package static func name(_ occasion: Occasion, at time: WallTime, copy: Int = 0) -> String {
        prefix(occasion) + stamp(time) + (copy == 0 ? "" : "_\(copy)") + ending
    }

    /// The name under which a browser saves an export.
    package static func exportName(at time: WallTime) -> String { "vibenvr_backup_" + stamp(time) + ending }

    /// Whether a name is one that a file in the folder may be asked for by: a plain file name, never a path.
    package static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        guard bytes.count > ending.utf8.count, bytes.count <= longestName, name.hasSuffix(ending), let first = bytes.first,
            isLetterOrDigit(first), !name.contains("..")
        else { return false }
        return bytes.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
    }

    /// Why the file was made, by its name; nil for one that was put into the folder from outside.
    package var occasion: Occasion? { Occasion.allCases.first { name.hasPrefix(Self.prefix($0)) } }

    private static func prefix(_ occasion: Occasion) -> String { "vibe_backup_\(occasion.rawValue)_" }

    /// `20261122_211700Z`: UTC, so that names sort by time across changes of the clock.
    private static func stamp(_ time: WallTime) -> String {
        let digits = time.iso8601.filter { $0.isNumber || $0 == "T" }
        return "\(digits.prefix(8))_\(digits.dropFirst(9).prefix(6))Z"
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A)
    }
}
