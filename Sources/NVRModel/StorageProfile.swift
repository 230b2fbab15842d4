/// A folder for recordings that cameras may name instead of the default one.
package struct StorageProfile: Sendable, Hashable {
    package var id: ID<StorageProfile>
    /// Unique without regard to case.
    package var name: String
    /// Absolute path of the folder, without `..` and symbolic links.
    package var path: String
    package var description: String?
    /// Gigabytes; 0 = no limit.
    package var maxSize: Double
    package var createdAt: WallTime
    /// When its folder was given the marker that tells it from others; nil before that.
    package var markedAt: WallTime?

    package init(
        id: ID<StorageProfile>, name: String, path: String, description: String? = nil, maxSize: Double = 0, createdAt: WallTime,
        markedAt: WallTime? = nil
    ) {
        self.markedAt = markedAt
        self.id = id
        self.name = name
        self.path = path
        self.description = description
        self.maxSize = maxSize
        self.createdAt = createdAt
    }

    /// The profile as the API answers it.
    package var json: JSONValue {
        [
            "name": .string(name), "path": .string(path), "description": JSONValue(description), "max_size_gb": .number(maxSize),
            "id": .integer(id.rawValue),
        ]
    }

    /// Most bytes of a path that the system takes.
    package static let maxPathLength = 4000

    /// The path without doubled and trailing slashes, or why it is refused, judged by its text alone. Where it leads is another
    /// question.
    package static func checkedPath(_ text: String) -> Result<String, PathRefusal> {
        func refuse(_ message: String) -> Result<String, PathRefusal> { .failure(PathRefusal(message: message)) }
        guard text.utf8.count <= maxPathLength else { return refuse("path must be at most \(maxPathLength) bytes long") }
        guard text.hasPrefix("/") else { return refuse("path must be absolute: it must start with '/'") }
        if text.unicodeScalars.contains(where: isControl) { return refuse("path must not contain control characters") }
        let parts = text.split(separator: "/")
        if parts.contains("..") || parts.contains(".") { return refuse("path must not contain '.' or '..' as a part") }
        if parts.contains(where: { $0.utf8.count > 255 }) { return refuse("each part of the path must be at most 255 bytes long") }
        return .success("/" + parts.joined(separator: "/"))
    }

    /// Whether a path is the root of the system or lies where the system keeps itself.
    package static func isSystemFolder(_ path: String) -> Bool {
        guard let top = path.split(separator: "/").first else { return true }
        return systemFolders.contains(top)
    }

    /// `lib*` as distributions name the folders of libraries for each word size.
    private static let systemFolders: Set<Substring> = [
        "etc", "usr", "proc", "sys", "dev", "boot", "bin", "sbin", "run", "lib", "lib32", "lib64", "libx32",
    ]

    /// Whether one path is the other, or lies below it.
    package static func path(_ path: String, isWithin folder: String) -> Bool {
        path == folder || folder == "/" || path.hasPrefix(folder + "/")
    }

    /// Why a path was refused, for a person.
    package struct PathRefusal: Error, Sendable, Hashable {
        package let message: String
    }
}

extension Camera.Storage {
    /// Every storage profile that is named.
    package var profiles: Set<ID<StorageProfile>> {
        Set(
            [profileID, motionProfileID, continuousProfileID, snapshotProfileID, archiveProfileID].compactMap { id in
                id.flatMap { $0 > 0 ? ID(Int64($0)) : nil }
            })
    }

    /// The S3 profile that is named as the archive, by a negative number; nil when a folder is, or nothing.
    package var archiveBucket: ID<S3Profile>? { archiveProfileID.flatMap { $0 < 0 ? ID(-Int64($0)) : nil } }

    private static func volume(_ ids: Int?...) -> VolumeID { VolumeID(ids.compactMap { $0 }.first.map { ID(Int64($0)) }) }

    /// Where what is always recorded goes.
    package var continuousVolume: VolumeID { Self.volume(continuousProfileID, profileID) }
    /// Where recordings around motion go.
    package var motionVolume: VolumeID { Self.volume(motionProfileID, profileID) }
    package var snapshotVolume: VolumeID { Self.volume(snapshotProfileID, profileID) }
    /// Where recordings and snapshots move when they are old enough; nil when they stay.
    package var archiveVolume: VolumeID? { archiveAfterHours == nil ? nil : archiveProfileID.map { VolumeID(rawValue: Int64($0)) } }

    /// Goes back to the default folder wherever a profile is named.
    package mutating func forget(_ profile: ID<StorageProfile>) {
        func without(_ named: Int?) -> Int? { named.map(Int64.init) == profile.rawValue ? nil : named }
        profileID = without(profileID)
        motionProfileID = without(motionProfileID)
        continuousProfileID = without(continuousProfileID)
        snapshotProfileID = without(snapshotProfileID)
        archiveProfileID = without(archiveProfileID)
    }

    /// Moves nothing there any more.
    package mutating func forget(_ bucket: ID<S3Profile>) {
        if archiveBucket == bucket { archiveProfileID = nil }
    }
}
