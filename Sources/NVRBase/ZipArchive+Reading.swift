extension ZipArchive {
    /// Up to `count` bytes at an offset; fewer only at the end.
    package typealias Read = (_ offset: Int64, _ count: Int) throws -> [UInt8]

    private static let mostEntries = 1000
    private static let mostDirectoryBytes: Int64 = 4 << 20

    /// Reads an archive as `ZipArchive` writes them, from anybody: its entries with their checksums. Every byte but the contents has to
    /// be as this type would write it, so that nothing is hidden between them. Throws `invalid` for any other archive, and what `read`
    /// throws.
    package static func read(length: Int64, _ read: Read) throws -> (archive: ZipArchive, checksums: [UInt32]) {
        func refusal(_ why: String) -> NVRError { NVRError(.invalid, "the archive is not as it was written: \(why)") }
        guard length >= 22 else { throw refusal("it is too short") }
        var tail = Fields(try read(max(0, length - 98), Int(min(length, 98))))
        guard tail.bytes.count == Int(min(length, 98)) else { throw refusal("it is shorter than it was") }
        tail.place = tail.bytes.count - 22
        guard tail.take(4) == [0x50, 0x4B, 5, 6], tail.number(4) == 0, let count = tail.number(2), tail.number(2) == count,
            var size = tail.number(4), var offset = tail.number(4), tail.number(2) == 0
        else { throw refusal("its end is missing") }
        if size == Int64(UInt32.max), offset == size, tail.bytes.count == 98 {
            tail.place = 40
            guard let wideSize = tail.number(8), let wideOffset = tail.number(8) else { throw refusal("its end is damaged") }
            (size, offset) = (wideSize, wideOffset)
        }
        guard count <= mostEntries, size <= mostDirectoryBytes, offset >= 0, offset <= length - size - 22 else {
            throw refusal("its directory cannot lie where it should")
        }
        let directory = try read(offset, Int(length - offset))
        guard Int64(directory.count) == length - offset else { throw refusal("it is shorter than it was") }
        var fields = Fields(directory)
        var entries: [Entry] = []
        var checksums: [UInt32] = []
        var moment: Moment?
        for _ in 0..<count {
            guard let (entry, checksum, modified) = fields.entry(within: length) else { throw refusal("its directory is damaged") }
            entries.append(entry)
            checksums.append(checksum)
            moment = moment ?? modified
        }
        guard let moment else { throw refusal("it is empty") }
        let archive = try ZipArchive(entries, modified: moment)
        guard archive.totalLength == length, archive.directoryOffset == offset, archive.directory(checksums: checksums) == directory else {
            throw refusal("its directory is damaged")
        }
        for index in entries.indices {
            let header = archive.header(of: index, checksum: checksums[index])
            let descriptor = archive.descriptor(of: index, checksum: checksums[index])
            let end = archive.contentOffset(of: index) + entries[index].size
            guard try read(archive.offsets[index], header.count) == header, try read(end, descriptor.count) == descriptor else {
                throw refusal("what stands around '\(entries[index].name)' is damaged")
            }
        }
        return (archive, checksums)
    }

    /// Reads numbers, their lowest byte first; nil behind the end.
    private struct Fields {
        let bytes: [UInt8]
        var place = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
            guard count >= 0, place >= 0, count <= bytes.count - place else { return nil }
            defer { place += count }
            return bytes[place..<place + count]
        }

        /// Nil also for one that does not fit `Int64`.
        mutating func number(_ count: Int) -> Int64? {
            guard let taken = take(count) else { return nil }
            return Int64(exactly: taken.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }

        /// An entry of the directory. What it says of places and lengths is checked by whoever writes it anew.
        mutating func entry(within length: Int64) -> (Entry, UInt32, Moment)? {
            guard take(4) == [0x50, 0x4B, 1, 2], number(4) != nil, let flags = number(2), number(2) == 0, let time = number(2),
                let date = number(2), let checksum = number(4), let compressed = number(4), var size = number(4), compressed == size,
                let nameLength = number(2), let extraLength = number(2), take(14) != nil,
                let name = take(Int(nameLength)), var extra = take(Int(extraLength)).map({ Fields(Array($0)) })
            else { return nil }
            if size == Int64(UInt32.max) {
                guard extra.number(4) != nil, let wide = extra.number(8) else { return nil }
                size = wide
            }
            let text = String(decoding: name, as: UTF8.self)
            guard size <= length, Array(text.utf8) == Array(name) else { return nil }
            return (
                Entry(name: text, size: size, isStreamed: flags & 8 != 0), UInt32(truncatingIfNeeded: checksum),
                Moment(date: UInt16(truncatingIfNeeded: date), time: UInt16(truncatingIfNeeded: time))
            )
        }
    }
}
