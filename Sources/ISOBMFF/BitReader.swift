/// Reads bits of a parameter set, most significant first; every read past the end throws.
struct BitReader {
    private let bytes: [UInt8]
    private(set) var position = 0
    private let end: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        end = bytes.count * 8
    }

    /// The payload of a NAL unit after `header` bytes, emulation prevention bytes removed (H.264 7.4.1, H.265 7.4.2).
    /// No honest parameter set reaches 16 KiB; what lies beyond is not looked at.
    init(nalUnit: [UInt8], header: Int) {
        var payload: [UInt8] = []
        payload.reserveCapacity(min(nalUnit.count, 16384))
        var zeros = 0
        for byte in nalUnit.dropFirst(header).prefix(16384) {
            if zeros >= 2, byte == 3 {
                zeros = 0
                continue
            }
            zeros = byte == 0 ? zeros + 1 : 0
            payload.append(byte)
        }
        self.init(payload)
    }

    var remaining: Int { end - position }

    mutating func bit() throws(ISOBMFFError) -> Bool {
        guard position < end else { throw .truncated("parameter set") }
        defer { position += 1 }
        return bytes[position >> 3] >> UInt8(7 - position & 7) & 1 != 0
    }

    /// An unsigned number of at most 32 bits.
    mutating func bits(_ count: Int) throws(ISOBMFFError) -> Int {
        guard count >= 0, count <= 32, count <= remaining else { throw .truncated("parameter set") }
        var value = 0
        for _ in 0..<count {
            value = value << 1 | Int(bytes[position >> 3] >> UInt8(7 - position & 7) & 1)
            position += 1
        }
        return value
    }

    mutating func skip(_ count: Int) throws(ISOBMFFError) {
        guard count >= 0, count <= remaining else { throw .truncated("parameter set") }
        position += count
    }

    /// `ue(v)`: 0 to 2^32 - 2.
    mutating func ue() throws(ISOBMFFError) -> Int {
        var zeros = 0
        while try !bit() {
            zeros += 1
            guard zeros <= 32 else { throw .malformed("Exp-Golomb number") }
        }
        return (1 << zeros) - 1 + (try bits(zeros))
    }

    /// `ue(v)` that must not exceed a limit.
    mutating func ue(atMost limit: Int) throws(ISOBMFFError) -> Int {
        let value = try ue()
        guard value <= limit else { throw .malformed("parameter set") }
        return value
    }

    /// `se(v)`
    mutating func se() throws(ISOBMFFError) -> Int {
        let value = try ue()
        return value & 1 == 1 ? (value + 1) / 2 : -(value / 2)
    }
}

/// Numbers that the video usability information of H.264 (E.1.1) and H.265 (E.2.1) begins with, coded the same in both.
struct VideoUsabilityStart {
    var pixelAspect = PixelAspect()

    /// Reads through the chroma location.
    init(_ bits: inout BitReader) throws(ISOBMFFError) {
        if try bits.bit() {
            let code = try bits.bits(8)
            if code == 255 {
                let horizontal = try bits.bits(16)
                let vertical = try bits.bits(16)
                pixelAspect = PixelAspect(horizontal: horizontal, vertical: vertical)
            } else if code >= 1, code <= Self.aspects.count {
                let (horizontal, vertical) = Self.aspects[code - 1]
                pixelAspect = PixelAspect(horizontal: horizontal, vertical: vertical)
            }
        }
        if try bits.bit() { try bits.skip(1) }  // overscan
        if try bits.bit() {  // video signal type
            try bits.skip(4)
            if try bits.bit() { try bits.skip(24) }
        }
        if try bits.bit() {  // chroma location
            _ = try bits.ue()
            _ = try bits.ue()
        }
    }

    private static let aspects: [(Int, Int)] = [
        (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33), (18, 11), (15, 11), (64, 33),
        (160, 99), (4, 3), (3, 2), (2, 1),
    ]
}

/// A claimed frame rate, nil when it is not between 0.1 and 480 per second: cameras fill these fields with anything.
func sensibleFrameRate(ticks: Int, per timescale: Int) -> Double? {
    guard ticks > 0, timescale > 0 else { return nil }
    let rate = Double(timescale) / Double(ticks)
    return (0.1...480).contains(rate) ? rate : nil
}

/// Width and height limits of any picture: 16384 pixels a side, twice what the highest levels allow.
let largestPictureSide = 16384
