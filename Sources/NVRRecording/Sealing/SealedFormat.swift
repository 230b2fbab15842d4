import Crypto
import FoundationEssentials

/// How an encrypted file of footage lies on the disk (`docs/STORAGE.md`, Encrypted footage): a head, records one behind another, and once the
/// file is whole a final record with a trailer. All numbers are big-endian.
enum SealedFormat {
    static let magic: [UInt8] = [0x89, 0x56, 0x4E, 0x56, 0x52, 0x53, 0x45, 0x0A]
    static let endMagic: [UInt8] = [0x89, 0x56, 0x4E, 0x56, 0x52, 0x45, 0x4E, 0x44]
    static let version: UInt16 = 1
    /// Bytes of the head.
    static let headBytes = 64
    /// Bytes before the cipher text of a record.
    static let recordHeadBytes = 32
    static let tagBytes = 16
    static let nonceBytes = 12
    /// Bytes of a record besides what is in it.
    static let overhead = recordHeadBytes + tagBytes
    static let trailerBytes = 16
    /// Bytes in one record at most.
    static let mostPlain = 1 << 20
    /// Records in a file at most: weeks of footage. It bounds memory.
    static let mostRecords = 1 << 21
    /// Records whose lengths the final one tells; of more it tells none, and they are walked through.
    static let mostTold = mostPlain / 4

    static func put(_ value: UInt64, _ count: Int, into bytes: inout [UInt8]) {
        for shift in stride(from: (count - 1) * 8, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }

    static func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> UInt64 { bytes[at..<at + count].reduce(0) { $0 << 8 | UInt64($1) } }
}

/// The head of an encrypted file.
struct SealedHead: Sendable, Equatable {
    /// What is in the file; raw values are stored.
    enum Content: UInt16, Sendable {
        case segment = 1
        case picture = 2
    }

    /// As it lies in the file, 64 bytes.
    let bytes: [UInt8]

    var content: Content? { Content(rawValue: UInt16(SealedFormat.number(bytes, 10, 2))) }
    var keyID: FootageKeyID { FootageKeyID(bytes: bytes[16..<32]) }

    /// With a fresh salt.
    init(content: Content, key: FootageKeyID) {
        var bytes = SealedFormat.magic
        SealedFormat.put(UInt64(SealedFormat.version), 2, into: &bytes)
        SealedFormat.put(UInt64(content.rawValue), 2, into: &bytes)
        SealedFormat.put(0, 4, into: &bytes)
        bytes += key.bytes
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<4 { SealedFormat.put(generator.next(), 8, into: &bytes) }
        self.bytes = bytes
    }

    /// Nil for what begins otherwise: a file in the clear, or none of ours.
    init?(bytes: [UInt8]) {
        guard bytes.count == SealedFormat.headBytes, bytes.starts(with: SealedFormat.magic) else { return nil }
        self.bytes = bytes
    }

    var isKnownVersion: Bool { SealedFormat.number(bytes, 8, 2) == UInt64(SealedFormat.version) }

    /// The key of this file alone: HKDF (RFC 5869) of the owner's key with the file's salt.
    func fileKey(_ key: SymmetricKey) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: key, salt: Data(bytes[32..<64]), info: Data("vibenvr footage file".utf8) + Data(bytes[..<32]), outputByteCount: 32)
    }
}

/// The head of a record. With the head of the file before it, it is what the record's tag authenticates besides the cipher text.
struct SealedRecord: Sendable, Equatable {
    enum Kind: UInt8, Sendable {
        case data = 0
        /// Nothing follows; the lengths of all records are in it.
        case final = 1
    }

    /// Bytes in the record.
    var length: Int
    var kind: Kind
    /// Its place among the records of the file, from 0.
    var index: Int
    /// Where what is in it begins in the plain file, bytes.
    var offset: Int64
    var nonce: [UInt8]

    /// Bytes of the whole record in the file.
    var storedLength: Int64 { Int64(SealedFormat.overhead + length) }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(SealedFormat.recordHeadBytes)
        SealedFormat.put(UInt64(length), 4, into: &bytes)
        bytes += [kind.rawValue, 0, 0, 0]
        SealedFormat.put(UInt64(index), 4, into: &bytes)
        SealedFormat.put(UInt64(offset), 8, into: &bytes)
        return bytes + nonce
    }

    init(length: Int, kind: Kind, index: Int, offset: Int64, nonce: [UInt8]) {
        self.length = length
        self.kind = kind
        self.index = index
        self.offset = offset
        self.nonce = nonce
    }

    /// Nil for bytes that cannot be a record's head.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= SealedFormat.recordHeadBytes, let kind = Kind(rawValue: bytes[4]), bytes[5] == 0, bytes[6] == 0, bytes[7] == 0 else {
            return nil
        }
        let (length, index, offset) = (
            SealedFormat.number(bytes, 0, 4), SealedFormat.number(bytes, 8, 4), SealedFormat.number(bytes, 12, 8)
        )
        guard length <= UInt64(SealedFormat.mostPlain), kind == .final || length > 0, index <= UInt64(SealedFormat.mostRecords), offset < 1 << 60
        else { return nil }
        self.init(
            length: Int(length), kind: kind, index: Int(index), offset: Int64(offset),
            nonce: Array(bytes[20..<SealedFormat.recordHeadBytes]))
    }

    /// What is in the record whose bytes begin with this head. Throws what the cipher says of bytes that are not its own.
    func open(_ bytes: [UInt8], head: SealedHead, key: SymmetricKey) throws -> [UInt8] {
        let (first, end) = (SealedFormat.recordHeadBytes, SealedFormat.recordHeadBytes + length)
        guard bytes.count >= end + SealedFormat.tagBytes else { throw CryptoKitError.incorrectParameterSize }
        let box = try AES.GCM.SealedBox(
            nonce: AES.GCM.Nonce(data: nonce), ciphertext: bytes[first..<end], tag: bytes[end..<end + SealedFormat.tagBytes])
        return [UInt8](try AES.GCM.open(box, using: key, authenticating: head.bytes + self.bytes))
    }
}

/// Where the records of a file lie, by their lengths.
struct SealedTable: Sendable {
    /// Where what is in each ends in the plain file.
    private(set) var ends: [Int64] = []

    var count: Int { ends.count }
    /// Bytes in all records.
    var plainLength: Int64 { ends.last ?? 0 }
    /// Bytes of the file up to the end of the last record.
    var storedLength: Int64 { storedStart(ends.count) }

    func start(_ record: Int) -> Int64 { record == 0 ? 0 : ends[record - 1] }
    func length(_ record: Int) -> Int { Int(ends[record] - start(record)) }
    /// Where a record begins in the file; `count`: where the next would.
    func storedStart(_ record: Int) -> Int64 { Int64(SealedFormat.headBytes) + start(record) + Int64(record) * Int64(SealedFormat.overhead) }

    /// The record that holds a byte of the plain file; nil behind the last.
    func record(at offset: Int64) -> Int? {
        guard offset >= 0, offset < plainLength else { return nil }
        var (low, high) = (0, ends.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// How many records end at or before an offset of the plain file.
    func records(upTo offset: Int64) -> Int { record(at: offset) ?? (offset < 0 ? 0 : ends.count) }

    mutating func append(_ length: Int) { ends.append(plainLength + Int64(length)) }

    /// Forgets the records from a number on.
    mutating func cut(to count: Int) { ends.removeLast(max(0, ends.count - count)) }

    /// The lengths as the final record has them: 4 bytes each; nothing when there are too many.
    var packed: [UInt8] {
        guard count <= SealedFormat.mostTold else { return [] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * count)
        for record in 0..<count { SealedFormat.put(UInt64(length(record)), 4, into: &bytes) }
        return bytes
    }

    init() {}

    /// Nil when the bytes are no lengths of records.
    init?(packed bytes: [UInt8]) {
        guard bytes.count % 4 == 0, bytes.count / 4 <= SealedFormat.mostTold else { return nil }
        ends.reserveCapacity(bytes.count / 4)
        for at in stride(from: 0, to: bytes.count, by: 4) {
            let length = SealedFormat.number(bytes, at, 4)
            guard length > 0, length <= UInt64(SealedFormat.mostPlain) else { return nil }
            append(Int(length))
        }
    }
}
