import Crypto
import ISOBMFF
import NVRBase
import Synchronization

/// An encrypted file of footage, read by the offsets of what is in it. Records are looked up when they are needed: by the final record, which
/// tells the lengths of all, or from head to head in a file that grows or was cut off. Any thread may use it; calls block.
package final class SealedFile: FootageFile {
    private struct State {
        var table = SealedTable()
        /// Where the file ends, by its final record; nil while none was found.
        var end: Int64?
        /// Nothing more is looked for: what lies behind is not believed.
        var isSettled = false
    }

    /// The file as it lies there.
    package let stored: any FootageFile
    let head: SealedHead
    private let key: SymmetricKey
    private let cache: RecordCache
    private let number: UInt64
    private let state = Mutex(State())
    private let damaged = Mutex<Int?>(nil)

    /// `key`: the owner's.
    init(_ stored: any FootageFile, head: SealedHead, key: SymmetricKey, cache: RecordCache) {
        self.stored = stored
        self.head = head
        self.key = head.fileKey(key)
        self.cache = cache
        number = cache.nextFile()
    }

    package var path: String { stored.path }
    package var keyID: FootageKeyID { head.keyID }

    /// Bytes of what is in it, as far as whole records go.
    package func length() throws -> Int64 { try state(upTo: .max).table.plainLength }

    /// Whether it has its final record: nothing is missing at its end.
    package func isEnded() throws -> Bool { try state(upTo: .max).end != nil }

    /// Up to `count` bytes at `offset`; fewer only at the end. Throws `dataLoss` when they were altered.
    package func read(at offset: Int64, count: Int) throws -> [UInt8] {
        guard count > 0, offset >= 0 else { return [] }
        let (wanted, overflow) = offset.addingReportingOverflow(Int64(count))
        let table = try state(upTo: overflow ? .max : wanted - 1).table
        let end = min(overflow ? .max : wanted, table.plainLength)
        guard offset < end, var record = table.record(at: offset) else { return [] }
        var output: [UInt8] = []
        output.reserveCapacity(Int(end - offset))
        var position = offset
        while position < end {
            let start = table.start(record)
            let bytes = try plain(record, table, isWhole: end >= start + Int64(table.length(record)))
            let (first, last) = (Int(position - start), Int(min(end - start, Int64(bytes.count))))
            output += bytes[first..<last]
            position = start + Int64(last)
            record += 1
        }
        return output
    }

    /// For walking boxes: no more than one record at a time, so that looking at the head of a fragment does not decrypt its pictures.
    package func readPiece(at offset: Int64, count: Int) throws -> [UInt8] {
        guard count > 0, offset >= 0 else { return [] }
        let table = try state(upTo: offset).table
        guard let record = table.record(at: offset) else { return [] }
        let bytes = try plain(record, table, isWhole: false)
        let first = Int(offset - table.start(record))
        return Array(bytes[first..<min(bytes.count, first + count)])
    }

    /// Where whole records lie in the stored file. Throws `dataLoss` when no record begins and ends there.
    package func storedRange(of plain: Range<Int64>) throws -> Range<Int64> {
        let table = try state(upTo: plain.upperBound).table
        let (first, last) = (table.records(upTo: plain.lowerBound), table.records(upTo: plain.upperBound))
        guard last > first, table.start(first) == plain.lowerBound, table.start(last - 1) + Int64(table.length(last - 1)) == plain.upperBound else {
            throw NVRError(.dataLoss, "the encrypted file \(path) has other records than its index says")
        }
        // The head of the file goes with what it begins with.
        return (first == 0 ? 0 : table.storedStart(first))..<table.storedStart(last)
    }

    /// Decrypts every record. Throws `dataLoss` for one that was altered. `onRecord` is called before each, and ends it by throwing.
    package func verify(onRecord: () throws -> Void = {}) throws {
        let table = try state(upTo: .max).table
        for record in 0..<table.count {
            try onRecord()
            _ = try open(record, table)
        }
    }

    // MARK: Records

    private func plain(_ record: Int, _ table: SealedTable, isWhole: Bool) throws -> [UInt8] {
        let place = RecordCache.Key(file: number, record: record)
        if let known = cache.record(place) { return known }
        let bytes = try open(record, table)
        // What is taken whole is not asked for again.
        if !isWhole { cache.keep(bytes, as: place) }
        return bytes
    }

    private func open(_ number: Int, _ table: SealedTable) throws -> [UInt8] {
        let length = table.length(number)
        let bytes = try stored.read(at: table.storedStart(number), count: length + SealedFormat.overhead)
        guard let record = SealedRecord(bytes), record.kind == .data, record.length == length, record.index == number,
            record.offset == table.start(number)
        else { throw altered(number) }
        do { return try record.open(bytes, head: head, key: key) } catch { throw altered(number) }
    }

    private func altered(_ record: Int) -> NVRError {
        damaged.withLock { $0 = min($0 ?? record, record) }
        return NVRError(.dataLoss, "the encrypted file \(path) was altered or is damaged (record \(record))")
    }

    // MARK: Where records lie

    /// What is known when the record that holds an offset has been looked for.
    private func state(upTo offset: Int64) throws -> State {
        var known = state.withLock { $0 }
        guard known.end == nil, !known.isSettled, offset >= known.table.plainLength else { return known }
        let length = try stored.length()
        if let table = try end(of: length) {
            known = State(table: table, end: length)
        } else {
            try walk(&known, upTo: offset, length: length)
        }
        state.withLock { state in
            if state.end == nil, !state.isSettled, known.end != nil || known.table.count > state.table.count { state = known }
        }
        return known
    }

    /// The table that the final record tells; nil while there is none, or when it tells none.
    private func end(of length: Int64) throws -> SealedTable? {
        let trailer = try stored.read(at: length - Int64(SealedFormat.trailerBytes), count: SealedFormat.trailerBytes)
        guard trailer.count == SealedFormat.trailerBytes, trailer[8...].elementsEqual(SealedFormat.endMagic) else { return nil }
        let size = Int64(SealedFormat.number(trailer, 0, 4))
        let place = length - Int64(SealedFormat.trailerBytes) - size
        guard (Int64(SealedFormat.overhead)...Int64(SealedFormat.overhead + SealedFormat.mostPlain)).contains(size),
            place >= Int64(SealedFormat.headBytes)
        else { return nil }
        let bytes = try stored.read(at: place, count: Int(size))
        // One that was altered is no end; then records are walked through.
        guard let record = SealedRecord(bytes), record.kind == .final, record.storedLength == size,
            let packed = try? record.open(bytes, head: head, key: key), let table = SealedTable(packed: packed),
            table.count == record.index, table.plainLength == record.offset, table.storedLength == place
        else { return nil }
        return table
    }

    /// Goes from head to head, up to the record that holds an offset or to the end of what is whole.
    private func walk(_ known: inout State, upTo offset: Int64, length: Int64) throws {
        while offset >= known.table.plainLength, known.table.count < SealedFormat.mostRecords {
            let place = known.table.storedLength
            guard let record = try SealedRecord(stored.read(at: place, count: SealedFormat.recordHeadBytes)),
                record.index == known.table.count, record.offset == known.table.plainLength, place + record.storedLength <= length
            else { return }
            if record.kind == .final {
                let bytes = try stored.read(at: place, count: Int(record.storedLength))
                let end = place + record.storedLength + Int64(SealedFormat.trailerBytes)
                // Without all of it the file has no end yet.
                if end <= length, (try? record.open(bytes, head: head, key: key)) != nil { known.end = end }
                return
            }
            known.table.append(record.length)
        }
    }

    /// How a file ends for who reads it from front to back.
    enum Ending: Sendable, Equatable {
        case final
        /// Without the final record, behind a whole one or within one.
        case cutOff
        /// A record that is not what was written.
        case altered(Int)
    }

    /// Every record from front to back, also where some are missing in between, as in pieces of files. `isNext`: it follows the one before.
    func forEachRecord(_ body: (_ plain: [UInt8], _ isNext: Bool) throws -> Void) throws -> Ending {
        var place = Int64(SealedFormat.headBytes)
        var (next, offset) = (0, Int64(0))
        while true {
            let start = try stored.read(at: place, count: SealedFormat.recordHeadBytes)
            if start.count < SealedFormat.recordHeadBytes { return .cutOff }
            guard let record = SealedRecord(start), record.index >= next, record.offset >= offset else { return .altered(next) }
            let bytes = try stored.read(at: place, count: Int(record.storedLength))
            if record.storedLength > Int64(bytes.count) { return .cutOff }
            let plain: [UInt8]
            do { plain = try record.open(bytes, head: head, key: key) } catch { return .altered(record.index) }
            if record.kind == .final { return record.index == next ? .final : .cutOff }
            try body(plain, record.index == next)
            place += record.storedLength
            (next, offset) = (record.index + 1, record.offset + Int64(record.length))
        }
    }

    // MARK: After a crash

    /// The records that may be believed in a file whose end may not have reached the disk: heads of records lie in the clear, and may be there
    /// without what belongs to them. The file counts up to the last record that can be decrypted. Gives the bytes of what is in it. Throws
    /// `dataLoss` when none can be.
    func settle() throws -> Int64 {
        let table = try state(upTo: .max).table
        var kept = table.count
        while kept > 0, try !isSound(kept - 1, table) { kept -= 1 }
        guard kept > 0 || table.count == 0 else { throw altered(0) }
        return try settle(at: kept)
    }

    /// The file counts up to a record.
    func settle(at record: Int) throws -> Int64 {
        var known = try state(upTo: .max)
        if record < known.table.count {
            known.table.cut(to: record)
            known.end = nil
        }
        known.isSettled = true
        state.withLock { $0 = known }
        return known.table.plainLength
    }

    private func isSound(_ record: Int, _ table: SealedTable) throws -> Bool {
        do {
            _ = try open(record, table)
            return true
        } catch let error as NVRError where error.kind == .dataLoss {
            return false
        }
    }

    /// The first record that could not be decrypted when somebody read it; nil when all could.
    var damagedRecord: Int? { damaged.withLock { $0 } }

    /// Where the file ends by its final record; nil without one.
    func storedEnd() throws -> Int64? { try state(upTo: .max).end }

    /// Bytes of the stored file up to what ends at an offset of the plain one, with its end when nothing is behind that. Throws `dataLoss`
    /// when no record ends there.
    func storedLength(upTo plain: Int64) throws -> Int64 {
        let known = try state(upTo: .max)
        if let end = known.end, plain == known.table.plainLength { return end }
        let count = known.table.records(upTo: plain)
        guard count == 0 ? plain == 0 : known.table.ends[count - 1] == plain else {
            throw NVRError(.dataLoss, "the encrypted file \(path) has other records than what is in it says")
        }
        return known.table.storedStart(count)
    }

    /// What a file that was cut behind an offset of the plain one ends with.
    func ending(at plain: Int64) throws -> [UInt8] {
        var table = try state(upTo: .max).table
        table.cut(to: table.records(upTo: plain))
        return try FootageSealer(continuing: head, fileKey: key).end(behind: table)
    }
}

extension FootageFile {
    /// For walking the boxes of the file.
    var boxes: FragmentedFile.Read {
        if let sealed = self as? SealedFile { return { try sealed.readPiece(at: $0, count: $1) } }
        return { try self.read(at: $0, count: $1) }
    }

    /// The file as it lies there, encrypted or not.
    package var asStored: any FootageFile { (self as? SealedFile)?.stored ?? self }

    /// Where whole fragments, or the head of the file, lie in it as it is stored.
    package func storedRange(ofFragments range: Range<Int64>) throws -> Range<Int64> {
        try (self as? SealedFile)?.storedRange(of: range) ?? range
    }
}
