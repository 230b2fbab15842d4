import Zlib

/// The checksum by which altered footage is told: CRC-32 (ISO 3309), which a disk's thread can afford for every byte it writes. It finds
/// what disks and file systems do to files; who alters a file on purpose is found by the signature of an export. Blocks.
package enum FileChecksum {
    private static let piece = 1 << 20

    /// Of a whole file. `onPiece` is called before each piece that is read, and ends it by throwing.
    package static func of(_ path: String, onPiece: () throws -> Void = {}) throws -> UInt32 {
        try of(try POSIXFile.openExisting(path), onPiece: onPiece)
    }

    static func of(_ file: any FootageFile, onPiece: () throws -> Void = {}) throws -> UInt32 {
        var sum = CRC32()
        var offset: Int64 = 0
        while true {
            try onPiece()
            let bytes = try file.read(at: offset, count: piece)
            if bytes.isEmpty { return sum.value }
            sum.update(bytes)
            offset += Int64(bytes.count)
        }
    }
}
