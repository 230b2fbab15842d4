#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import NVRModel

/// Judges folders that are to hold recordings besides the default one. Calls block: only threads made for it may use them.
package struct StorageVolume: Sendable {
    /// The default folder for recordings; the database lies beside it.
    private let recordingRoot: String

    package init(recordingRoot: String) { self.recordingRoot = recordingRoot }

    /// The folder behind a path that `StorageProfile.checkedPath` has let through, with its links followed. A missing one is made, and
    /// writing is tried. Throws `invalid` for what lies in a system folder or where this server keeps its own files, and for what
    /// cannot be written; then no folder is left behind.
    package func prepare(_ path: String) throws -> String { try prepareNoting(path).folder }

    /// The same, with the folders that were made, the outermost first: for who finds later that nothing comes of it.
    package func prepareNoting(_ path: String) throws -> (folder: String, made: [String]) {
        let (base, missing) = try Self.existingPart(of: path)
        try demandPlace(Self.joined(base, missing))
        var made: [String] = []
        do {
            var folder = base
            for part in missing {
                folder = Self.joined(folder, [part])
                guard mkdir(folder, 0o750) == 0 else { throw Self.refusal("cannot be made", errno) }
                made.append(folder)
            }
            // What was made, or swapped for a link meanwhile, is judged again.
            let (found, rest) = try Self.existingPart(of: folder)
            guard rest.isEmpty else { throw NVRError(.invalid, "The folder is gone again") }
            try demandPlace(found)
            try Self.tryWriting(in: found)
            return (found, made)
        } catch {
            Self.unmake(made)
            throw error
        }
    }

    /// Removes folders that were made, where they are still empty.
    package static func unmake(_ folders: [String]) { for folder in folders.reversed() { rmdir(folder) } }

    private func demandPlace(_ path: String) throws {
        if StorageProfile.isSystemFolder(path) { throw NVRError(.invalid, "The folder lies in a folder of the operating system") }
        let root = Self.resolved(recordingRoot) ?? recordingRoot
        guard let own = POSIXFile.parent(of: root) else { return }
        if StorageProfile.path(own, isWithin: path) { throw NVRError(.invalid, "The folder holds the database of this server") }
        if StorageProfile.path(path, isWithin: root) { throw NVRError(.invalid, "The folder lies in the default folder for recordings") }
    }

    /// The part of a path that exists, with its links followed, and the names below it that do not.
    private static func existingPart(of path: String) throws -> (String, missing: [String]) {
        var parts = path.split(separator: "/").map(String.init)
        var missing: [String] = []
        while true {
            let candidate = "/" + parts.joined(separator: "/")
            if let found = resolved(candidate) {
                var status = stat()
                guard stat(found, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                    throw NVRError(.invalid, "The path does not lead to a folder")
                }
                return (found, missing)
            }
            guard errno == ENOENT, let last = parts.popLast() else { throw refusal("cannot be used", errno) }
            var status = stat()
            // A link that leads nowhere: what would be made is not what was named.
            if lstat(candidate, &status) == 0 { throw NVRError(.invalid, "The path holds a link that leads nowhere") }
            missing.insert(last, at: 0)
        }
    }

    private static func resolved(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }

    private static func joined(_ folder: String, _ parts: [String]) -> String {
        parts.reduce(folder) { $0 == "/" ? "/" + $1 : $0 + "/" + $1 }
    }

    /// Writes a file that nobody sees. `syncing`: waits until the disk has it.
    static func tryWriting(in folder: String, syncing: Bool = false) throws {
        var template = Array((folder + "/.vibenvr-XXXXXX").utf8CString)
        let descriptor = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return Int32(-1) }
            let descriptor = mkstemp(base)
            if descriptor >= 0 { unlink(base) }
            return descriptor
        }
        guard descriptor >= 0 else { throw refusal("cannot be written", errno) }
        defer { close(descriptor) }
        guard write(descriptor, "x", 1) == 1, !syncing || fsync(descriptor) == 0 else { throw refusal("cannot be written", errno) }
    }

    private static func refusal(_ what: String, _ code: Int32) -> NVRError {
        NVRError(.invalid, "The folder \(what): \(String(cString: strerror(code)))")
    }
}
