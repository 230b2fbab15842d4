/// Texts as dumps write them.
enum DumpText {
    enum Encoding {
        case utf8
        case latin1

        /// By PostgreSQL's name. Others than Latin 1 are read as UTF-8, with what does not fit replaced.
        init(name: String) { self = ["latin1", "iso88591", "win1252", "latin9"].contains(name) ? .latin1 : .utf8 }
    }

    static func decode(_ bytes: some Sequence<UInt8>, _ encoding: Encoding) -> String {
        switch encoding {
        case .utf8: String(decoding: Array(bytes), as: UTF8.self)
        case .latin1: String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        }
    }

    /// The fields of a line of COPY's text format: parted by tabs, `\N` for null.
    static func copyFields(_ line: [UInt8], _ encoding: Encoding) -> [String?] {
        line.split(separator: 0x09, omittingEmptySubsequences: false).map { field in
            if field.elementsEqual([0x5C, 0x4E]) { return nil }
            guard field.contains(0x5C) else { return decode(field, encoding) }
            return decode(unescaped(field), encoding)
        }
    }

    /// Backslash escapes of COPY and of `E'…'`: letters, up to three octal and two hexadecimal digits; any other byte stands for itself.
    static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(field.count)
        var at = field.startIndex
        func digits(_ most: Int, _ base: UInt8) -> UInt8? {
            var value = 0
            var count = 0
            while count < most, at < field.endIndex, let digit = digit(field[at]), digit < base {
                value = value * Int(base) + Int(digit)
                at += 1
                count += 1
            }
            return count == 0 ? nil : UInt8(truncatingIfNeeded: value)
        }
        while at < field.endIndex {
            let byte = field[at]
            at += 1
            guard byte == 0x5C, at < field.endIndex else {
                output.append(byte)
                continue
            }
            let letter = field[at]
            switch letter {
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                output.append(digits(3, 8) ?? letter)
                continue
            case UInt8(ascii: "x"):
                at += 1
                output.append(digits(2, 16) ?? letter)
                continue
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "v"): output.append(0x0B)
            default: output.append(letter)
            }
            at += 1
        }
        return output
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
