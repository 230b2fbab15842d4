/// A QR code (ISO/IEC 18004) of a short text: byte mode, error correction level M, versions 1 to 10. Pure.
package struct QRCode: Sendable, Hashable {
    /// Modules a side.
    package let size: Int
    private var dark: [Bool]
    /// Modules that belong to patterns and not to the text.
    private var isFixed: [Bool]

    package subscript(x: Int, y: Int) -> Bool { dark[y * size + x] }

    /// Per version: code words of error correction in each block, and the data code words of its blocks.
    private static let versions: [(correction: Int, blocks: [Int])] = [
        (10, [16]), (16, [28]), (26, [44]), (18, [32, 32]), (24, [43, 43]), (16, [27, 27, 27, 27]), (18, [31, 31, 31, 31]),
        (22, [38, 38, 39, 39]), (22, [36, 36, 36, 37, 37]), (26, [43, 43, 43, 43, 44]),
    ]

    /// Centres of the alignment patterns per version, along both axes.
    private static let alignments: [[Int]] = [
        [], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50],
    ]

    /// The smallest code that holds the text; nil when it is longer than 213 bytes.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        let fitting = (1...Self.versions.count).first { version in
            let lengthBits = version < 10 ? 8 : 16
            return 4 + lengthBits + 8 * bytes.count <= 8 * Self.versions[version - 1].blocks.reduce(0, +)
        }
        guard let version = fitting else { return nil }
        size = 17 + 4 * version
        dark = Array(repeating: false, count: size * size)
        isFixed = dark
        drawPatterns(version)
        place(Self.codewords(of: bytes, version: version))
        // The mask whose picture is the easiest to read.
        let masked = (0..<8).map { mask in
            var code = self
            code.apply(mask: mask)
            code.drawFormat(mask: mask)
            return code
        }
        if let best = masked.min(by: { $0.penalty < $1.penalty }) { dark = best.dark }
    }

    /// The picture as SVG: black on white with the quiet zone that readers need, scaled by whoever shows it.
    package var svg: String {
        var path = ""
        for y in 0..<size {
            var x = 0
            while x < size {
                guard self[x, y] else {
                    x += 1
                    continue
                }
                let start = x
                while x < size, self[x, y] { x += 1 }
                path += "M\(start + 4) \(y + 4)h\(x - start)v1h-\(x - start)z"
            }
        }
        let side = size + 8
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(side) \(side)" shape-rendering="crispEdges">\
            <path fill="#fff" d="M0 0h\(side)v\(side)h-\(side)z"/><path d="\(path)"/></svg>
            """
    }

    // MARK: Bits

    /// The text as code words: mode, length, bytes and padding, cut into blocks, each with its correction, interleaved.
    private static func codewords(of bytes: [UInt8], version: Int) -> [UInt8] {
        let (correction, blocks) = versions[version - 1]
        let capacity = blocks.reduce(0, +)
        var bits: [Bool] = []
        func append(_ value: Int, _ count: Int) { for bit in stride(from: count - 1, through: 0, by: -1) { bits.append(value >> bit & 1 == 1) } }
        append(0b0100, 4)
        append(bytes.count, version < 10 ? 8 : 16)
        for byte in bytes { append(Int(byte), 8) }
        append(0, min(4, capacity * 8 - bits.count))
        append(0, (8 - bits.count % 8) % 8)
        var words = stride(from: 0, to: bits.count, by: 8).map { start in bits[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) } }
        for padding in 0..<(capacity - words.count) { words.append(padding % 2 == 0 ? 0xEC : 0x11) }

        let divisor = ReedSolomon.divisor(degree: correction)
        var start = 0
        let parts = blocks.map { count in
            defer { start += count }
            return Array(words[start..<start + count])
        }
        let corrections = parts.map { ReedSolomon.remainder(of: $0, by: divisor) }
        var out: [UInt8] = []
        for index in 0..<(blocks.max() ?? 0) { for part in parts where index < part.count { out.append(part[index]) } }
        for index in 0..<correction { for part in corrections { out.append(part[index]) } }
        return out
    }

    // MARK: Modules

    private mutating func set(_ x: Int, _ y: Int, _ isDark: Bool) {
        guard (0..<size).contains(x), (0..<size).contains(y) else { return }
        dark[y * size + x] = isDark
        isFixed[y * size + x] = true
    }

    private mutating func drawPatterns(_ version: Int) {
        for index in 0..<size {
            set(6, index, index % 2 == 0)
            set(index, 6, index % 2 == 0)
        }
        for (x, y) in [(3, 3), (size - 4, 3), (3, size - 4)] {
            for down in -4...4 {
                for across in -4...4 {
                    let ring = max(abs(across), abs(down))
                    set(x + across, y + down, ring != 2 && ring != 4)
                }
            }
        }
        let centres = Self.alignments[version - 1]
        for x in centres {
            for y in centres {
                let last = size - 7
                // There the finder patterns are.
                if (x, y) == (6, 6) || (x, y) == (6, last) || (x, y) == (last, 6) { continue }
                for down in -2...2 { for across in -2...2 { set(x + across, y + down, max(abs(across), abs(down)) != 1) } }
            }
        }
        // Keeps the places free; the mask is known later.
        drawFormat(mask: 0)
        if version >= 7 { drawVersion(version) }
    }

    /// Level and mask with a BCH code of 10 bits, in two places (section 7.9).
    private mutating func drawFormat(mask: Int) {
        // Level M is 00.
        var remainder = mask
        for _ in 0..<10 { remainder = remainder << 1 ^ (remainder >> 9 & 1) * 0x537 }
        let bits = (mask << 10 | remainder) ^ 0x5412
        func bit(_ index: Int) -> Bool { bits >> index & 1 == 1 }
        for index in 0...5 { set(8, index, bit(index)) }
        set(8, 7, bit(6))
        set(8, 8, bit(7))
        set(7, 8, bit(8))
        for index in 9..<15 { set(14 - index, 8, bit(index)) }
        for index in 0..<8 { set(size - 1 - index, 8, bit(index)) }
        for index in 8..<15 { set(8, size - 15 + index, bit(index)) }
        set(8, size - 8, true)
    }

    /// The version with a BCH code of 12 bits, in two places (section 7.10).
    private mutating func drawVersion(_ version: Int) {
        var remainder = version
        for _ in 0..<12 { remainder = remainder << 1 ^ (remainder >> 11 & 1) * 0x1F25 }
        let bits = version << 12 | remainder
        for index in 0..<18 {
            let isDark = bits >> index & 1 == 1
            set(size - 11 + index % 3, index / 3, isDark)
            set(index / 3, size - 11 + index % 3, isDark)
        }
    }

    /// Lays the code words out in columns of two modules, up and down, from the right (section 7.7.3).
    private mutating func place(_ words: [UInt8]) {
        var index = 0
        var right = size - 1
        while right >= 1 {
            // The column of the vertical timing pattern is left out.
            if right == 6 { right = 5 }
            let isUpwards = (right + 1) & 2 == 0
            for step in 0..<size {
                let y = isUpwards ? size - 1 - step : step
                for x in [right, right - 1] where !isFixed[y * size + x] {
                    if index < words.count * 8 { dark[y * size + x] = words[index / 8] >> (7 - index % 8) & 1 == 1 }
                    index += 1
                }
            }
            right -= 2
        }
    }

    private mutating func apply(mask: Int) {
        for y in 0..<size {
            for x in 0..<size where !isFixed[y * size + x] {
                let flips =
                    switch mask {
                    case 0: (x + y) % 2 == 0
                    case 1: y % 2 == 0
                    case 2: x % 3 == 0
                    case 3: (x + y) % 3 == 0
                    case 4: (x / 3 + y / 2) % 2 == 0
                    case 5: x * y % 2 + x * y % 3 == 0
                    case 6: (x * y % 2 + x * y % 3) % 2 == 0
                    default: ((x + y) % 2 + x * y % 3) % 2 == 0
                    }
                if flips { dark[y * size + x].toggle() }
            }
        }
    }

    /// How hard the picture is to read: runs, blocks, false finder patterns and too much of one colour (section 7.8.3).
    private var penalty: Int {
        var sum = 0
        let finder = [true, false, true, true, true, false, true]
        for isColumn in [false, true] {
            for line in 0..<size {
                let modules = (0..<size).map { isColumn ? self[line, $0] : self[$0, line] }
                var run = 0
                for (index, module) in modules.enumerated() {
                    run = index > 0 && module == modules[index - 1] ? run + 1 : 1
                    if run == 5 { sum += 3 } else if run > 5 { sum += 1 }
                }
                for start in 0...(size - 7) where Array(modules[start..<start + 7]) == finder {
                    let before = (start - 4..<start).allSatisfy { $0 < 0 || !modules[$0] }
                    let after = (start + 7..<start + 11).allSatisfy { $0 >= size || !modules[$0] }
                    if before || after { sum += 40 }
                }
            }
        }
        for y in 0..<size - 1 {
            for x in 0..<size - 1 where self[x, y] == self[x + 1, y] && self[x, y] == self[x, y + 1] && self[x, y] == self[x + 1, y + 1] { sum += 3 }
        }
        let share = dark.count { $0 } * 20 / dark.count
        return sum + abs(share - 10) * 10
    }
}

/// Reed-Solomon codes over GF(2⁸) with the polynomial x⁸+x⁴+x³+x²+1.
enum ReedSolomon {
    static func product(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var product = 0
        for bit in stride(from: 7, through: 0, by: -1) {
            product = product << 1 ^ (product >> 7) * 0x11D
            product ^= Int(right >> bit & 1) * Int(left)
        }
        return UInt8(truncatingIfNeeded: product)
    }

    /// The generator of a degree, without its leading 1.
    static func divisor(degree: Int) -> [UInt8] {
        var divisor = Array(repeating: UInt8(0), count: degree)
        divisor[degree - 1] = 1
        var root: UInt8 = 1
        for _ in 0..<degree {
            for index in 0..<degree {
                divisor[index] = product(divisor[index], root)
                if index + 1 < degree { divisor[index] ^= divisor[index + 1] }
            }
            root = product(root, 2)
        }
        return divisor
    }

    static func remainder(of words: [UInt8], by divisor: [UInt8]) -> [UInt8] {
        var remainder = Array(repeating: UInt8(0), count: divisor.count)
        for word in words {
            let factor = word ^ remainder.removeFirst()
            remainder.append(0)
            for (index, coefficient) in divisor.enumerated() { remainder[index] ^= product(coefficient, factor) }
        }
        return remainder
    }
}
