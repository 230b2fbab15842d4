import NVRBase
package import NVRModel
import Synchronization

/// Knows where footage lies: which folder, or which remote volume, belongs to a `VolumeID`, and whether it may be used now. Everything that
/// reads, writes, deletes or checks files of footage gets their paths here. Any thread may use it; what is said to block does.
package final class Volumes: Sendable {
    /// What is behind a volume besides the default one.
    package enum Content: Sendable {
        /// An absolute path without a slash at its end, and what the marker in it must say; without a marker it is always used.
        case folder(String, marker: VolumeMarker?)
        case remote(any RemoteVolume)
    }

    private struct Entry {
        var content: Content
        /// For messages: the name of the profile.
        var name: String
        /// Why it is not used now; nil while it is.
        var absence: String?
    }

    /// Absolute path of the default folder for recordings, without a slash at its end.
    package let root: String
    private let entries = Mutex<[VolumeID: Entry]>([:])

    package init(root: String) { self.root = root }

    // MARK: What there is

    /// Makes a volume known, or changes it. `absence`: why it is not used now.
    package func set(_ volume: VolumeID, _ content: Content, name: String, absence: String?) {
        guard volume != .standard else { return }
        entries.withLock { $0[volume] = Entry(content: content, name: name, absence: absence) }
    }

    /// A profile was deleted.
    package func forget(_ volume: VolumeID) { entries.withLock { _ = $0.removeValue(forKey: volume) } }

    /// Says why a volume is not used any more; nil: it is used again.
    package func setAbsence(_ volume: VolumeID, _ absence: String?) { entries.withLock { $0[volume]?.absence = absence } }

    /// Volumes with folders that may be used now, the default one always. To be confirmed before anything is deleted.
    package var usable: Set<VolumeID> {
        entries.withLock { entries in
            Set(
                entries.filter { entry in
                    guard case .folder = entry.value.content else { return false }
                    return entry.value.absence == nil
                }.keys)
        }.union([.standard])
    }

    package func isUsable(_ volume: VolumeID) -> Bool { volume == .standard || entries.withLock { $0[volume].map { $0.absence == nil } ?? false } }

    /// The folder of a volume, whether it is mounted or not; nil for one that is not known or has none.
    package func root(of volume: VolumeID) -> String? {
        if volume == .standard { return root }
        guard case .folder(let root, _)? = entries.withLock({ $0[volume]?.content }) else { return nil }
        return root
    }

    /// Looks at the marker now: true when the volume is the right one and may be used. What was known before is not changed. Blocks.
    package func confirm(_ volume: VolumeID) -> Bool {
        guard volume != .standard else { return true }
        guard let entry = entries.withLock({ $0[volume] }), entry.absence == nil, case .folder(let root, let marker) = entry.content else {
            return false
        }
        guard let marker else { return true }
        return VolumeMarker.look(in: root) == .found(marker)
    }

    /// Those of `volumes`, or of all that are usable, that are the right ones now. Blocks.
    package func confirmed(_ volumes: Set<VolumeID>? = nil) -> Set<VolumeID> { (volumes ?? usable).filter { confirm($0) } }

    // MARK: Files

    /// The absolute path of a file. Throws `unavailable` when its volume is not to be used now, and `dataLoss` for a path that leads out of
    /// its folder.
    package func file(_ place: FootagePlace) throws -> String {
        guard Self.isPlain(place.path) else { throw NVRError(.dataLoss, "a path of footage leads out of its folder") }
        return "\(try folder(place.volume))/\(place.path)"
    }

    /// Opens a file for reading. Throws as `file`, and a `FileError` that `isMissing` or `notFound` when there is none. Blocks.
    package func open(_ place: FootagePlace) throws -> any FootageFile {
        if let remote = try remote(place.volume) {
            guard Self.isPlain(place.path) else { throw NVRError(.dataLoss, "a path of footage leads out of its folder") }
            return try remote.open(place.path)
        }
        return try POSIXFile.openExisting(try file(place))
    }

    private func folder(_ volume: VolumeID) throws -> String {
        if volume == .standard { return root }
        guard case .folder(let root, _) = try present(volume).content else { throw NVRError(.unavailable, "the footage lies on a remote volume") }
        return root
    }

    private func remote(_ volume: VolumeID) throws -> (any RemoteVolume)? {
        guard volume != .standard, case .remote(let remote) = try present(volume).content else { return nil }
        return remote
    }

    private func present(_ volume: VolumeID) throws -> Entry {
        guard let entry = entries.withLock({ $0[volume] }) else {
            throw NVRError(.unavailable, "the footage lies on a volume that is not known any more")
        }
        if let absence = entry.absence { throw NVRError(.unavailable, "the volume \(entry.name) cannot be used now: \(absence)") }
        return entry
    }

    /// Whether a path stays below the folder it is put behind: rows may come from a database that somebody else made.
    static func isPlain(_ path: String) -> Bool {
        guard !path.isEmpty, !path.utf8.contains(0) else { return false }
        return path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}
