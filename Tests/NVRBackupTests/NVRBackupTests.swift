import Argon2
import Logging
import NVRBackup
import NVRBase
import NVRModel
import NVRStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A point of time that tests count from, and seconds after it.
func at(_ seconds: Int64) -> WallTime { WallTime(microseconds: 1_795_000_000_000_000 + seconds * 1_000_000) }

let hour: Int64 = 3600

final class TestClock: NVRClock {
    private let seconds = Atomic(Int64(0))
    func monotonic() -> Int64 { wall() }
    func wall() -> Int64 { at(seconds.load(ordering: .relaxed)).microseconds }
    func set(_ value: Int64) { seconds.store(value, ordering: .relaxed) }
}

/// A folder that is removed with everything in it when the test ends.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/nvrbackup-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return "/tmp/nvrbackup" }
            return String(cString: made)
        }
    }

    deinit {
        for folder in [path + "/backups/folder.json", path + "/backups", path] {
            if let stream = opendir(folder) {
                while let entry = readdir(stream) {
                    unlinkat(
                        dirfd(stream), withUnsafePointer(to: &entry.pointee.d_name) { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }, 0)
                }
                closedir(stream)
            }
            rmdir(folder)
        }
    }
}

/// A hash of "Bench-Passw0rd!" that costs nothing to check.
func hash(_ password: String = "Bench-Passw0rd!") throws -> String {
    try PasswordHash.make(password, parameters: PasswordHash.Parameters(memory: 64, passes: 1))
}

let rules = BackupReader.Rules(urls: CameraURL.Rules()) { path in
    if path.hasPrefix("/nowhere") || path.hasPrefix("/etc") { throw NVRError(.invalid, "its folder \(path) cannot be written here") }
    return path
}

/// A store with one of everything that a backup holds.
struct House {
    let store: Store
    let folder = TemporaryFolder()
    let clock = TestClock()
    let door: Camera
    let yard: Camera
    let group: CameraGroup
    let profile: StorageProfile
    let admin: User
    let viewer: User

    init() async throws {
        store = try Store.inMemory()
        profile = try await store.storageProfiles.insert(
            StorageProfile(id: ID(0), name: "SSD", path: "/srv/ssd", description: "fast", maxSize: 100, createdAt: at(0)))
        var door = Camera(id: ID(0), createdAt: at(1), name: "Door", url: "rtsp://user:Planted-Url@192.0.2.1/main")
        door.onvif.password = "Planted-Onvif"
        door.storage.profileID = Int(profile.id.rawValue)
        var bucket = S3Profile(
            id: ID(0), name: "Cellar", endpoint: "https://s3.example.com", bucket: "footage", accessKey: "AKIA", secretKey: "Planted-Bucket",
            createdAt: at(0))
        bucket.prefix = "home"
        bucket.maxSize = 7
        door.storage.archiveProfileID = -Int(try await store.s3Profiles.insert(bucket).id.rawValue)
        door.storage.archiveAfterHours = 12
        door.detection.motionMasks = [Mask(points: [.init(x: 0, y: 0), .init(x: 1, y: 0), .init(x: 0.5, y: 1)])]
        door.schedule.sunday.isEnabled = false
        self.door = try await store.cameras.insert(door)
        yard = try await store.cameras.insert(Camera(id: ID(0), createdAt: at(2), name: "Yard", url: "rtsp://192.0.2.2/main"))
        group = try await store.groups.insert(
            CameraGroup(id: ID(0), name: "Outside", description: "both", createdAt: at(3), cameras: [self.door.id, yard.id]))
        try await store.settings.set(["smtp_password": "Planted-Smtp", "opt_live_view_quality": "61", "backup_auto_retention": "3"])
        admin = try await store.users.insert(
            User(id: ID(0), username: "admin", email: "a@example.com", role: .admin, createdAt: at(4)), passwordHash: try hash())
        var viewer = User(id: ID(0), username: "viewer", role: .viewer, createdAt: at(5))
        viewer.restrictCameraAccess = true
        viewer.language = "de"
        viewer.cameraGrants = [Grant(id: self.door.id, canView: true, canReplay: false, canControl: false)]
        viewer.groupGrants = [Grant(id: group.id, canView: true, canReplay: true, canControl: true)]
        self.viewer = try await store.users.insert(viewer, passwordHash: try hash())
        _ = try await store.tokens.insert(
            APIToken(id: ID(0), userID: self.viewer.id, name: "tablet", createdAt: at(6), expiresAt: at(1_000_000)),
            hash: Array(repeating: 7, count: 32))
    }

    /// The document of a backup made now.
    func document() async throws -> JSONValue {
        // Through text, as it would be read from a file.
        try JSONValue(parsing: BackupDocument.json(try await store.configuration(), at: at(10), madeBy: "1.2.3").serialized())
    }

    func backups(passphrase: String? = nil, folder path: String = "/backups") -> Backups {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return Backups(
            store: store, folder: BackupFolder(path: folder.path + path), rules: rules, version: "1.2.3", passphrase: passphrase.map { Secret($0) },
            clock: clock, logger: logger)
    }
}

/// What a document holds, read with the rules of the tests.
func read(_ document: JSONValue, at time: WallTime = at(10)) throws -> (configuration: StoredConfiguration, warnings: [String]) {
    var reader = BackupReader(rules: rules, now: time)
    let configuration = try reader.read(document)
    return (configuration, reader.warnings)
}

extension JSONValue {
    /// A copy with the value at a path of keys and indexes changed.
    func changing(_ path: [String], to value: JSONValue?) -> JSONValue {
        guard let step = path.first else { return value ?? .null }
        let rest = Array(path.dropFirst())
        switch self {
        case .object(var object):
            object[step] = rest.isEmpty ? value : (object[step] ?? .null).changing(rest, to: value)
            return .object(object)
        case .array(var array):
            guard let index = Int(step), array.indices.contains(index) else { return self }
            array[index] = array[index].changing(rest, to: value)
            return .array(array)
        default: return self
        }
    }
}
