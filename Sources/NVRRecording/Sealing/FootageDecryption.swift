#if canImport(Glibc)
    import Glibc
#endif
import NVRBase

/// Makes plain files of encrypted ones, without a database. Blocks.
package enum FootageDecryption {
    /// What became of a file.
    package struct Report: Sendable {
        /// Of the plain file.
        package var bytes: Int64 = 0
        /// Something in it was altered or is missing within.
        package var isDamaged = false
        /// What a person should know of it.
        package var note: String?
    }

    package static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Footage below a folder, by paths from there, in order.
    package static func files(below root: String) -> [String] {
        var (folders, files): ([String], [String]) = ([""], [])
        while let folder = folders.popLast() {
            let content = FolderContent(root, folder)
            folders += content.folders
            files += content.files.filter { $0.hasSuffix(".mp4") || $0.hasSuffix(".jpg") }
        }
        return files.sorted()
    }

    /// Decrypts a file to another place, record by record; pieces of footage that lack records in between are taken, too. Throws `conflict` for
    /// a file in the clear, `unavailable` when its key is not there, and what the files say.
    package static func write(_ source: String, to target: String, _ cipher: FootageCipher, replacing: Bool) throws -> Report {
        let stored = try POSIXFile.openExisting(source)
        guard let sealed = try cipher.sealed(stored) else { throw NVRError(.conflict, "it is not encrypted") }
        if let folder = POSIXFile.parent(of: target) { try POSIXFile.makeDirectories(folder) }
        let draft = target + ".part"
        try POSIXFile.remove(draft)
        if !replacing, POSIXFile.exists(target) { throw FileError(operation: "make", path: target, code: EEXIST) }
        let output = try POSIXFile.create(draft)
        do {
            let report = try copy(sealed, to: output)
            guard report.bytes > 0 else { throw NVRError(.dataLoss, "nothing of it can be decrypted") }
            try output.sync()
            try POSIXFile.rename(draft, to: target)
            return report
        } catch {
            try POSIXFile.remove(draft)
            throw error
        }
    }

    private static func copy(_ sealed: SealedFile, to output: POSIXFile) throws -> Report {
        var report = Report()
        var isPiece = false
        let ending = try sealed.forEachRecord { bytes, isNext in
            isPiece = isPiece || !isNext
            try bytes.withUnsafeBytes { try output.write([$0], at: report.bytes) }
            report.bytes += Int64(bytes.count)
        }
        switch ending {
        case .final: report.note = isPiece ? "some of it is missing in between" : nil
        case .cutOff: report.note = isPiece ? "a piece of a file" : "it was being written, or is cut off"
        case .altered(let record): (report.isDamaged, report.note) = (true, "altered or damaged from record \(record) on")
        }
        return report
    }
}
