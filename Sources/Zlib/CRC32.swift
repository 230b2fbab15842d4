import CZlib

/// The checksum of ZIP, gzip and PNG (ISO 3309, RFC 1952 section 8). Pure.
package struct CRC32: Sendable, Equatable {
    package private(set) var value: UInt32 = 0

    package init() {}

    /// Takes more bytes in.
    package mutating func update(_ bytes: [UInt8]) {
        value = bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return value }
            var sum = UInt(value)
            var place = 0
            while place < buffer.count {
                let count = min(buffer.count - place, 1 << 30)
                sum = crc32(sum, base + place, UInt32(count))
                place += count
            }
            return UInt32(truncatingIfNeeded: sum)
        }
    }

    package static func of(_ bytes: [UInt8]) -> UInt32 {
        var sum = CRC32()
        sum.update(bytes)
        return sum.value
    }
}
