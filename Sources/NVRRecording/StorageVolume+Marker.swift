package import NVRModel
import NVRBase

/// To whom a folder belongs that is to become that of a profile.
extension StorageVolume {
    /// True when the folder is that of this very profile already, reached by another path. Otherwise the folder is free; a marker of a
    /// profile that is no more is taken away. Throws `conflict` for the folder of another profile or another installation. Blocks.
    ///
    /// - Parameters:
    ///   - own: the profile that is changed; nil for a new one.
    ///   - profiles: all that there are.
    package func claim(_ path: String, instance: String, own: VolumeID?, profiles: Set<VolumeID>) throws -> Bool {
        switch VolumeMarker.look(in: path) {
        case .bare, .missing: return false
        case .failed(let reason): throw NVRError(.invalid, "The folder cannot be used: \(reason)")
        case .unreadable:
            throw NVRError(.conflict, "The folder holds a file \(VolumeMarker.fileName) that makes no sense; remove it to use the folder")
        case .found(let marker):
            guard marker.instance == instance else {
                throw NVRError(
                    .conflict, "The folder belongs to another installation; remove the file \(VolumeMarker.fileName) in it to take it over")
            }
            if marker.volume == own { return true }
            guard !profiles.contains(marker.volume) else {
                throw NVRError(.conflict, "The folder is that of storage profile \(marker.volume)")
            }
            do { try POSIXFile.remove("\(path)/\(VolumeMarker.fileName)") } catch {
                throw NVRError(.invalid, "The folder cannot be used: \(error.systemText)")
            }
            return false
        }
    }
}
