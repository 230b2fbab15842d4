#if canImport(Glibc)
    import Glibc
#endif

/// The files of a `LogFile` at one moment, held open, so that a rotation meanwhile takes nothing away. Calls block.
package final class LogArchive: Sendable {
    private struct Part: Sendable {
        let descriptor: Int32
        /// Where it begins in the whole.
        let begin: Int64
        let length: Int64
    }

    /// Oldest first.
    private let parts: [Part]
    /// Bytes of all files.
    package let length: Int64

    /// Opens what is there; a folder without logs is an archive without bytes.
    package init(folder: String) {
        var parts: [Part] = []
        var length: Int64 = 0
        var seen: Set<UInt64> = []
        for number in LogFile.backups(in: folder).sorted(by: >) + [0] {
            let descriptor = open(LogFile.path(folder, number), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { continue }
            var status = stat()
            // A file that was renamed since the folder was read is met twice.
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, seen.insert(UInt64(status.st_ino)).inserted else {
                close(descriptor)
                continue
            }
            parts.append(Part(descriptor: descriptor, begin: length, length: Int64(status.st_size)))
            length += Int64(status.st_size)
        }
        self.parts = parts
        self.length = length
    }

    deinit { for part in parts { close(part.descriptor) } }

    /// At most `count` bytes from `offset` on; fewer only at the end.
    package func read(at offset: Int64, count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let end = min(length, offset + Int64(count))
        for part in parts where part.begin < end && part.begin + part.length > offset {
            let from = max(offset, part.begin) - part.begin
            let wanted = Int(min(end, part.begin + part.length) - part.begin - from)
            var piece = [UInt8](repeating: 0, count: wanted)
            var filled = 0
            while filled < wanted {
                let read = piece.withUnsafeMutableBytes {
                    pread(part.descriptor, $0.baseAddress?.advanced(by: filled), wanted - filled, off_t(from) + off_t(filled))
                }
                guard read > 0 else { throw NVRError(.unavailable, "a log file cannot be read") }
                filled += read
            }
            bytes += piece
        }
        return bytes
    }

    /// Bytes that `tail` reads at most.
    package static let farthest: Int64 = 32 << 20
    private static let block: Int64 = 64 << 10

    /// The last lines that `matches` lets through, oldest first. Reads backwards and not for ever: what lies farther back than
    /// `farthest` bytes is not found.
    package func tail(_ lines: Int, matching matches: (Substring) -> Bool) throws -> [String] {
        var found: [String] = []
        var carried: [UInt8] = []
        var offset = length
        let limit = max(0, length - Self.farthest)
        while offset > limit, found.count < lines {
            let start = max(limit, offset - Self.block)
            var bytes = try read(at: start, count: Int(offset - start)) + carried
            offset = start
            if start > limit {
                // What stands before the first end of a line goes on in the block before.
                let cut = bytes.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
                carried = Array(bytes[..<cut])
                bytes.removeFirst(cut)
            }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").reversed() where matches(line) {
                found.append(String(line))
                if found.count == lines { break }
            }
        }
        return found.reversed()
    }
}
