/// Archives in the ustar format of POSIX.1-1988 (IEEE Std 1003.1, "pax", ustar Interchange Format), in memory: read with a distrust
/// that suits files from strangers, written so that every tar reads them. Nothing here touches a disk. Pure.
package enum TarArchive {
    /// A regular file of an archive.
    package struct Entry: Sendable, Equatable {
        /// Relative, `/`-separated; never `.`, `..` or empty in any part.
        package var name: String
        package var bytes: [UInt8]

        package init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// What one archive may hold.
    package struct Limits: Sendable {
        /// Headers of every kind.
        package var headers: Int
        package var entryBytes: Int

        package init(headers: Int = 4096, entryBytes: Int = 1 << 20) {
            self.headers = headers
            self.entryBytes = entryBytes
        }
    }

    private static let block = 512
    /// Bytes of the extended headers of one file.
    private static let mostExtension = 16 << 10
    /// Keywords of pax headers that say nothing about what is in a file or where it lies.
    private static let harmlessKeywords: Set<Substring> = [
        "atime", "charset", "comment", "ctime", "gid", "gname", "hdrcharset", "mtime", "uid", "uname", "LIBARCHIVE.creationtime",
    ]

    /// Whether a file begins with a header of a tar archive.
    package static func isArchive(_ bytes: [UInt8]) -> Bool {
        bytes.count >= block && bytes[257..<262].elementsEqual("ustar".utf8) && hasGoodChecksum(bytes[..<block])
    }

    // MARK: Reading

    /// The regular files of an archive, in its order. Throws `invalid` for everything that is not plainly a list of files: links,
    /// devices, sparse files, names that climb or begin with `/`, a broken checksum, an end in the middle, and for more than the
    /// limits allow.
    package static func read(_ bytes: [UInt8], limits: Limits = Limits()) throws(NVRError) -> [Entry] {
        var entries: [Entry] = []
        var place = 0
        var headers = 0
        var longName: String?
        while place < bytes.count {
            guard place + block <= bytes.count else { throw refusal("it ends in the middle of a header") }
            let header = bytes[place..<place + block]
            // Two blocks of zeros end an archive; one is taken for it, too.
            if header.allSatisfy({ $0 == 0 }) { return entries }
            headers += 1
            guard headers <= limits.headers else { throw refusal("it has more than \(limits.headers) entries") }
            guard hasGoodChecksum(header) else { throw refusal("a header is damaged") }
            let kind = header[place + 156]
            guard let size = number(header[place + 124..<place + 136]) else { throw refusal("the size of an entry cannot be read") }
            let most = [UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L")].contains(kind) ? mostExtension : limits.entryBytes
            guard size <= most else { throw refusal("an entry is larger than \(most) bytes") }
            let padded = (size + block - 1) / block * block
            guard padded <= bytes.count - place - block else { throw refusal("it ends in the middle of a file") }
            let content = bytes[place + block..<place + block + size]
            place += block + padded
            switch kind {
            case UInt8(ascii: "0"), 0:
                let name = try safe(longName ?? name(of: header))
                longName = nil
                // Archives older than ustar mark folders by the end of their names only.
                if !name.isEmpty { entries.append(Entry(name: name, bytes: Array(content))) }
            case UInt8(ascii: "5"):
                guard size == 0 else { throw refusal("a folder holds bytes") }
                _ = try safe(longName ?? name(of: header))
                longName = nil
            case UInt8(ascii: "x"): longName = try path(inExtension: content) ?? longName
            case UInt8(ascii: "g"):
                guard try path(inExtension: content) == nil else { throw refusal("a global header names a path") }
            case UInt8(ascii: "L"): longName = text(content.prefix { $0 != 0 })
            case UInt8(ascii: "1"), UInt8(ascii: "2"), UInt8(ascii: "K"): throw refusal("links are not accepted")
            case UInt8(ascii: "3"), UInt8(ascii: "4"), UInt8(ascii: "6"): throw refusal("devices and pipes are not accepted")
            default: throw refusal("sparse files and other special entries are not accepted")
            }
        }
        guard headers > 0 else { throw refusal("it is empty") }
        return entries
    }

    private static func refusal(_ reason: String) -> NVRError { NVRError(.invalid, "The tar archive is refused: \(reason)") }

    /// The name as a safe relative path; empty for a folder's own entry.
    private static func safe(_ name: String) throws(NVRError) -> String {
        guard !name.isEmpty, name.utf8.count <= 1024, !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0 == "\\" || $0.value == 0x7F })
        else { throw refusal("an entry has no usable name") }
        guard !name.hasPrefix("/") else { throw refusal("a name begins with '/'") }
        var parts = name.split(separator: "/", omittingEmptySubsequences: false)
        // `./` is how `tar -C folder .` begins every name.
        if parts.first == "." { parts.removeFirst() }
        let isFolder = name.hasSuffix("/")
        guard isFolder || !parts.isEmpty else { throw refusal("an entry has no usable name") }
        if isFolder, !parts.isEmpty { parts.removeLast() }
        guard !parts.contains(where: { $0 == ".." || $0 == "." || $0.isEmpty }) else { throw refusal("a name leads out of the archive") }
        return isFolder ? "" : parts.joined(separator: "/")
    }

    private static func name(of header: ArraySlice<UInt8>) -> String {
        let start = header.startIndex
        let name = text(header[start..<start + 100].prefix { $0 != 0 })
        // GNU's own format has other things in the place of the prefix.
        guard header[start + 257..<start + 263].elementsEqual("ustar\0".utf8) else { return name }
        let prefix = text(header[start + 345..<start + 500].prefix { $0 != 0 })
        return prefix.isEmpty ? name : prefix + "/" + name
    }

    /// The `path` of a pax extended header: records of `length keyword=value\n`.
    private static func path(inExtension bytes: ArraySlice<UInt8>) throws(NVRError) -> String? {
        var path: String?
        var rest = bytes
        while let first = rest.first, first != 0 {
            guard let space = rest.prefix(10).firstIndex(of: UInt8(ascii: " ")), let length = Int(text(rest[rest.startIndex..<space])),
                length > space - rest.startIndex + 2, length <= rest.count, rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
            else { throw refusal("an extended header is damaged") }
            let record = text(rest[space + 1..<rest.startIndex + length - 1])
            rest = rest.dropFirst(length)
            guard let equals = record.firstIndex(of: "=") else { throw refusal("an extended header is damaged") }
            let keyword = record[..<equals]
            if keyword == "path" {
                path = String(record[record.index(after: equals)...])
            } else if !harmlessKeywords.contains(keyword), !keyword.hasPrefix("SCHILY.xattr."), !keyword.hasPrefix("LIBARCHIVE.xattr.") {
                throw refusal("the extended header '\(keyword.prefix(40))' is not accepted")
            }
        }
        return path
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    /// Octal digits between spaces and NULs; GNU's binary numbers are for files far beyond any limit here.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
        guard !digits.isEmpty, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 << 3 | Int($1 - UInt8(ascii: "0")) }
    }

    /// The sum of all bytes, those of the field itself taken for spaces; old programs added signed bytes.
    private static func hasGoodChecksum(_ header: ArraySlice<UInt8>) -> Bool {
        let start = header.startIndex
        guard let stored = number(header[start + 148..<start + 156]) else { return false }
        var unsigned = 0
        var signed = 0
        for place in header.indices {
            let byte = (start + 148..<start + 156).contains(place) ? UInt8(ascii: " ") : header[place]
            unsigned += Int(byte)
            signed += Int(Int8(bitPattern: byte))
        }
        return stored == unsigned || stored == signed
    }

    // MARK: Writing

    /// An archive of regular files with mode 0600. Names longer than 100 bytes are cut at their ends.
    ///
    /// - Parameter modified: seconds since 1970 UTC.
    package static func write(_ entries: [Entry], modified: Int64) -> [UInt8] {
        var out: [UInt8] = []
        for entry in entries {
            var header = [UInt8](repeating: 0, count: block)
            func put(_ text: String, _ place: Int, _ most: Int) {
                for (offset, byte) in text.utf8.prefix(most).enumerated() { header[place + offset] = byte }
            }
            func octal(_ value: Int64, _ digits: Int) -> String {
                let text = String(max(0, value), radix: 8)
                return String(repeating: "0", count: max(0, digits - text.count)) + text.suffix(digits)
            }
            put(entry.name, 0, 100)
            put(octal(0o600, 7), 100, 7)
            put(octal(0, 7), 108, 7)
            put(octal(0, 7), 116, 7)
            put(octal(Int64(entry.bytes.count), 11), 124, 11)
            put(octal(modified, 11), 136, 11)
            put("        ", 148, 8)
            put("0", 156, 1)
            put("ustar\0" + "00", 257, 8)
            let sum = header.reduce(0) { $0 + Int64($1) }
            put(octal(sum, 6) + "\0 ", 148, 8)
            out += header
            out += entry.bytes
            out += [UInt8](repeating: 0, count: (block - entry.bytes.count % block) % block)
        }
        return out + [UInt8](repeating: 0, count: 2 * block)
    }
}
