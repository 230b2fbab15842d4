#if canImport(Glibc)
    import Glibc
#endif
import Synchronization

/// Pictures made of footage, as files in a folder of their own that never hold more than a number of bytes; the ones that were not asked
/// for the longest go first. All of it may be deleted at any time. Any thread may use it; calls block.
package final class PictureCache: Sendable {
    private struct State {
        var isLoaded = false
        var files: [String: (bytes: Int64, lastUse: UInt64)] = [:]
        var bytes: Int64 = 0
        var uses: UInt64 = 0
    }

    private let folder: String
    private let budget: Int64
    private let cipher: FootageCipher
    private let state = Mutex(State())
    private static let end = ".jpg"
    private static let draftEnd = ".draft"

    /// `budget`: bytes; 0 keeps nothing. The folder is made with the first picture.
    package init(folder: String, budget: Int64, cipher: FootageCipher = FootageCipher()) {
        self.cipher = cipher
        self.folder = folder
        self.budget = max(0, budget)
    }

    /// Bytes of the files.
    package var bytes: Int64 {
        state.withLock { state in
            load(&state)
            return state.bytes
        }
    }

    private func path(_ name: String) -> String { folder + "/" + name + Self.end }

    /// The picture of a name; nil when there is none.
    package func read(_ name: String) -> [UInt8]? {
        let isThere = state.withLock { state in
            load(&state)
            guard state.files[name] != nil else { return false }
            state.uses += 1
            state.files[name]?.lastUse = state.uses
            return true
        }
        guard isThere else { return nil }
        // Whoever emptied the folder may do so: the picture is made again.
        guard let bytes = try? content(name) else {
            state.withLock { Self.drop(name, &$0) }
            return nil
        }
        return bytes
    }

    private func content(_ name: String) throws -> [UInt8]? {
        let stored = try POSIXFile.openExisting(path(name))
        let file = try cipher.open(stored)
        // Pictures from before there was a key are made anew.
        if cipher.keys.writing != nil, !(file is SealedFile) { return nil }
        let length = try file.length()
        guard length > 0, length <= budget else { return nil }
        let bytes = try file.read(at: 0, count: Int(length))
        return bytes.count == Int(length) ? bytes : nil
    }

    /// Keeps a picture, in the place of others if there is no room. One that is larger than the whole budget is not kept.
    package func store(_ picture: [UInt8], as name: String) throws {
        let bytes = try cipher.stored(picture: picture)
        let size = Int64(bytes.count)
        guard size > 0, size <= budget else { return }
        let (leaving, place) = state.withLock { state -> ([String], UInt64) in
            load(&state)
            var leaving: [String] = []
            // The draft and what it replaces are there at the same time.
            while state.bytes + size > budget, let oldest = state.files.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                leaving.append(oldest.key)
                Self.drop(oldest.key, &state)
            }
            // Room is taken before it is used, so that several threads together do not pass the budget.
            state.uses += 1
            if let old = state.files.updateValue((size, state.uses), forKey: name) { state.bytes -= old.bytes }
            state.bytes += size
            return (leaving, state.uses)
        }
        do {
            for other in leaving { try POSIXFile.remove(path(other)) }
            try POSIXFile.makeDirectories(folder)
            let draft = "\(folder)/\(name).\(place)\(Self.draftEnd)"
            let file = try POSIXFile.create(draft)
            do {
                try bytes.withUnsafeBytes { try file.write([$0], at: 0) }
                // A name that leads to a file without its bytes would be a broken picture after a power cut.
                try file.sync()
                try POSIXFile.rename(draft, to: path(name))
            } catch {
                try POSIXFile.remove(draft)
                throw error
            }
        } catch {
            state.withLock { Self.drop(name, &$0) }
            throw error
        }
    }

    /// Removes the pictures whose names begin so, but one.
    package func remove(prefix: String, except kept: String? = nil) throws {
        let names = state.withLock { state -> [String] in
            load(&state)
            let names = state.files.keys.filter { $0.hasPrefix(prefix) && $0 != kept }
            for name in names { Self.drop(name, &state) }
            return names
        }
        for name in names { try POSIXFile.remove(path(name)) }
    }

    private static func drop(_ name: String, _ state: inout State) {
        if let old = state.files.removeValue(forKey: name) { state.bytes -= old.bytes }
    }

    /// Looks once at what an earlier run left; the oldest files are the first to go.
    private func load(_ state: inout State) {
        guard !state.isLoaded else { return }
        state.isLoaded = true
        guard let listing = opendir(folder) else { return }
        defer { closedir(listing) }
        var found: [(name: String, bytes: Int64, time: Int)] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            var status = stat()
            guard lstat(folder + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            // A run that ended while it wrote.
            if name.hasSuffix(Self.draftEnd) { unlink(folder + "/" + name) }
            if name.hasSuffix(Self.end) { found.append((String(name.dropLast(Self.end.count)), Int64(status.st_size), status.st_mtim.tv_sec)) }
        }
        for file in found.sorted(by: { $0.time < $1.time }) {
            state.uses += 1
            state.files[file.name] = (file.bytes, state.uses)
            state.bytes += file.bytes
        }
    }
}
