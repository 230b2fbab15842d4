import Crypto
import FoundationEssentials
import NVRBase

#if canImport(Glibc)
    import Glibc
#endif

/// Names a key of footage without telling anything of it: 16 bytes derived from the key. It stands in the head of every encrypted file.
package struct FootageKeyID: Sendable, Hashable, CustomStringConvertible {
    static let byteCount = 16
    let bytes: [UInt8]

    /// `bytes`: 16.
    init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// 32 hexadecimal digits.
    package var description: String { Hexadecimal.text(bytes) }
}

/// The keys that footage is encrypted with (AES-256, 32 bytes each): new files take the first, and files of all of them are read. Its
/// description tells no key.
package struct FootageKeys: Sendable, CustomStringConvertible {
    package static let keyBytes = 32
    /// Keys that may be given at most.
    static let most = 64
    private static let largestFile = 16 << 10

    /// New footage is encrypted with it; nil leaves it in the clear.
    package let writing: FootageKeyID?
    private let keys: [FootageKeyID: SymmetricKey]

    /// Without any key.
    package static let none = FootageKeys(keys: [])

    private init(keys list: [[UInt8]]) {
        let pairs = list.map { (Self.id(of: $0), SymmetricKey(data: $0)) }
        writing = pairs.first?.0
        keys = Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// Keys of 32 bytes each, the one for new footage first. Throws `invalid` for another length.
    package init(_ list: [[UInt8]]) throws {
        guard list.allSatisfy({ $0.count == Self.keyBytes }) else { throw NVRError(.invalid, "a key of footage has 32 bytes") }
        self.init(keys: list)
    }

    package var isEmpty: Bool { keys.isEmpty }
    package var ids: Set<FootageKeyID> { Set(keys.keys) }
    package var description: String { "\(keys.count) keys of footage" }

    func key(_ id: FootageKeyID) -> SymmetricKey? { keys[id] }

    private static func id(of key: [UInt8]) -> FootageKeyID {
        let derived = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: key), info: Data("vibenvr footage key id".utf8), outputByteCount: FootageKeyID.byteCount)
        return FootageKeyID(bytes: derived.withUnsafeBytes { Array($0) })
    }

    // MARK: Where they come from

    /// A file that is one key of 32 bytes as they are, or text: a key a line in hexadecimal digits or base 64, the first for new footage;
    /// empty lines and what follows a `#` do not count. Throws `unavailable` when it cannot be read and `invalid` for anything else in it; no
    /// message tells what is in the file.
    package static func read(_ path: String) throws -> FootageKeys {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while bytes.count <= largestFile {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path) }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        guard bytes.count <= largestFile else { throw NVRError(.invalid, "the file of footage keys \(path) is too large to be one") }
        if bytes.count == keyBytes { return FootageKeys(keys: [bytes]) }
        return try parse(String(decoding: bytes, as: UTF8.self), from: "the file of footage keys \(path)")
    }

    private static func failure(_ path: String) -> NVRError {
        NVRError(.unavailable, "the file of footage keys \(path) cannot be read: \(String(cString: strerror(errno)))")
    }

    /// Keys as text, as a file holds them; commas may stand for new lines. `place`: for the message.
    package static func parse(_ text: String, from place: String) throws -> FootageKeys {
        var list: [[UInt8]] = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: { $0.isNewline || $0 == "," }).enumerated() {
            let word = line.prefix { $0 != "#" }.filter { !$0.isWhitespace }
            if word.isEmpty { continue }
            guard let key = decode(word) else {
                throw NVRError(.invalid, "\(place): line \(number + 1) is no key of 32 bytes in hexadecimal digits or base 64")
            }
            list.append(key)
        }
        guard !list.isEmpty else { throw NVRError(.invalid, "\(place) holds no key; make one with `vibenvr key create --out FILE`") }
        guard list.count <= most else { throw NVRError(.invalid, "\(place) holds more than \(most) keys") }
        return FootageKeys(keys: list)
    }

    private static func decode(_ word: String) -> [UInt8]? {
        if word.utf8.count == 2 * keyBytes { return Hexadecimal.bytes(word) }
        var text = word.replacing("-", with: "+").replacing("_", with: "/")
        if text.utf8.count == 43 { text += "=" }
        guard text.utf8.count == 44, let data = Data(base64Encoded: text), data.count == keyBytes else { return nil }
        return [UInt8](data)
    }

    /// A new random key as text in base 64.
    package static func makeText() -> String {
        SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }.base64EncodedString()
    }
}

/// Bytes as lower-case digits.
enum Hexadecimal {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    static func bytes(_ text: String) -> [UInt8]? {
        let digits = text.utf8.map {
            UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") ? $0 - 48 : ($0 | 32) >= 97 && ($0 | 32) <= 102 ? ($0 | 32) - 87 : 255
        }
        guard digits.count % 2 == 0, !digits.contains(255) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
