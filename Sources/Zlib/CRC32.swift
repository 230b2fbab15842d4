import CZlib

/// The checksum of ZIP, gzip and PNG (ISO 3309, RFC 1952 section 8). Pure.
package struct CRC32: Sendable, Equatable {
    package private(set) var value: UInt32 = 0

    package init() {}

    /// Takes more bytes in.
    package mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// Takes more bytes in.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
        var sum = UInt(value)
        var place = 0
        while place < bytes.count {
            let count = min(bytes.count - place, 1 << 30)
            sum = crc32(sum, base + place, UInt32(count))
            place += count
        }
        value = UInt32(truncatingIfNeeded: sum)
    }

    package static func of(_ bytes: [UInt8]) -> UInt32 {
        var sum = CRC32()
        sum.update(bytes)
        return sum.value
    }
}
