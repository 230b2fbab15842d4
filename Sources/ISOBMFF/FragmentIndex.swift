/// Where one fragment lies in its file and in time.
package struct FragmentIndexEntry: Sendable, Equatable {
    /// File offset of the fragment's first box (`prft`, else `moof`), bytes.
    package var offset: Int64
    /// Bytes through the end of `mdat`.
    package var size: Int64
    /// Decode time of the first video sample in ticks of the video track (of the first track in a file without video).
    package var start: Int64
    /// Ticks of that track.
    package var duration: Int64
    /// Whether the first video sample is a keyframe.
    package var startsWithKeyframe: Bool

    package init(offset: Int64, size: Int64, start: Int64, duration: Int64, startsWithKeyframe: Bool) {
        self.offset = offset
        self.size = size
        self.start = start
        self.duration = duration
        self.startsWithKeyframe = startsWithKeyframe
    }

    /// First byte after the fragment.
    package var end: Int64 { offset &+ size }
    /// Decode time after the last sample.
    package var endTime: Int64 { start &+ duration }
}

/// The fragments of a file in order, and their packed form for a database row.
package struct FragmentIndex: Sendable, Equatable {
    package var entries: [FragmentIndexEntry]

    package init(entries: [FragmentIndexEntry] = []) {
        self.entries = entries
    }

    /// Entries whose times overlap the range (ticks); found by binary search, so the entries must be in order of time.
    package func entries(overlapping range: Range<Int64>) -> ArraySlice<FragmentIndexEntry> {
        let first = firstIndex { $0.endTime > range.lowerBound }
        let last = firstIndex { $0.start >= range.upperBound }
        return entries[min(first, last)..<last]
    }

    /// The position of the last entry that starts with a keyframe at or before the time (ticks); nil when there is none.
    package func keyframeEntry(atOrBefore time: Int64) -> Int? {
        var index = firstIndex { $0.start > time } - 1
        while index >= 0 {
            if entries[index].startsWithKeyframe { return index }
            index -= 1
        }
        return nil
    }

    private func firstIndex(where predicate: (FragmentIndexEntry) -> Bool) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if predicate(entries[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private static let version: UInt8 = 1

    /// Version byte, count, then per entry four LEB128 numbers: gap in bytes after the entry before (zigzag), size, gap in
    /// ticks after the entry before (zigzag), duration and key bit. Negative sizes and durations are packed as 0.
    package func packed() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(12 + entries.count * 10)
        bytes.append(Self.version)
        Self.append(UInt64(entries.count), to: &bytes)
        var end: Int64 = 0
        var endTime: Int64 = 0
        for entry in entries {
            let size = max(0, entry.size)
            let duration = max(0, entry.duration)
            Self.append(Self.zigzag(entry.offset &- end), to: &bytes)
            Self.append(UInt64(size), to: &bytes)
            Self.append(Self.zigzag(entry.start &- endTime), to: &bytes)
            Self.append(UInt64(duration) << 1 | (entry.startsWithKeyframe ? 1 : 0), to: &bytes)
            end = entry.offset &+ size
            endTime = entry.start &+ duration
        }
        return bytes
    }

    /// Throws for anything `packed()` does not make; needs at most ten times the memory of `packed`.
    package init(packed: [UInt8]) throws(ISOBMFFError) {
        guard let version = packed.first else { throw .truncated("fragment index") }
        guard version == Self.version else { throw .unsupported("fragment index version") }
        var position = 1
        let count = try Self.number(in: packed, at: &position)
        guard count <= UInt64((packed.count - position) / 4) else { throw .truncated("fragment index") }
        entries = []
        entries.reserveCapacity(Int(count))
        var end: Int64 = 0
        var endTime: Int64 = 0
        for _ in 0..<count {
            let offset = end &+ Self.unzigzag(try Self.number(in: packed, at: &position))
            let size = try Self.number(in: packed, at: &position)
            let start = endTime &+ Self.unzigzag(try Self.number(in: packed, at: &position))
            let durationAndKey = try Self.number(in: packed, at: &position)
            let duration = Int64(durationAndKey >> 1)
            guard let size = Int64(exactly: size), offset >= 0,
                !offset.addingReportingOverflow(size).overflow, !start.addingReportingOverflow(duration).overflow
            else { throw .malformed("fragment index") }
            entries.append(
                FragmentIndexEntry(
                    offset: offset, size: size, start: start, duration: duration, startsWithKeyframe: durationAndKey & 1 != 0))
            end = offset + size
            endTime = start + duration
        }
        guard position == packed.count else { throw .malformed("fragment index") }
    }

    private static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }

    private static func unzigzag(_ value: UInt64) -> Int64 { Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }

    private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    private static func number(in bytes: [UInt8], at position: inout Int) throws(ISOBMFFError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            guard shift < 63 || byte <= 1 else { throw .malformed("fragment index") }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        throw .truncated("fragment index")
    }
}
