// The ISO base media file format: writing and reading MP4 boxes, fragments, movies and the parameter sets inside them,
// as bytes in and bytes out; nothing here opens a file or knows what the pictures are for.

/// Why bytes could not be understood or read. Every parser of this target throws only this.
package enum ISOBMFFError: Error, Equatable, Sendable {
    /// The bytes end before the named structure does.
    case truncated(String)
    /// The named structure contradicts its specification.
    case malformed(String)
    /// The named structure is valid but of a kind this target does not read.
    case unsupported(String)
    /// The named structure is larger than any honest file makes it.
    case tooLarge(String)
    /// The caller's read closure failed; its error as text.
    case unreadable(String)
}

/// An opaque payload that a file carries about itself: a `uuid` box (ISO/IEC 14496-12, 4.2) directly inside `moov`.
package struct Identification: Sendable, Equatable {
    /// The extended type, 16 bytes; the owner of the payload's format chooses it. Other lengths are padded or cut to 16 on writing.
    package let type: [UInt8]
    /// The payload, not interpreted here.
    package let payload: [UInt8]

    package init(type: [UInt8], payload: [UInt8]) {
        self.type = type
        self.payload = payload
    }
}

/// A box or brand type of four characters.
struct FourCC: Equatable, Hashable, Sendable, ExpressibleByStringLiteral {
    let code: UInt32

    init(code: UInt32) { self.code = code }

    init(stringLiteral value: StaticString) {
        code = value.withUTF8Buffer { characters in
            var code: UInt32 = 0
            for character in characters.prefix(4) { code = code << 8 | UInt32(character) }
            return code
        }
    }
}

/// Seconds between the epochs of MP4 (1904-01-01) and UNIX (1970-01-01), both UTC.
let secondsFrom1904To1970: Int64 = 2_082_844_800
/// Seconds between the epochs of NTP (1900-01-01) and UNIX (1970-01-01), both UTC.
let secondsFrom1900To1970: Int64 = 2_208_988_800
