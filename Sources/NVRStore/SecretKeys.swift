import NVRBase

/// Where the key of a database's `SecretBox` comes from: from `SECRET_KEY` when it is set, else from a file beside the database.
package struct SecretKeys: Sendable {
    package static let fileName = "secret-box.key"

    /// `SECRET_KEY`; checked for strength by whoever read it.
    let explicit: Secret?
    /// `SECRET_KEY_OLD`: what the database may still be encrypted with.
    let previous: Secret?
    /// Whether the database may be encrypted anew with the key of today: only by the one server that holds the data folder.
    let mayChangeKey: Bool

    package init(explicit: String? = nil, previous: String? = nil, mayChangeKey: Bool = false) {
        self.explicit = explicit.flatMap { $0.isEmpty ? nil : Secret($0) }
        self.previous = previous.flatMap { $0.isEmpty ? nil : Secret($0) }
        self.mayChangeKey = mayChangeKey
    }

    /// A key that fits, and the one it replaces.
    struct Choice {
        /// Opens the database.
        var current: SecretBox
        /// What the database has to be encrypted anew with.
        var next: SecretBox?
    }

    /// The key of the database at `path`. `check` is the text that its key once sealed; nil while it has none. Throws `invalid`, with
    /// the ways out, when no key at hand opens it: a new one is never made in the place of one that is missing.
    func choose(for path: String, check: String?) throws -> Choice {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let file = (folder == "/" ? "" : folder) + "/" + Self.fileName
        let fromFile = try Self.read(file)
        let fromPrevious = previous.map(SecretBox.init(derivedFrom:))
        guard let check else {
            if let explicit { return Choice(current: SecretBox(derivedFrom: explicit)) }
            return Choice(current: try fromFile ?? SecretBox(bytes: KeyFile.create(file, byteCount: SecretBox.keyBytes)))
        }
        let wanted = explicit.map(SecretBox.init(derivedFrom:)) ?? fromFile
        if let wanted, wanted.opens(check) { return Choice(current: wanted) }
        guard let former = [fromPrevious, fromFile].compactMap({ $0 }).first(where: { $0.opens(check) }) else {
            throw refusal(path, file: file, isFileThere: fromFile != nil)
        }
        guard mayChangeKey else { return Choice(current: former) }
        return Choice(current: former, next: try wanted ?? SecretBox(bytes: KeyFile.create(file, byteCount: SecretBox.keyBytes)))
    }

    private static func read(_ file: String) throws -> SecretBox? {
        guard let bytes = try KeyFile.read(file) else { return nil }
        guard bytes.count == SecretBox.keyBytes else {
            throw NVRError(
                .invalid,
                "the key file \(file) is damaged: it has \(bytes.count) bytes, not \(SecretBox.keyBytes). Passwords in the database are encrypted with it: put it back from a copy"
            )
        }
        return SecretBox(bytes: bytes)
    }

    private func refusal(_ path: String, file: String, isFileThere: Bool) -> NVRError {
        var ways: [String] = []
        if isFileThere {
            if explicit == nil { ways.append("set SECRET_KEY to the text it was encrypted with") }
            ways.append("put back the \(file) that belongs to it")
        } else {
            ways.append("put \(file), which is missing, back from a copy")
            if explicit == nil { ways.append("set SECRET_KEY to the text it was encrypted with") }
        }
        if explicit != nil { ways.append("set SECRET_KEY_OLD to the former SECRET_KEY, and it is encrypted anew") }
        ways.append("start with another data folder and import a configuration backup")
        return NVRError(
            .invalid,
            "the database \(path) holds passwords that are encrypted with another key than "
                + (explicit != nil ? "SECRET_KEY" : "that of \(file)") + ". Nothing was changed. Ways out: " + ways.joined(separator: "; or "))
    }
}

extension SecretBox {
    private static let checkContext = "installation:key_check"

    /// A text that only this key opens: kept in the database, so that a wrong key is noticed before anything is read or written.
    func check() throws -> String { try seal("vibenvr", for: Self.checkContext) }

    func opens(_ check: String) -> Bool {
        // A failure is the answer no.
        (try? open(check, for: Self.checkContext)) != nil
    }
}
