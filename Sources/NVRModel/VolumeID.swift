/// On which volume a file of footage lies: the default folder for recordings, the folder of a storage profile, or the bucket of an S3 profile.
package struct VolumeID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 0, the id of a storage profile, or minus the id of an S3 profile. Stored.
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    /// The folder of a profile; without one the default folder.
    package init(_ profile: ID<StorageProfile>?) { rawValue = profile?.rawValue ?? 0 }

    /// Ids that are asked for may be any number: of the least there is, which has no opposite, nothing is stored.
    package init(_ bucket: ID<S3Profile>) { rawValue = 0 &- bucket.rawValue }

    /// The default folder for recordings.
    package static let standard = VolumeID(rawValue: 0)

    /// Nil for the default folder and for buckets.
    package var profile: ID<StorageProfile>? { rawValue > 0 ? ID(rawValue) : nil }
    /// Nil for folders.
    package var bucket: ID<S3Profile>? { isRemote ? ID(0 &- rawValue) : nil }
    /// Whether it is reached through the network and has no folder.
    package var isRemote: Bool { rawValue < 0 }

    package static func < (a: VolumeID, b: VolumeID) -> Bool { a.rawValue < b.rawValue }
    package var description: String { String(rawValue) }
}

/// Where a file of footage or a picture lies. Paths are unique among all volumes, so that a file keeps its path when it moves.
package struct FootagePlace: Sendable, Hashable {
    package var volume: VolumeID
    /// Below the folder of the volume, `/`-separated.
    package var path: String

    package init(_ volume: VolumeID, _ path: String) {
        self.volume = volume
        self.path = path
    }
}
