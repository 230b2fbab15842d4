import NVRBase
import NVRModel

#if canImport(Glibc)
    import Glibc
#endif

/// Where new files go.
extension DiskWriter {
    /// The volume that is wished for, or the default one while it is not there or hangs, by what is known: nothing is looked at.
    func target(of wish: VolumeID) -> VolumeID {
        guard wish != .standard else { return .standard }
        return layout.volumes.isWritable(wish) && !lane(of: wish).isStuck(now: clock.monotonic()) ? wish : .standard
    }

    /// The same for a recording that writes to `current`: at the end of the program nothing begins on another volume but the default one.
    func target(of wish: VolumeID, from current: VolumeID) -> VolumeID {
        let target = target(of: wish)
        return target != current && target != .standard && isStopping ? current : target
    }

    /// Whether a volume is there, by a look at its marker. On its thread.
    func confirm(_ volume: VolumeID) -> Bool { layout.volumes.isWritable(volume) && layout.volumes.confirm(volume) }

    /// Refuses to write where the default folder should be and is not: nothing stands in for it.
    func demandPresence(_ volume: VolumeID) throws(FileError) {
        guard volume == .standard, !confirm(volume) else { return }
        throw FileError(operation: "use", path: layout.root, code: ENODEV)
    }

    /// A volume could not be used as it should.
    func distrust(_ volume: VolumeID, reason: String, at time: WallTime? = nil) {
        layout.volumes.distrust(volume, reason: reason, at: time ?? WallTime(microseconds: clock.wall()))
    }

    /// What people are told of a volume that hangs.
    static let silence = "it does not answer"

    /// Makes the folders that a file needs, but nothing where a volume is not mounted.
    func makeFolder(of path: String, on volume: VolumeID) throws {
        guard let folder = POSIXFile.parent(of: path) else { return }
        guard volume != .standard, let root = layout.volumes.root(of: volume) else { return try POSIXFile.makeDirectories(folder) }
        try POSIXFile.makeDirectories(folder, below: root)
    }
}
