import Foundation
import NVRBase
import NVRRecording
import Testing

/// A file in memory.
struct MemoryFile: FootageFile {
    var bytes: [UInt8]
    var path: String { "memory" }

    func length() throws -> Int64 { Int64(bytes.count) }

    func read(at offset: Int64, count: Int) throws -> [UInt8] {
        guard offset >= 0, count > 0, offset < Int64(bytes.count) else { return [] }
        return Array(bytes[Int(offset)..<min(bytes.count, Int(offset) + count)])
    }
}

/// How encrypted files lie, as the documentation tells it and not as the program does.
enum Sealed {
    static let head = 64
    static let recordHead = 32
    static let overhead = 48

    /// Where each record begins and how long it is.
    static func records(_ bytes: [UInt8]) -> [Range<Int>] {
        var (at, found) = (head, [Range<Int>]())
        while at + recordHead <= bytes.count {
            let length = bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
            let end = at + overhead + length
            guard length <= 1 << 20, end <= bytes.count else { break }
            found.append(at..<end)
            if bytes[at + 4] == 1 { break }
            at = end
        }
        return found
    }

    static func nonce(_ record: Range<Int>, _ bytes: [UInt8]) -> [UInt8] { Array(bytes[record.lowerBound + 20..<record.lowerBound + 32]) }
}

@Suite("Encrypted files")
struct SealedFileTests {
    static let key = (0..<32).map { UInt8($0) }
    static let otherKey = (0..<32).map { UInt8(200 - $0) }

    static func cipher(_ keys: [UInt8]...) throws -> FootageCipher { FootageCipher(keys: try FootageKeys(keys)) }

    static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var random = SeededGenerator(state: seed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
        return Array(bytes.prefix(count))
    }

    private static func all(_ file: any FootageFile) throws -> [UInt8] {
        let length = try file.length()
        return try file.read(at: 0, count: Int(length))
    }

    private static func isPrefix(_ bytes: [UInt8], of whole: [UInt8]) -> Bool { bytes.count <= whole.count && whole.starts(with: bytes) }

    // MARK: Keys

    @Test("keys are read as they are, in hexadecimal digits and in base 64, and the first is for new footage")
    func keys() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("keys").path
        func read(_ bytes: Data) throws -> FootageKeys {
            try bytes.write(to: URL(fileURLWithPath: path))
            return try FootageKeys.read(path)
        }
        let name = "4013bb832a8f2f643b642bf5a2f39596"
        let hex = Self.key.map { String(format: "%02X", $0) }.joined()
        let base = Data(Self.key).base64EncodedString()
        let other = Data(Self.otherKey).base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
        #expect(try read(Data(Self.key)).writing?.description == name)
        #expect(try read(Data(hex.utf8)).writing?.description == name)
        #expect(try read(Data("  \(base)\r\n\n".utf8)).writing?.description == name)
        let several = try read(Data("# of 2026\n\(base) # front door\n\(other.dropLast())\n\(hex)\n".utf8))
        #expect(several.writing?.description == name && several.ids.count == 2)
        #expect(try FootageKeys.parse("\(other),\(base)", from: "FOOTAGE_KEY").ids == several.ids)
        #expect(try FootageKeys.parse(FootageKeys.makeText(), from: "made").ids.count == 1)
        #expect("\(several)" == "2 keys of footage")
    }

    @Test(
        "what is no key is refused without being told",
        arguments: ["", "\n# nothing\n", "c2VjcmV0", "zz\(String(repeating: "0", count: 62))", "secret word"])
    func refusedKeys(text: String) throws {
        #expect {
            try FootageKeys.parse(text, from: "the file")
        } throws: { error in
            let error = error as? NVRError
            return error?.kind == .invalid && (text.isEmpty || !"\(error?.description ?? text)".contains(text))
        }
    }

    @Test("a file of keys that is not there is told by its name")
    func missingKeys() throws {
        #expect { try FootageKeys.read("/nowhere/keys") } throws: { error in
            (error as? NVRError)?.kind == .unavailable && "\(error)".contains("/nowhere/keys")
        }
        #expect { try FootageKeys.read("/dev/zero") } throws: { ($0 as? NVRError)?.kind == .invalid }
        #expect(throws: NVRError.self) { try FootageKeys([[1, 2, 3]]) }
    }

    // MARK: Reading

    @Test("any piece of an encrypted file is what was put in", arguments: [0, 1, 15, 4096, 1 << 20 - 1, 1 << 20, 1 << 20 + 1, 5 << 19 + 7])
    func pieces(count: Int) throws {
        let (cipher, plain) = (try Self.cipher(Self.key), Self.noise(count))
        let stored = try cipher.stored(picture: plain)
        let file = try cipher.open(MemoryFile(bytes: stored))
        #expect(file is SealedFile)
        #expect(try file.length() == Int64(count))
        #expect(try Self.all(file) == plain)
        var random = SeededGenerator(state: UInt64(count))
        for _ in 0..<100 {
            let from = Int.random(in: 0...count + 3, using: &random)
            let length = Int.random(in: 0...min(count + 3, 300_000), using: &random)
            let expected = from < count ? Array(plain[from..<min(count, from + length)]) : []
            #expect(try file.read(at: Int64(from), count: length) == expected)
        }
        #expect(try file.read(at: .max, count: .max).isEmpty)
        #expect(try file.read(at: -1, count: 10).isEmpty)
        if count > 0 { #expect(try file.read(at: 0, count: .max) == plain) }
        #expect(stored.count == 64 + count + 48 * ((count + (1 << 20) - 1) >> 20) + 48 + 4 * ((count + (1 << 20) - 1) >> 20) + 16)
    }

    @Test("nothing of what is in a file is seen in it, and no two files are alike")
    func cipherText() throws {
        let cipher = try Self.cipher(Self.key)
        let plain = [UInt8](repeating: 0x41, count: 100_000)
        let (one, other) = (try cipher.stored(picture: plain), try cipher.stored(picture: plain))
        #expect(one != other && one.count == other.count)
        #expect(Set(one[200..<100_000]).count == 256)
        #expect(!one.contains { _ in false } && Data(one).range(of: Data(repeating: 0x41, count: 8)) == nil)
        #expect(Data(one).range(of: Data(Self.key)) == nil)
    }

    @Test("files in the clear are read as they are, and new ones stay so without a key")
    func clear() throws {
        let plain = Self.noise(1000)
        for cipher in [FootageCipher(), try Self.cipher(Self.key)] {
            let file = try cipher.open(MemoryFile(bytes: plain))
            #expect(!(file is SealedFile))
            #expect(try Self.all(file) == plain)
            #expect(try !cipher.isLocked(file))
            for short in [0, 1, 63] { #expect(try cipher.open(MemoryFile(bytes: Array(plain.prefix(short)))).length() == Int64(short)) }
        }
        #expect(try FootageCipher().stored(picture: plain) == plain)
    }

    @Test("older keys open what they encrypted; without its key a file says which one it needs")
    func otherKeys() throws {
        let plain = Self.noise(500)
        let (old, new) = (try Self.cipher(Self.otherKey), try Self.cipher(Self.key, Self.otherKey))
        let stored = MemoryFile(bytes: try old.stored(picture: plain))
        #expect(try Self.all(new.open(stored)) == plain)
        let fresh = MemoryFile(bytes: try new.stored(picture: plain))
        #expect(try FootageCipher.keyID(of: fresh) == new.keys.writing)
        #expect(try FootageCipher.keyID(of: MemoryFile(bytes: plain)) == nil)
        for cipher in [old, FootageCipher()] {
            #expect(try cipher.isLocked(fresh))
            #expect { try cipher.open(fresh) } throws: { error in
                let error = error as? NVRError
                return error?.kind == .unavailable && error?.message.contains(new.keys.writing?.description ?? "-") == true
            }
        }
    }

    // MARK: What others do to files

    @Test("a byte that was changed is never taken for footage")
    func tampered() throws {
        let (cipher, plain) = (try Self.cipher(Self.key), Self.noise(300))
        let stored = try cipher.stored(picture: plain)
        for position in 8..<stored.count {
            var bytes = stored
            bytes[position] ^= 0x10
            do {
                let file = try cipher.open(MemoryFile(bytes: bytes))
                #expect(Self.isPrefix(try Self.all(file), of: plain), "byte \(position)")
                if (64 + 32..<64 + 48 + 300).contains(position) { Issue.record("byte \(position) was not missed") }
            } catch let error as NVRError {
                #expect(error.kind == .dataLoss || error.kind == .unavailable, "byte \(position): \(error)")
            }
        }
    }

    @Test("records that change places, or come from another file of the same key, are found")
    func reordered() throws {
        let cipher = try Self.cipher(Self.key)
        let plain = Self.noise(4 << 20)
        let (stored, other) = (try cipher.stored(picture: plain), try cipher.stored(picture: plain))
        let records = Sealed.records(stored)
        #expect(records.count == 5 && records[1].count == records[2].count)
        var swapped = stored
        swapped.replaceSubrange(records[1], with: stored[records[2]])
        swapped.replaceSubrange(records[2], with: stored[records[1]])
        var mixed = stored
        mixed.replaceSubrange(records[1], with: other[records[1]])
        for bytes in [swapped, mixed] {
            let file = try cipher.open(MemoryFile(bytes: bytes))
            #expect(try file.read(at: 0, count: 1 << 20) == Array(plain[..<(1 << 20)]))
            #expect { try file.read(at: 1 << 20, count: 10) } throws: { ($0 as? NVRError)?.kind == .dataLoss }
            #expect(try file.read(at: 3 << 20, count: 100) == Array(plain[3 << 20..<3 << 20 + 100]))
            #expect(throws: NVRError.self) { try (file as? SealedFile)?.verify() }
        }
        var shortened = stored
        shortened.removeSubrange(records[1])
        let file = try cipher.open(MemoryFile(bytes: shortened))
        #expect(try file.length() == 1 << 20)
        #expect(try (file as? SealedFile)?.isEnded() == false)
    }

    @Test("a file that was cut off holds its whole records, and is told from a whole one")
    func cutOff() throws {
        let (cipher, plain) = (try Self.cipher(Self.key), Self.noise(3 << 20))
        let stored = try cipher.stored(picture: plain)
        let records = Sealed.records(stored)
        #expect(records.count == 4)
        var lengths = records.flatMap { [$0.lowerBound, $0.lowerBound + 1, $0.lowerBound + 33, $0.upperBound - 1, $0.upperBound] }
        lengths += [64, 65, stored.count - 1, stored.count - 15]
        for length in lengths {
            let file = try cipher.open(MemoryFile(bytes: Array(stored.prefix(length))))
            let whole = records.prefix(3).count { $0.upperBound <= length }
            #expect(try file.length() == Int64(whole) << 20, "\(length)")
            #expect(try (file as? SealedFile)?.isEnded() == false)
            if whole > 0 { #expect(try file.read(at: Int64(whole) << 20 - 5, count: 100) == Array(plain[whole << 20 - 5..<whole << 20])) }
        }
        #expect(try (cipher.open(MemoryFile(bytes: stored)) as? SealedFile)?.isEnded() == true)
    }

    @Test("no file makes the reader stumble", arguments: 0..<40)
    func hostile(seed: Int) throws {
        let (cipher, plain) = (try Self.cipher(Self.key), Self.noise(2000))
        let stored = try cipher.stored(picture: plain)
        var random = SeededGenerator(state: UInt64(seed) &* 77 &+ 5)
        for _ in 0..<50 {
            var bytes = stored
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    bytes[Int.random(in: 48..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
                }
            case 1: bytes = Array(bytes.prefix(64)) + Self.noise(Int.random(in: 0...5000, using: &random), seed: random.next())
            case 2:
                bytes.insert(
                    contentsOf: Self.noise(Int.random(in: 1...50, using: &random), seed: random.next()),
                    at: Int.random(in: 64..<bytes.count, using: &random))
            case 3:
                // Lengths and numbers at their limits.
                let field = [64, 72, 76, stored.count - 16].randomElement(using: &random) ?? 64
                for index in 0..<4 { bytes[field + index] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0 }
            default: bytes.removeSubrange(64..<Int.random(in: 65..<bytes.count, using: &random))
            }
            do {
                let file = try cipher.open(MemoryFile(bytes: bytes))
                #expect(Self.isPrefix(try Self.all(file), of: plain))
                try (file as? SealedFile)?.verify()
            } catch is NVRError {
                continue
            }
        }
    }

    @Test("pictures in the cache are encrypted with the others, and are made anew without the key")
    func cachedPictures() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cache-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let picture = Self.noise(5000)
        let cache = PictureCache(folder: folder.path, budget: 1 << 20, cipher: try Self.cipher(Self.key))
        try cache.store(picture, as: "a")
        #expect(cache.read("a") == picture)
        let stored = try Data(contentsOf: folder.appendingPathComponent("a.jpg"))
        #expect(stored.range(of: Data(picture[100..<200])) == nil)
        let without = PictureCache(folder: folder.path, budget: 1 << 20)
        #expect(without.read("a") == nil)
        try without.store(picture, as: "a")
        #expect(without.read("a") == picture)
        // In the clear, from before there was a key.
        #expect(PictureCache(folder: folder.path, budget: 1 << 20, cipher: try Self.cipher(Self.key)).read("a") == nil)
    }
}
