import Crypto
#if canImport(Glibc)
    import Glibc
#endif
import NVRBase

/// The copy of a file that is being made on another volume: bytes go to a `.part` beside its place, are synced, read back and compared, and
/// only then it gets its name. Used on the mover's thread only.
struct SegmentCopy: Sendable {
    /// Bytes copied at a time.
    static let step = 1 << 20

    private let source: POSIXFile
    private let target: String
    private let root: String
    private let length: Int64
    private let part: POSIXFile
    private var position: Int64
    private var sourceHash = SHA256()

    var partPath: String { Self.part(of: target) }
    static func part(of target: String) -> String { target + ".part" }

    /// Begins, or goes on with what an earlier try left. `root`: the folder of the target's volume, which is never made. Throws `dataLoss`
    /// when the source is shorter than `length`.
    init(from source: String, to target: String, below root: String, length: Int64) throws {
        self.source = try POSIXFile.openExisting(source)
        self.target = target
        self.root = root
        self.length = length
        guard try self.source.length() >= length else { throw NVRError(.dataLoss, "the file is shorter than its row says") }
        if let folder = POSIXFile.parent(of: target) { try POSIXFile.makeDirectories(folder, below: root) }
        do {
            part = try POSIXFile.create(Self.part(of: target))
            position = 0
        } catch  where error.exists {
            part = try POSIXFile.openExisting(Self.part(of: target), writing: true)
            position = min(try part.length(), length)
        }
        // What is there already is compared at the end like the rest.
        var hashed: Int64 = 0
        while hashed < position {
            let bytes = try self.source.read(at: hashed, count: Int(min(Int64(Self.step), position - hashed)))
            guard !bytes.isEmpty else { throw NVRError(.dataLoss, "the file became shorter while it was copied") }
            sourceHash.update(data: bytes)
            hashed += Int64(bytes.count)
        }
    }

    var isWhole: Bool { position >= length }

    /// Copies the next bytes; gives their number.
    mutating func copy() throws -> Int64 {
        let bytes = try source.read(at: position, count: Int(min(Int64(Self.step), length - position)))
        guard !bytes.isEmpty else { throw NVRError(.dataLoss, "the file became shorter while it was copied") }
        try bytes.withUnsafeBytes { try part.write([$0], at: position) }
        sourceHash.update(data: bytes)
        position += Int64(bytes.count)
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
        source.dropFromMemory()
        return try Self.hash(part, length) == Array(sourceHash.finalize())
    }

    /// Gives the copy its name. Throws `conflict` when a file of that name is there.
    func name() throws {
        guard !POSIXFile.exists(target) else { throw NVRError(.conflict, "a file that nobody knows lies where footage is to move") }
        try POSIXFile.rename(partPath, to: target)
        if let folder = POSIXFile.parent(of: target) { try POSIXFile.syncDirectory(folder) }
    }

    /// Whether two files are the same in their first `length` bytes, and the copy has no more.
    static func isSame(_ source: String, _ copy: String, length: Int64) throws -> Bool {
        let files = (try POSIXFile.openExisting(source), try POSIXFile.openExisting(copy))
        guard try files.1.length() == length, try files.0.length() >= length else { return false }
        return try hash(files.0, length) == hash(files.1, length)
    }

    private static func hash(_ file: POSIXFile, _ length: Int64) throws -> [UInt8] {
        var hash = SHA256()
        var position: Int64 = 0
        while position < length {
            let bytes = try file.read(at: position, count: Int(min(Int64(step), length - position)))
            guard !bytes.isEmpty else { break }
            hash.update(data: bytes)
            position += Int64(bytes.count)
        }
        return Array(hash.finalize())
    }
}
