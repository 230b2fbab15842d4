/// What makes two names the same to the database (SQLite's `COLLATE NOCASE`): the letters of ASCII count without regard to case, and
/// everything else byte by byte. Swift's own comparison takes more names for one, of which the database holds several.
package struct NameKey: Hashable, Sendable {
    private let bytes: [UInt8]

    package init(_ name: String) {
        bytes = name.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    }
}
