import NVRBackup
import NVRBase
import NVRModel
import NVRStore
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#endif

private struct Fault: Error {}

/// Throws at one of many calls.
private final class FaultAt: Sendable {
    private let left: Atomic<Int>
    init(_ call: Int) { left = Atomic(call) }
    func pass() throws { if left.subtract(1, ordering: .relaxed).newValue == 0 { throw Fault() } }
    var calls: Int { -left.load(ordering: .relaxed) }
}

@Suite("Restoring")
struct RestoreTests {
    /// What a restore of the house's backup gives on a fresh server that already has an administrator.
    private func freshStore() async throws -> Store {
        let store = try Store.inMemory()
        _ = try await store.users.insert(User(id: ID(0), username: "root", role: .admin, createdAt: at(0)), passwordHash: "root's hash")
        return store
    }

    @Test("On a fresh server everything is there again, with rights led to the new ids")
    func fresh() async throws {
        let house = try await House()
        let store = try await freshStore()
        // Ids differ from those of the backup.
        let other = try await store.cameras.insert(Camera(id: ID(0), createdAt: at(0), name: "Other", url: "rtsp://192.0.2.9/x"))
        _ = try await store.s3Profiles.insert(
            S3Profile(id: ID(0), name: "Mine", endpoint: "https://s3.example.com", bucket: "mine", accessKey: "a", secretKey: "b", createdAt: at(0)))
        let report = try await store.restore(try read(try await house.document()).configuration, passwordless: "none")
        #expect(report.cameras == 2 && report.groups == 1 && report.storageProfiles == 1 && report.users == 2 && report.apiKeys == 1)
        #expect(report.s3Profiles == 1)
        #expect(report.settings == 3 && report.warnings.isEmpty && report.usersWithoutPassword.isEmpty)
        let now = try await store.configuration()
        let was = try await house.store.configuration()
        #expect(now.instance != was.instance && now.settings == was.settings)
        #expect(now.cameras.map(\.general.name).sorted() == ["Door", "Other", "Yard"])
        let door = try #require(now.cameras.first { $0.general.name == "Door" })
        #expect(door.id != house.door.id && door.streams.url == house.door.streams.url && door.onvif.password == "Planted-Onvif")
        #expect(door.storage.profileID.map(Int64.init) == now.storageProfiles.first?.id.rawValue)
        let bucket = try #require(now.s3Profiles.first { $0.name == "Cellar" })
        #expect(bucket.id == ID(2) && bucket.secretKey == "Planted-Bucket" && bucket.maxSize == 7 && door.storage.archiveBucket == bucket.id)
        #expect(now.groups.first?.cameras.contains(other.id) == false && now.groups.first?.cameras.count == 2)
        let viewer = try #require(now.users.first { $0.user.username == "viewer" })
        #expect(viewer.user.cameraGrants.map(\.id) == [door.id] && viewer.user.cameraGrants.first?.canReplay == false)
        #expect(viewer.user.groupGrants.map(\.canControl) == [true] && viewer.user.language == "de" && viewer.user.restrictCameraAccess)
        #expect(viewer.tokens.map(\.hash) == [Array(repeating: 7, count: 32)])
        #expect(now.users.first { $0.user.username == "admin" }?.passwordHash == was.users.first { $0.user.username == "admin" }?.passwordHash)
        #expect(try await store.users.credentials(username: "root")?.passwordHash == "root's hash")
    }

    @Test("On its own server a backup brings back what was changed and deleted, under the same ids, and keeps what came later")
    func own() async throws {
        let house = try await House()
        let document = try await house.document()
        let before = try await house.store.configuration()
        _ = try await house.store.cameras.delete(house.door.id, at: at(11))
        _ = try await house.store.cameras.update(house.yard.id) { $0.streams.url = "rtsp://192.0.2.77/changed" }
        let later = try await house.store.cameras.insert(Camera(id: ID(0), createdAt: at(12), name: "Later", url: "rtsp://192.0.2.3/x"))
        _ = try await house.store.groups.setCameras(house.group.id, [later.id])
        _ = try await house.store.users.update(house.viewer.id) {
            $0.restrictCameraAccess = false
            $0.cameraGrants = [Grant(id: later.id)]
        }
        try await house.store.users.setPasswordHash(house.admin.id, "a newer password")
        try await house.store.settings.set(["opt_live_view_quality": "90", "smtp_port": "25"])
        var changes = house.store.changes.subscribe().makeAsyncIterator()

        let report = try await house.store.restore(try read(document).configuration, passwordless: "none")
        #expect(report.cameras == 2 && report.settings == 2 && report.groups == 1 && report.users == 1 && report.apiKeys == 0)
        let now = try await house.store.configuration()
        #expect(now.settings == before.settings)
        #expect(now.cameras.first { $0.id == house.door.id } == house.door)
        #expect(now.cameras.first { $0.id == house.yard.id } == house.yard)
        #expect(now.cameras.contains { $0.id == later.id })
        #expect(now.groups.first?.cameras == [house.door.id, house.yard.id, later.id])
        #expect(now.users.last?.user.restrictCameraAccess == true)
        #expect(now.users.last?.user.cameraGrants.map(\.id) == [house.door.id, later.id])
        // Whoever exists signs in as before.
        #expect(try await house.store.users.credentials(username: "admin")?.passwordHash == "a newer password")
        var announced: Set<StoreChange> = []
        for _ in 0..<5 { if let change = await changes.next() { announced.insert(change) } }
        #expect(
            announced.isSuperset(of: [
                .camera(house.door.id), .camera(house.yard.id), .setting("opt_live_view_quality"), .setting("smtp_port"), .group(house.group.id),
            ]))
        // Again: there is nothing left to do.
        #expect(try await house.store.restore(try read(document).configuration, passwordless: "none") == RestoreReport())
    }

    @Test("A fault before any row that is written, and before the commit, leaves everything as it was")
    func faults() async throws {
        let house = try await House()
        let wanted = try read(try await house.document()).configuration
        let counting = FaultAt(0)
        _ = try await freshStore().restore(wanted, passwordless: "none") { try counting.pass() }
        #expect(counting.calls >= 9)
        for call in 1...counting.calls {
            let store = try await freshStore()
            _ = try await store.cameras.insert(Camera(id: ID(0), createdAt: at(0), name: "Kept", url: "rtsp://192.0.2.2/main"))
            try await store.settings.set(["smtp_password": "Kept", "mqtt_port": "1"])
            let before = try await store.configuration()
            let changes = store.changes.subscribe()
            let fault = FaultAt(call)
            await #expect(throws: (any Error).self, "fault \(call)") {
                try await store.restore(wanted, passwordless: "none") { try fault.pass() }
            }
            #expect(try await store.configuration() == before, "fault \(call)")
            #expect(try await store.problems().isEmpty)
            try store.close()
            var announced: [StoreChange] = []
            for await change in changes { announced.append(change) }
            #expect(announced.isEmpty, "nothing is announced that did not happen")
        }
    }

    @Test("An administrator is left, or nothing happens")
    func lastAdministrator() async throws {
        let house = try await House()
        let document = try await house.document().changing(["users", "0", "role"], to: "viewer").changing(["cameras", "0", "name"], to: "Renamed")
        let before = try await house.store.configuration()
        let error = await #expect(throws: NVRError.self) {
            try await house.store.restore(try read(document).configuration, passwordless: "none")
        }
        #expect(error?.kind == .conflict)
        #expect(try await house.store.configuration() == before)
    }

    @Test("Fields that a backup does not know stay as they are, as in one of an older version; those it knows wrongly get their defaults")
    func olderBackup() async throws {
        let house = try await House()
        var document = try await house.document()
        for field in ["archive_after_hours", "archive_storage_profile_id", "motion_masks", "is_active"] {
            document = document.changing(["cameras", "0", field], to: nil)
        }
        document = document.changing(["cameras", "0", "rotation"], to: 45)
        let changed = try await house.store.cameras.update(house.door.id) { camera in
            camera.general.name = "Changed"
            camera.storage.archiveAfterHours = 99
            camera.streams.rotation = 90
            camera.general.isActive = false
        }
        let report = try await house.store.restore(try read(document).configuration, passwordless: "none")
        #expect(report.cameras == 1 && report.warnings.isEmpty)
        var expected = changed
        expected.general.name = "Door"
        expected.streams.rotation = 0
        #expect(try await house.store.cameras.get(house.door.id) == expected)
    }

    @Test("An API key that was revoked since the backup stays revoked, unless its user comes back with it")
    func revokedKeys() async throws {
        let house = try await House()
        let document = try await house.document()
        let key = try #require(try await house.store.tokens.list(of: house.viewer.id).first)
        #expect(try await house.store.tokens.delete(key.id, of: house.viewer.id))
        #expect(try await house.store.restore(try read(document).configuration, passwordless: "none") == RestoreReport())
        #expect(try await house.store.tokens.list(of: house.viewer.id).isEmpty)
        #expect(try await house.store.users.delete(house.viewer.id))
        let report = try await house.store.restore(try read(document).configuration, passwordless: "none")
        #expect(report.users == 1 && report.apiKeys == 1)
    }

    @Test("A profile or bucket that was renamed since is the same by its place: cameras go on recording there")
    func renamed() async throws {
        let house = try await House()
        let document = try await house.document()
        _ = try await house.store.storageProfiles.update(house.profile.id) { $0.name = "Fast disk" }
        let bucket = try #require(try await house.store.s3Profiles.all().first).id
        _ = try await house.store.s3Profiles.update(bucket) { $0.name = "Attic" }
        let report = try await house.store.restore(try read(document).configuration, passwordless: "none")
        #expect(report.warnings.isEmpty && report.storageProfiles == 1 && report.s3Profiles == 1 && report.cameras == 0, "\(report)")
        #expect(try await house.store.cameras.get(house.door.id) == house.door)
        #expect(try await house.store.storageProfiles.all() == [house.profile])
        #expect(try await house.store.s3Profiles.all().map(\.name) == ["Cellar"])
    }

    @Test("A folder that is not mounted at the moment is no reason to record elsewhere, where its profile is known")
    func notMounted() async throws {
        let house = try await House()
        let nas = try await house.store.storageProfiles.insert(StorageProfile(id: ID(0), name: "NAS", path: "/nowhere/nas", createdAt: at(0)))
        let yard = try await house.store.cameras.update(house.yard.id) { $0.storage.profileID = Int(nas.id.rawValue) }
        let document = try await house.document()
        _ = try await house.store.cameras.update(house.yard.id) { $0.general.name = "Changed" }
        let report = try await house.store.restore(try read(document).configuration, passwordless: "none")
        #expect(report.warnings.isEmpty && report.cameras == 1, "\(report)")
        #expect(try await house.store.cameras.get(house.yard.id) == yard)
        // Elsewhere it cannot be made, and that is told.
        let store = try await freshStore()
        let other = try await store.restore(try read(document).configuration, passwordless: "none")
        #expect(other.warnings.contains { $0.contains("storage profile NAS was left out") && $0.contains("/nowhere/nas") })
        #expect(other.warnings.contains { $0.contains("camera Yard") } && other.warnings.allSatisfy { Reason($0) != nil }, "\(other.warnings)")
        #expect(try await store.cameras.all().first { $0.general.name == "Yard" }?.storage.profileID == nil)
    }

    @Test("Cameras of which only footage was found are in backups as they are, and come once wherever that is restored")
    func found() async throws {
        let house = try await House()
        let ids = try await house.store.cameras.insertFound([ID(40), ID(41)], at: at(7))
        #expect(ids.count == 2)
        let before = try await house.store.configuration()
        let document = try await house.document()
        #expect(try read(document).warnings.isEmpty)
        #expect(try await house.store.restore(try read(document).configuration, passwordless: "none") == RestoreReport())
        _ = try await house.store.cameras.delete(ID(40), at: at(8))
        #expect(try await house.store.restore(try read(document).configuration, passwordless: "none").cameras == 1)
        #expect(try await house.store.configuration().cameras == before.cameras)
        let store = try await freshStore()
        for cameras in [4, 0] {
            #expect(try await store.restore(try read(document).configuration, passwordless: "none").cameras == cameras)
        }
        #expect(try await store.cameras.all().count { $0.streams.url.isEmpty && !$0.general.isActive } == 2)
    }

    @Test("Users without a usable password exist and are named; profiles that find no room are left out")
    func leftovers() async throws {
        let house = try await House()
        let store = try await freshStore()
        _ = try await store.storageProfiles.insert(StorageProfile(id: ID(0), name: "Mine", path: "/srv", createdAt: at(0)))
        let document = try await house.document().changing(["users", "1", "hashed_password"], to: "$2b$12$x")
        let report = try await store.restore(try read(document).configuration, passwordless: "none")
        #expect(report.usersWithoutPassword == ["viewer"])
        #expect(try await store.users.credentials(username: "viewer")?.passwordHash == "none")
        #expect(report.warnings.allSatisfy { Reason($0) != nil }, "\(report.warnings)")
        #expect(report.warnings.contains { $0.contains("SSD") } && report.warnings.contains { $0.contains("Door") })
        #expect(try await store.cameras.all().allSatisfy { $0.storage.profiles.isEmpty })
    }
}

@Suite("Backups of a server")
struct BackupsTests {
    @Test("An export can be imported, in plain text and encrypted; a wrong passphrase changes nothing")
    func exports() async throws {
        let house = try await House()
        let backups = house.backups()
        let plain = try await backups.export(passphrase: nil)
        let sealed = try await backups.export(passphrase: Secret("correct horse"))
        #expect(plain.name == "vibenvr_backup_20261118_110640Z.json")
        #expect(plain.text.contains("Planted-Url") && !sealed.text.contains("Planted"))
        await #expect(throws: NVRError.self) { try await backups.export(passphrase: Secret("short")) }
        _ = try await house.store.cameras.update(house.yard.id) { $0.general.name = "Changed" }
        for (text, passphrase) in [("", nil), ("{", nil), ("[]", nil), (sealed.text, nil), (sealed.text, Secret("wrong horse"))]
            as [(String, Secret?)]
        {
            let error = await #expect(throws: NVRError.self) { try await backups.restore(Array(text.utf8), passphrase: passphrase) }
            #expect(error?.kind == .invalid)
        }
        #expect(try await backups.list().isEmpty, "nothing was about to change")
        #expect(try await house.store.cameras.get(house.yard.id)?.general.name == "Changed")
        let restored = try await backups.restore(Array(sealed.text.utf8), passphrase: Secret("correct horse"))
        #expect(restored.report.cameras == 1 && restored.safetyBackup.occasion == .safety)
        #expect(try await house.store.cameras.get(house.yard.id)?.general.name == "Yard")
        // The safety backup holds what was there before.
        _ = try await backups.restore(file: restored.safetyBackup.name, passphrase: nil)
        #expect(try await house.store.cameras.get(house.yard.id)?.general.name == "Changed")
        #expect(try await backups.list().count == 2)
    }

    @Test("Files in the folder are encrypted when the server has a passphrase, and restored with it")
    func encryptedFolder() async throws {
        let house = try await House()
        let file = try await house.backups(passphrase: "of the server").make(.manual)
        let text = String(decoding: try BackupFolder(path: house.folder.path + "/backups").read(file.name), as: UTF8.self)
        #expect(!text.contains("Planted") && text.contains("vibenvr-encrypted-backup"))
        #expect(try await house.backups(passphrase: "of the server").restore(file: file.name, passphrase: nil).report == RestoreReport())
        await #expect(throws: NVRError.self) { try await house.backups().restore(file: file.name, passphrase: nil) }
        _ = try await house.backups().restore(file: file.name, passphrase: Secret("of the server"))
    }

    @Test("What is being restored is not deleted for the safety backup")
    func spared() async throws {
        let house = try await House()
        let backups = house.backups()
        var files: [BackupFile] = []
        for number in 0..<3 as Range<Int64> {
            house.clock.set(number)
            files.append(try await backups.make(.safety))
        }
        house.clock.set(10)
        let restored = try await backups.restore(file: files[0].name, passphrase: nil)
        #expect(try await backups.list() == [restored.safetyBackup, files[2], files[1], files[0]])
        // A restore that changes nothing leaves no backup, and pushes none out.
        let text = try await house.document().changing(["users", "0", "role"], to: "viewer").serialized()
        await #expect(throws: NVRError.self) { try await backups.restore(Array(text.utf8), passphrase: nil) }
        #expect(try await backups.list().count == 4)
    }

    @Test("Without a safety backup nothing is restored")
    func noSafety() async throws {
        let house = try await House()
        let text = try await house.backups().export(passphrase: nil).text
        _ = try await house.store.cameras.update(house.yard.id) { $0.general.name = "Changed" }
        let before = try await house.store.configuration()
        let file = try #require(fopen(house.folder.path + "/file", "w"))
        fclose(file)
        await #expect(throws: NVRError.self) { try await house.backups(folder: "/file").restore(Array(text.utf8), passphrase: nil) }
        #expect(try await house.store.configuration() == before)
        unlink(house.folder.path + "/file")
    }

    @Test("The schedule makes a backup when it is due and keeps as many as it is told")
    func schedule() async throws {
        let house = try await House()
        let backups = house.backups()
        await backups.makeWhenDue()
        #expect(try await backups.list().isEmpty)
        try await house.store.settings.set(["backup_auto_enabled": "true", "backup_auto_frequency_hours": "6"])
        let manual = try await backups.make(.manual)
        for round in 0..<5 as Range<Int64> {
            house.clock.set(round * 6 * hour)
            await backups.makeWhenDue()
            house.clock.set(round * 6 * hour + hour)
            await backups.makeWhenDue()
        }
        let files = try await backups.list()
        #expect(files.filter { $0.occasion == .auto }.map(\.writtenAt) == [at(24 * hour), at(18 * hour), at(12 * hour)])
        #expect(files.contains(manual))
    }
}
