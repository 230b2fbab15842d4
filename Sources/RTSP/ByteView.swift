/// A borrowed run of bytes with checked access: the parsers' window on a received packet.
/// Never stored beyond the call that got it; the memory belongs to the caller.
package struct ByteView {
    package let base: UnsafeRawPointer
    package let count: Int

    /// A valid pointer for views without bytes; never read. Safe: immutable after initialization.
    private nonisolated(unsafe) static let nowhere = UnsafeRawPointer(UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1))

    package static var empty: ByteView { ByteView(base: nowhere, count: 0) }

    /// `count` readable bytes at `base`, which must outlive the view.
    package init(base: UnsafeRawPointer, count: Int) {
        self.base = base
        self.count = count
    }

    /// All bytes of `buffer`, which must outlive the view.
    package init(_ buffer: UnsafeRawBufferPointer) {
        self.init(base: buffer.baseAddress ?? ByteView.nowhere, count: buffer.baseAddress == nil ? 0 : buffer.count)
    }

    package var isEmpty: Bool { count == 0 }

    /// The byte at `index`, which the caller has checked to be inside; checked again here so that a mistake can never
    /// read foreign memory.
    @inline(__always)
    package subscript(index: Int) -> UInt8 {
        precondition(index >= 0 && index < count)
        return base.load(fromByteOffset: index, as: UInt8.self)
    }

    /// Two bytes, the first one the more significant; both must be inside.
    @inline(__always)
    package func bigEndian16(at index: Int) -> UInt16 {
        UInt16(self[index]) << 8 | UInt16(self[index + 1])
    }

    /// Four bytes, the first one the most significant; all must be inside.
    @inline(__always)
    package func bigEndian32(at index: Int) -> UInt32 {
        precondition(index >= 0 && index <= count - 4)
        return UInt32(bigEndian: base.loadUnaligned(fromByteOffset: index, as: UInt32.self))
    }

    /// The bytes from `offset` on; empty when there are none.
    @inline(__always)
    package func dropFirst(_ offset: Int) -> ByteView {
        guard offset > 0 else { return self }
        guard offset < count else { return .empty }
        return ByteView(base: base + offset, count: count - offset)
    }

    /// At most the first `length` bytes.
    @inline(__always)
    package func prefix(_ length: Int) -> ByteView {
        ByteView(base: base, count: max(0, min(length, count)))
    }

    /// A copy of the bytes.
    package var array: [UInt8] { Array(UnsafeRawBufferPointer(start: base, count: count)) }

    /// Whether the bytes equal those of `other`.
    package func elementsEqual(_ other: [UInt8]) -> Bool {
        count == other.count && UnsafeRawBufferPointer(start: base, count: count).elementsEqual(other)
    }
}

/// Reads bits from the most significant one on; optionally steps over the emulation-prevention bytes of H.264/H.265.
package struct BitReader {
    private let view: ByteView
    private let unescapes: Bool
    private var index = 0
    private var zeros = 0
    private var current: UInt8 = 0
    private var left = 0

    /// Reads `view` from its first bit on; `unescaping` steps over emulation-prevention bytes.
    package init(_ view: ByteView, unescaping: Bool = false) {
        self.view = view
        unescapes = unescaping
    }

    private mutating func loadByte() -> Bool {
        guard index < view.count else { return false }
        var byte = view[index]
        if unescapes, zeros >= 2, byte == 3 {
            index += 1
            zeros = 0
            guard index < view.count else { return false }
            byte = view[index]
        }
        index += 1
        zeros = byte == 0 ? zeros + 1 : 0
        current = byte
        left = 8
        return true
    }

    /// Bits not yet read, emulation-prevention bytes included.
    package var bitsLeft: Int { (view.count - index) * 8 + left }

    /// The next bit, nil at the end.
    package mutating func bit() -> UInt32? {
        if left == 0, !loadByte() { return nil }
        left -= 1
        return UInt32((current >> UInt8(left)) & 1)
    }

    /// The next `count` (at most 32) bits as a number, nil at the end.
    package mutating func bits(_ count: Int) -> UInt32? {
        var value: UInt32 = 0
        for _ in 0..<max(0, min(count, 32)) {
            guard let bit = bit() else { return nil }
            value = value << 1 | bit
        }
        return value
    }

    /// Steps over `count` bits; false when there are fewer.
    package mutating func skip(_ count: Int) -> Bool {
        for _ in 0..<max(0, count) where bit() == nil { return false }
        return true
    }

    /// An unsigned Exp-Golomb number (H.264 section 9.1), nil at the end or above 2^32 - 2.
    package mutating func exponentialGolomb() -> UInt32? {
        var leading = 0
        while true {
            guard let bit = bit() else { return nil }
            if bit == 1 { break }
            leading += 1
            if leading > 31 { return nil }
        }
        if leading == 0 { return 0 }
        guard let rest = bits(leading) else { return nil }
        return (UInt32(1) << UInt32(leading)) &- 1 &+ rest
    }
}
