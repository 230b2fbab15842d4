import Crypto
import FoundationEssentials
import NVRBase
import Synchronization

/// Encrypts what is written into one file. No nonce is ever used twice with a file's key: the writer of a new file counts every record that it
/// makes, also those whose write fails and is tried again, and who ends a file that a crash left draws the nonce at random from the other half
/// of all nonces.
final class FootageSealer: Sendable {
    let head: SealedHead
    private let key: SymmetricKey
    /// Records made so far; nil draws nonces.
    private let counter: Mutex<UInt64?>

    /// For a new file.
    init(content: SealedHead.Content, key id: FootageKeyID, _ key: SymmetricKey) {
        head = SealedHead(content: content, key: id)
        self.key = head.fileKey(key)
        counter = Mutex(0)
    }

    /// For the end of a file that is there. `fileKey`: of that file.
    init(continuing head: SealedHead, fileKey: SymmetricKey) {
        self.head = head
        key = fileKey
        counter = Mutex(nil)
    }

    private func nonce() -> [UInt8] {
        counter.withLock { counter in
            var bytes: [UInt8] = []
            if let count = counter {
                SealedFormat.put(0, 4, into: &bytes)
                SealedFormat.put(count, 8, into: &bytes)
                counter = count + 1
            } else {
                var generator = SystemRandomNumberGenerator()
                SealedFormat.put(generator.next() | 1 << 63, 8, into: &bytes)
                SealedFormat.put(generator.next(), 4, into: &bytes)
            }
            return bytes
        }
    }

    /// A record as it lies in the file.
    private func record(_ plain: some DataProtocol, kind: SealedRecord.Kind, index: Int, offset: Int64, into bytes: inout [UInt8]) throws {
        let record = SealedRecord(length: plain.count, kind: kind, index: index, offset: offset, nonce: nonce())
        let recordHead = record.bytes
        do {
            let box = try AES.GCM.seal(
                plain, using: key, nonce: AES.GCM.Nonce(data: record.nonce), authenticating: head.bytes + recordHead)
            bytes += recordHead
            bytes += box.ciphertext
            bytes += box.tag
        } catch {
            throw NVRError(.internalFault, "footage could not be encrypted", underlying: error)
        }
    }

    /// Records of some bytes, as many as it takes, behind those of `table`, which learns of them.
    func records(_ plain: [UInt8], behind table: inout SealedTable) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(plain.count + SealedFormat.overhead * (1 + plain.count / SealedFormat.mostPlain))
        var at = 0
        while at < plain.count {
            let end = min(plain.count, at + SealedFormat.mostPlain)
            guard table.count < SealedFormat.mostRecords else { throw NVRError(.exhausted, "the file has too many records") }
            try record(plain[at..<end], kind: .data, index: table.count, offset: table.plainLength, into: &bytes)
            table.append(end - at)
            at = end
        }
        return bytes
    }

    /// What ends a file.
    func end(behind table: SealedTable) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try record(table.packed, kind: .final, index: table.count, offset: table.plainLength, into: &bytes)
        let length = bytes.count
        SealedFormat.put(UInt64(length), 4, into: &bytes)
        SealedFormat.put(0, 4, into: &bytes)
        return bytes + SealedFormat.endMagic
    }

    /// A whole file.
    func file(_ plain: [UInt8]) throws -> [UInt8] {
        var table = SealedTable()
        let records = try records(plain, behind: &table)
        return head.bytes + records + (try end(behind: table))
    }
}
