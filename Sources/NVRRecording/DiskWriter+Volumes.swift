import NVRModel

#if canImport(Glibc)
    import Glibc
#endif

/// Where new files go, on the writing thread.
extension DiskWriter {
    /// The volume that is wished for, or the default one while it is not there, by what is known.
    func writableVolume(_ wish: VolumeID) -> VolumeID { layout.volumes.isWritable(wish) ? wish : .standard }

    /// The same by a look at its marker.
    func confirmedVolume(_ wish: VolumeID) -> VolumeID {
        wish != .standard && layout.volumes.isWritable(wish) && layout.volumes.confirm(wish) ? wish : .standard
    }

    /// Refuses to write where the default folder should be and is not: nothing stands in for it.
    func demandPresence(_ volume: VolumeID) throws(FileError) {
        guard volume == .standard, !(layout.volumes.isWritable(volume) && layout.volumes.confirm(volume)) else { return }
        throw FileError(operation: "use", path: layout.root, code: ENODEV)
    }

    /// Makes the folders that a file needs, but nothing where a volume is not mounted.
    func makeFolder(of path: String, on volume: VolumeID) throws {
        guard let folder = POSIXFile.parent(of: path) else { return }
        guard volume != .standard, let root = layout.volumes.root(of: volume) else { return try POSIXFile.makeDirectories(folder) }
        try POSIXFile.makeDirectories(folder, below: root)
    }
}
