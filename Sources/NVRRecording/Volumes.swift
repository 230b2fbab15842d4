import NVRBase
package import NVRModel
import Synchronization

/// Knows where footage lies: which folder, or which remote volume, belongs to a `VolumeID`, and whether it may be used now. Everything that
/// reads, writes, deletes or checks files of footage gets their paths here. Any thread may use it; what is said to block does.
package final class Volumes: Sendable {
    /// What is behind a volume.
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
        var loss: VolumeLoss?
        /// It is back, and what was interrupted on it is put in order: nothing new is written yet.
        var isSettling = false
        /// Its size as it was seen last.
        var space: Space?

        var currentLoss: VolumeLoss? {
            if case .remote(let remote) = content { loss ?? remote.loss } else { loss }
        }
    }

    /// A storage profile, as those see it who tell people of it.
    package struct State: Sendable, Hashable {
        package var volume: VolumeID
        package var name: String
        /// Why it is not used now; nil while it is.
        package var loss: VolumeLoss?
    }

    /// Bytes of the file system that a volume lies on, for ordinary users.
    package struct Space: Sendable, Hashable {
        package var free: Int64
        package var total: Int64
        /// Tells whether two folders share their space; nil when it is not known.
        package var fileSystem: UInt64?

        package init(free: Int64, total: Int64, fileSystem: UInt64? = nil) {
            self.free = free
            self.total = total
            self.fileSystem = fileSystem
        }
    }

    /// Hears of a volume that somebody could not use, on his thread: it must not block. `reason`: what the disk said to a write; nil when
    /// only the marker is not as it should be.
    package typealias Doubt = @Sendable (VolumeID, _ reason: String?) -> Void

    /// Absolute path of the default folder for recordings, without a slash at its end.
    package let root: String
    /// Opens what is encrypted, and says whether new files are to be.
    package let cipher: FootageCipher
    private let entries = Mutex<[VolumeID: Entry]>([:])
    private let doubt = Mutex<Doubt?>(nil)

    package init(root: String, cipher: FootageCipher = FootageCipher()) {
        self.root = root
        self.cipher = cipher
    }

    // MARK: What there is

    /// Makes a volume known, or changes it. `loss`: why it is not used now.
    package func set(_ volume: VolumeID, _ content: Content, name: String, loss: VolumeLoss?) {
        entries.withLock { $0[volume] = Entry(content: content, name: name, loss: loss) }
    }

    /// Makes the folders of profiles known by one look at each, all at once; nothing is written. One that does not answer counts as lost. For
    /// the shell; a server has a `VolumeSentry`.
    package func survey(_ profiles: [StorageProfile], on threads: VolumeThreads, instance: String, at time: WallTime) async {
        await withTaskGroup(of: Void.self) { group in
            for profile in profiles {
                let marker = VolumeMarker(instance: instance, volume: VolumeID(profile.id))
                set(marker.volume, .folder(profile.path, marker: marker), name: profile.name, loss: nil)
                group.addTask { [self] in setLoss(marker.volume, await loss(of: profile, marker, on: threads, at: time)) }
            }
        }
    }

    private func loss(of profile: StorageProfile, _ marker: VolumeMarker, on threads: VolumeThreads, at time: WallTime) async -> VolumeLoss? {
        var watch = VolumeWatch(expected: marker, isMarked: profile.markedAt != nil)
        do {
            let look = try await threads.run(on: marker.volume, patience: VolumeThreads.spinUp) { VolumeMarker.look(in: profile.path) }
            _ = watch.saw(look, now: 0, at: time)
        } catch {
            _ = watch.saw(.failed("it does not answer"), now: 0, at: time)
        }
        // One that was never marked holds nothing yet.
        return watch.loss ?? (watch.isAvailable ? nil : VolumeLoss(.unknown, "it was never used", since: time))
    }

    package func rename(_ volume: VolumeID, _ name: String) { entries.withLock { $0[volume]?.name = name } }

    /// A profile was deleted.
    package func forget(_ volume: VolumeID) { entries.withLock { _ = $0.removeValue(forKey: volume) } }

    /// Says why a volume is not used any more; nil: it is used again, and written to unless it `isSettling`.
    package func setLoss(_ volume: VolumeID, _ loss: VolumeLoss?, isSettling: Bool = false) {
        entries.withLock { entries in
            entries[volume]?.loss = loss
            entries[volume]?.isSettling = isSettling
        }
    }

    /// Whether there is such a volume, wherever it is now.
    package func isKnown(_ volume: VolumeID) -> Bool { volume == .standard || entries.withLock { $0[volume] != nil } }

    /// Somebody looked at how full a volume is.
    package func setSpace(_ volume: VolumeID, _ space: Space) { entries.withLock { $0[volume]?.space = space } }

    /// How full a volume was when it was looked at last; nil when nobody did. Nothing is looked at.
    package func space(of volume: VolumeID) -> Space? { entries.withLock { $0[volume]?.space } }

    /// The same, but the file system is asked where nobody has looked yet; nil when it does not answer or the volume is not there. Blocks
    /// then. `isPrepared`: somebody has written to the folder just now, so that it is there although nobody has looked.
    package func space(of volume: VolumeID, in folder: String, isPrepared: Bool = false) -> Space? {
        let entry = entries.withLock { $0[volume] }
        if let known = entry?.space { return known }
        guard entry?.loss == nil || isPrepared && entry?.loss?.cause == .unknown else { return nil }
        // A disk that is unplugged has no numbers; that is no fault of whoever asks.
        return (try? POSIXFile.space(at: folder)).map { Space(free: $0.free, total: $0.total, fileSystem: POSIXFile.fileSystem(of: folder)) }
    }

    /// All volumes that are looked after, by id.
    package var states: [State] {
        entries.withLock { entries in entries.map { State(volume: $0.key, name: $0.value.name, loss: $0.value.currentLoss) } }.sorted {
            $0.volume < $1.volume
        }
    }

    /// Who looks after the volumes.
    package func onDoubt(_ listener: @escaping Doubt) { doubt.withLock { $0 = listener } }

    /// A volume could not be used as it should: it is not used from now on when the disk said why, and looked at in any case.
    package func distrust(_ volume: VolumeID, reason: String?, at time: WallTime) {
        guard volume != .standard else { return }
        if let reason {
            entries.withLock { entries in
                if entries[volume]?.loss == nil { entries[volume]?.loss = VolumeLoss(.failing, reason, since: time) }
            }
        }
        doubt.withLock { $0 }?(volume, reason)
    }

    /// Volumes with folders that may be used now; the default one also when nobody looks after it. To be confirmed before anything is
    /// deleted.
    package var usable: Set<VolumeID> {
        entries.withLock { entries in
            Set(
                entries.filter { entry in
                    guard case .folder = entry.value.content else { return false }
                    return entry.value.loss == nil
                }.keys
            ).union(entries[.standard] == nil ? [.standard] : [])
        }
    }

    /// For reading and deleting.
    package func isUsable(_ volume: VolumeID) -> Bool { entries.withLock { $0[volume].map { $0.loss == nil } ?? (volume == .standard) } }

    /// For new files.
    package func isWritable(_ volume: VolumeID) -> Bool {
        entries.withLock { entries in
            guard let entry = entries[volume] else { return volume == .standard }
            guard case .folder = entry.content else { return false }
            return entry.loss == nil && !entry.isSettling
        }
    }

    /// The folder of a volume, whether it is mounted or not; nil for one that is not known or has none.
    package func root(of volume: VolumeID) -> String? {
        if volume == .standard { return root }
        guard case .folder(let root, _)? = entries.withLock({ $0[volume]?.content }) else { return nil }
        return root
    }

    /// What is behind a volume that has no folder.
    package func remote(_ volume: VolumeID) -> (any RemoteVolume)? {
        guard case .remote(let remote)? = entries.withLock({ $0[volume]?.content }) else { return nil }
        return remote
    }

    /// All volumes without folders.
    package var remotes: [(volume: VolumeID, content: any RemoteVolume)] {
        entries.withLock { entries in
            entries.compactMap { id, entry in
                if case .remote(let remote) = entry.content { (id, remote) } else { nil }
            }
        }.sorted { $0.volume < $1.volume }
    }

    /// Looks at the marker now: true when the volume is the right one and may be used. What was known before is not changed. Always false for
    /// one without a folder: `RemoteVolume.isRightOne` tells. Blocks.
    package func confirm(_ volume: VolumeID) -> Bool {
        guard let entry = entries.withLock({ $0[volume] }) else { return volume == .standard }
        guard entry.loss == nil, case .folder(let root, let marker) = entry.content else { return false }
        guard let marker, VolumeMarker.look(in: root) != .found(marker) else { return true }
        doubt.withLock { $0 }?(volume, nil)
        return false
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

    /// Opens a file for reading what is in it, encrypted or not. Throws as `openAsStored`, and `unavailable` when its key is not there. Blocks.
    package func open(_ place: FootagePlace) throws -> any FootageFile { try cipher.open(try openAsStored(place)) }

    /// Opens a file for its bytes as they lie there, to copy them. Throws as `file`, and a `FileError` that `isMissing` or `notFound` when there is none.
    /// Blocks.
    package func openAsStored(_ place: FootagePlace) throws -> any FootageFile {
        if let remote = try remoteNow(place.volume) {
            guard Self.isPlain(place.path) else { throw NVRError(.dataLoss, "a path of footage leads out of its folder") }
            return try remote.open(place.path)
        }
        return try POSIXFile.openExisting(try file(place))
    }

    private func folder(_ volume: VolumeID) throws -> String {
        if volume == .standard, entries.withLock({ $0[.standard] == nil }) { return root }
        guard case .folder(let root, _) = try present(volume).content else { throw NVRError(.unavailable, "the footage lies on a remote volume") }
        return root
    }

    private func remoteNow(_ volume: VolumeID) throws -> (any RemoteVolume)? {
        guard volume != .standard, case .remote(let remote) = try present(volume).content else { return nil }
        return remote
    }

    private func present(_ volume: VolumeID) throws -> Entry {
        guard let entry = entries.withLock({ $0[volume] }) else {
            throw NVRError(.unavailable, "the footage lies on a volume that is not known any more")
        }
        if let loss = entry.loss { throw NVRError(.unavailable, "the volume \(entry.name) cannot be used now: \(loss.detail)") }
        return entry
    }

    /// Whether a path stays below the folder it is put behind: rows may come from a database that somebody else made.
    static func isPlain(_ path: String) -> Bool {
        guard !path.isEmpty, !path.utf8.contains(0) else { return false }
        return path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}
