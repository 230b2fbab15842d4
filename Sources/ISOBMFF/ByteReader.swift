/// Reads big-endian numbers out of a range of bytes; every read is checked against the range and throws past its end.
struct ByteReader {
    let bytes: [UInt8]
    private(set) var position: Int
    let end: Int

    init(_ bytes: [UInt8]) { self.init(bytes, in: 0..<bytes.count) }

    /// The range is cut to what `bytes` has.
    init(_ bytes: [UInt8], in range: Range<Int>) {
        self.bytes = bytes
        let range = range.clamped(to: 0..<bytes.count)
        position = range.lowerBound
        end = range.upperBound
    }

    var remaining: Int { end - position }

    private mutating func take(_ count: Int) throws(ISOBMFFError) -> Int {
        guard count >= 0, count <= remaining else { throw .truncated("box") }
        let start = position
        position += count
        return start
    }

    mutating func skip(_ count: Int) throws(ISOBMFFError) { _ = try take(count) }

    mutating func u8() throws(ISOBMFFError) -> UInt8 { bytes[try take(1)] }

    mutating func u16() throws(ISOBMFFError) -> Int {
        let at = try take(2)
        return Int(bytes[at]) << 8 | Int(bytes[at + 1])
    }

    mutating func u24() throws(ISOBMFFError) -> UInt32 {
        let at = try take(3)
        return UInt32(bytes[at]) << 16 | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2])
    }

    mutating func u32() throws(ISOBMFFError) -> UInt32 {
        let at = try take(4)
        return UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3])
    }

    mutating func u64() throws(ISOBMFFError) -> UInt64 { UInt64(try u32()) << 32 | UInt64(try u32()) }

    mutating func array(_ count: Int) throws(ISOBMFFError) -> [UInt8] {
        let at = try take(count)
        return Array(bytes[at..<at + count])
    }

    /// The next box of this range, nil at its end. A size of 0 means "to the end of the range".
    mutating func box() throws(ISOBMFFError) -> Box? {
        guard remaining > 0 else { return nil }
        let start = position
        let size32 = Int(try u32())
        let type = FourCC(code: try u32())
        var size = size32
        if size32 == 1 {
            guard let large = Int(exactly: try u64()) else { throw .malformed("box size") }
            size = large
        } else if size32 == 0 {
            size = end - start
        }
        guard size >= position - start, size <= end - start else { throw .malformed("box size") }
        let box = Box(type: type, start: start, content: position..<start + size)
        position = start + size
        return box
    }
}

/// Where a box lies in the bytes it was found in.
struct Box {
    let type: FourCC
    /// Of the header.
    let start: Int
    /// What follows the header.
    let content: Range<Int>
}
