/// Archives in the ZIP format (PKWARE's APPNOTE 6.3.10) of entries that are stored as they are: every byte of the archive but the
/// contents and their checksums is known before anything is read, so it can be sent as a stream of known length. Nothing here touches
/// a disk. Pure.
package struct ZipArchive: Sendable, Equatable {
    /// A file of the archive.
    package struct Entry: Sendable, Equatable {
        /// `/`-separated, UTF-8.
        package var name: String
        /// Bytes.
        package var size: Int64
        /// Its checksum is not known before its bytes have been sent: it follows them (APPNOTE 4.3.9).
        package var isStreamed: Bool

        package init(name: String, size: Int64, isStreamed: Bool) {
            self.name = name
            self.size = size
            self.isStreamed = isStreamed
        }
    }

    /// A date and time of day without a zone, in steps of two seconds (APPNOTE 4.4.6).
    package struct Moment: Sendable, Equatable {
        package var date: UInt16
        package var time: UInt16

        /// As two words of an archive.
        package init(date: UInt16, time: UInt16) {
            self.date = date
            self.time = time
        }

        /// Years before 1980 and after 2107 are taken for the nearest that can be written.
        package init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
            func bits(_ value: Int, _ limits: ClosedRange<Int>, _ shift: Int) -> UInt16 {
                UInt16(min(max(value, limits.lowerBound), limits.upperBound) << shift)
            }
            date = bits(year - 1980, 0...127, 9) | bits(month, 1...12, 5) | bits(day, 1...31, 0)
            time = bits(hour, 0...23, 11) | bits(minute, 0...59, 5) | bits(second / 2, 0...29, 0)
        }
    }

    package let entries: [Entry]
    package let modified: Moment
    /// Where the header of each entry begins.
    package let offsets: [Int64]
    /// Where the central directory begins.
    package let directoryOffset: Int64
    /// Of the whole archive, bytes.
    package let totalLength: Int64

    private static let mostNameBytes = 1024
    private static let largeSize = Int64(UInt32.max)

    /// Entries are written one behind the other in this order. Names have to be unique and at most 1024 bytes long; throws `invalid`.
    package init(_ entries: [Entry], modified: Moment) throws(NVRError) {
        guard Set(entries.map(\.name)).count == entries.count, entries.count < 0xFFFF,
            entries.allSatisfy({ (1...Self.mostNameBytes).contains($0.name.utf8.count) && (0...(1 << 56)).contains($0.size) })
        else { throw NVRError(.invalid, "the entries cannot be put into an archive") }
        self.entries = entries
        self.modified = modified
        var offsets: [Int64] = []
        var place: Int64 = 0
        var directory: Int64 = 0
        for entry in entries {
            offsets.append(place)
            let name = Int64(entry.name.utf8.count)
            let isLarge = entry.size >= Self.largeSize
            directory += 46 + name + Self.directoryExtra(entry.size, place)
            place += 30 + name + (isLarge ? 20 : 0) + entry.size + (entry.isStreamed ? (isLarge ? 24 : 16) : 0)
        }
        self.offsets = offsets
        directoryOffset = place
        totalLength = place + directory + (place + directory >= Self.largeSize ? 76 : 0) + 22
    }

    /// Where the bytes of an entry begin.
    package func contentOffset(of index: Int) -> Int64 {
        offsets[index] + 30 + Int64(entries[index].name.utf8.count) + (entries[index].size >= Self.largeSize ? 20 : 0)
    }

    private static func directoryExtra(_ size: Int64, _ offset: Int64) -> Int64 {
        let fields = Int64((size >= largeSize ? 16 : 0) + (offset >= largeSize ? 8 : 0))
        return fields == 0 ? 0 : fields + 4
    }

    // MARK: Parts

    private func common(_ entry: Entry, isLarge: Bool, checksum: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.little(UInt16(isLarge ? 45 : 20))
        // Names are UTF-8; with bit 3 the checksum follows the bytes.
        bytes.little(UInt16(0x0800 | (entry.isStreamed ? 0x0008 : 0)))
        bytes.little(UInt16(0))
        bytes.little(modified.time)
        bytes.little(modified.date)
        bytes.little(checksum)
        let size = entry.size >= Self.largeSize ? UInt32.max : UInt32(entry.size)
        bytes.little(size)
        bytes.little(size)
        bytes.little(UInt16(entry.name.utf8.count))
        return bytes
    }

    /// What precedes the bytes of an entry (APPNOTE 4.3.7). The checksum (CRC-32) of a streamed one is left out.
    package func header(of index: Int, checksum: UInt32) -> [UInt8] {
        let entry = entries[index]
        let isLarge = entry.size >= Self.largeSize
        var bytes: [UInt8] = [0x50, 0x4B, 3, 4]
        bytes += common(entry, isLarge: isLarge, checksum: entry.isStreamed ? 0 : checksum)
        bytes.little(UInt16(isLarge ? 20 : 0))
        bytes += entry.name.utf8
        if isLarge {
            bytes.little(UInt16(1))
            bytes.little(UInt16(16))
            bytes.little(UInt64(entry.size))
            bytes.little(UInt64(entry.size))
        }
        return bytes
    }

    /// What follows the bytes of an entry; empty for one that is not streamed.
    package func descriptor(of index: Int, checksum: UInt32) -> [UInt8] {
        let entry = entries[index]
        guard entry.isStreamed else { return [] }
        var bytes: [UInt8] = [0x50, 0x4B, 7, 8]
        bytes.little(checksum)
        for _ in 0..<2 {
            if entry.size >= Self.largeSize { bytes.little(UInt64(entry.size)) } else { bytes.little(UInt32(entry.size)) }
        }
        return bytes
    }

    /// The end of the archive: its directory and what tells where that lies (APPNOTE 4.3.12 to 4.3.16).
    package func directory(checksums: [UInt32]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, entry) in entries.enumerated() {
            let offset = offsets[index]
            let extra = Self.directoryExtra(entry.size, offset)
            bytes += [0x50, 0x4B, 1, 2]
            // Made under Unix, for the rights below.
            bytes.little(UInt16(3 << 8 | 45))
            bytes += common(entry, isLarge: extra > 0, checksum: checksums[index])
            bytes.little(UInt16(extra))
            bytes.little(UInt16(0))
            bytes.little(UInt16(0))
            bytes.little(UInt16(0))
            bytes.little(UInt32(0o100644) << 16)
            bytes.little(offset >= Self.largeSize ? UInt32.max : UInt32(offset))
            bytes += entry.name.utf8
            guard extra > 0 else { continue }
            bytes.little(UInt16(1))
            bytes.little(UInt16(extra - 4))
            if entry.size >= Self.largeSize {
                bytes.little(UInt64(entry.size))
                bytes.little(UInt64(entry.size))
            }
            if offset >= Self.largeSize { bytes.little(UInt64(offset)) }
        }
        let size = Int64(bytes.count)
        let end = directoryOffset + size
        let isLarge = end >= Self.largeSize
        if isLarge {
            bytes += [0x50, 0x4B, 6, 6]
            bytes.little(UInt64(44))
            bytes.little(UInt16(3 << 8 | 45))
            bytes.little(UInt16(45))
            bytes.little(UInt32(0))
            bytes.little(UInt32(0))
            for value in [UInt64(entries.count), UInt64(entries.count), UInt64(size), UInt64(directoryOffset)] { bytes.little(value) }
            bytes += [0x50, 0x4B, 6, 7]
            bytes.little(UInt32(0))
            bytes.little(UInt64(end))
            bytes.little(UInt32(1))
        }
        bytes += [0x50, 0x4B, 5, 6]
        bytes.little(UInt32(0))
        bytes.little(UInt16(entries.count))
        bytes.little(UInt16(entries.count))
        bytes.little(isLarge ? UInt32.max : UInt32(size))
        bytes.little(isLarge ? UInt32.max : UInt32(directoryOffset))
        bytes.little(UInt16(0))
        return bytes
    }
}

extension [UInt8] {
    /// Appends a number, its lowest byte first.
    fileprivate mutating func little<Number: FixedWidthInteger>(_ value: Number) {
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}
