import Crypto
import NVRBase
import Synchronization

/// The copy of a file that is being made on another volume: bytes go to a `.part` beside its place, are synced, read back and compared, and
/// only then it gets its name. Used on the mover's thread of its volume, one call at a time.
final class SegmentCopy: Sendable {
    private struct State {
        var position: Int64
        var hash: SHA256
    }

    /// Bytes copied at a time.
    static let step = 1 << 20

    private let source: any FootageFile
    private let target: String
    private let length: Int64
    private let part: POSIXFile
    private let state: Mutex<State>

    var partPath: String { Self.part(of: target) }
    static func part(of target: String) -> String { target + ".part" }

    /// Begins, or goes on with what an earlier try left. `root`: the folder of the target's volume, which is never made. Throws `dataLoss`
    /// when the source is shorter than `length`.
    init(from original: any FootageFile, to target: String, below root: String, length: Int64) throws {
        guard try original.length() >= length else { throw NVRError(.dataLoss, "the file is shorter than its row says") }
        if let folder = POSIXFile.parent(of: target) { try POSIXFile.makeDirectories(folder, below: root) }
        let part = try Self.open(Self.part(of: target))
        let position = min(try part.length(), length)
        // What is there already is compared at the end like the rest.
        state = Mutex(State(position: position, hash: try Self.hashing(original, position)))
        source = original
        self.target = target
        self.length = length
        self.part = part
    }

    private static func open(_ path: String) throws(FileError) -> POSIXFile {
        if POSIXFile.exists(path) { return try POSIXFile.openExisting(path, writing: true) }
        return try POSIXFile.create(path)
    }

    var isWhole: Bool { state.withLock { $0.position } >= length }

    /// Copies the next bytes; gives their number.
    func copyNext() throws -> Int64 {
        let position = state.withLock { $0.position }
        let bytes = try source.read(at: position, count: Int(min(Int64(Self.step), length - position)))
        guard !bytes.isEmpty else { throw NVRError(.dataLoss, "the file became shorter while it was copied") }
        try bytes.withUnsafeBytes { try part.write([$0], at: position) }
        state.withLock { state in
            state.hash.update(data: bytes)
            state.position += Int64(bytes.count)
        }
        return Int64(bytes.count)
    }

    func sync() throws {
        // Of an earlier version of the file, behind what is to be there.
        try part.truncate(to: length)
        try part.sync()
    }

    /// Whether the copy, as the disk gives it back, is the same as the source.
    func isTrue() throws -> Bool {
        // So that it is read from the disk and not from memory, where the system allows it.
        part.dropFromMemory()
        (source as? POSIXFile)?.dropFromMemory()
        let wanted = state.withLock { Array($0.hash.finalize()) }
        return try Array(Self.hashing(part, length).finalize()) == wanted
    }

    /// Gives the copy its name. Throws `conflict` when a file of that name is there.
    func name() throws {
        guard !POSIXFile.exists(target) else { throw NVRError(.conflict, "a file that nobody knows lies where footage is to move") }
        try POSIXFile.rename(partPath, to: target)
        if let folder = POSIXFile.parent(of: target) { try POSIXFile.syncDirectory(folder) }
    }

    /// Whether two files are the same in their first `length` bytes, and the copy has no more.
    static func isSame(_ original: any FootageFile, _ copy: String, length: Int64) throws -> Bool {
        let other = try POSIXFile.openExisting(copy)
        guard try other.length() == length, try original.length() >= length else { return false }
        let (wanted, found) = (try hashing(original, length).finalize(), try hashing(other, length).finalize())
        return wanted == found
    }

    /// The hash of the first bytes of a file. Throws `dataLoss` when there are fewer.
    static func hashing(_ file: any FootageFile, _ length: Int64) throws -> SHA256 {
        var hash = SHA256()
        var position: Int64 = 0
        while position < length {
            let bytes = try file.read(at: position, count: Int(min(Int64(step), length - position)))
            guard !bytes.isEmpty else { throw NVRError(.dataLoss, "the file became shorter while it was copied") }
            hash.update(data: bytes)
            position += Int64(bytes.count)
        }
        return hash
    }
}
