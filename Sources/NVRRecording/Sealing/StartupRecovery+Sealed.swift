import ISOBMFF
import NVRBase

extension StartupRecovery.Scan {
    /// Reads an encrypted file of `length` bytes up to its first fragment whose boxes are not what was written, in a file that was written by a
    /// program that ended in between.
    init(_ sealed: SealedFile, length: Int64) throws {
        var plain: Int64
        do { plain = try sealed.settle() } catch let error as NVRError where error.kind == .dataLoss {
            throw ISOBMFFError.malformed("encrypted file")
        }
        while true {
            do {
                let file = try FragmentedFile(length: plain, read: sealed.boxes)
                self.init(file: file, length: length, kept: try sealed.storedLength(upTo: file.completeLength), sealed: sealed)
                return
            } catch ISOBMFFError.unreadable(let why) {
                guard let damaged = sealed.damagedRecord, damaged > 0 else {
                    throw ISOBMFFError.unreadable(why)
                }
                let rest = try sealed.settle(at: damaged)
                guard rest < plain else { throw ISOBMFFError.unreadable(why) }
                plain = rest
            }
        }
    }

    /// Cuts the file behind its last whole fragment, and ends an encrypted one there, so that it is told from one that is cut off later. Space
    /// that was reserved behind it is given back. Gives the bytes of the file then.
    func cut(_ path: String) throws -> Int64 {
        let isWithoutEnd = try sealed.map { try $0.storedEnd() != kept } ?? false
        let isTooLong = length > kept || POSIXFile.hasSpaceBehind(path)
        guard isTooLong || isWithoutEnd else { return kept }
        let file = try POSIXFile.openExisting(path, writing: true)
        if isTooLong { try file.truncate(to: kept) }
        var bytes = kept
        if isWithoutEnd, let sealed {
            let end = try sealed.ending(at: self.file.completeLength)
            do {
                try end.withUnsafeBytes { try file.write([$0], at: kept) }
                bytes += Int64(end.count)
            } catch let error as FileError where error.isFull {
                // Reading does without.
                try file.truncate(to: kept)
            }
        }
        try file.sync()
        return bytes
    }
}
