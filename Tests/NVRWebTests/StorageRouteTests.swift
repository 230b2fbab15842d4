import HTTPTypes
import NVRModel
import NVRRecording
import NVRStore
import NVRWeb
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A folder of its own with the folders of a server in it; gone with its files when the test ends.
private final class Disk {
    let path: String

    init() throws {
        var template = Array("/tmp/nvrweb-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? "/tmp/none" }
        for folder in ["/data", "/data/recordings"] { mkdir(path + folder, 0o755) }
    }

    deinit {
        for entry in ["/link", "/file"] { unlink(path + entry) }
        for folder in ["/data/recordings", "/data/ssd", "/data", "/ssd/deep", "/ssd", "/other", ""] { rmdir(path + folder) }
    }
}

@Suite struct StorageRouteTests {
    @Test("Profiles are made with their folder, changed in part, and tell how full their volume is")
    func life() async throws {
        let disk = try Disk()
        let web = try await WebFixture { $0.recordingRoot = disk.path + "/data/recordings" }
        let admin = try await web.bearer()
        let made = try await web.send(
            .post, "/storage/profiles", admin, body: #"{"name": "SSD", "path": "\#(disk.path)//ssd/deep/", "description": "fast", "max_size_gb": 50}"#
        )
        #expect(made.status == 200, "\(made.text)")
        var json = try made.json
        #expect(json["path"] == .string(disk.path + "/ssd/deep") && json["max_size_gb"] == 50.0 && json["id"] == 1)
        guard case .number(let total)? = json["disk"]?["total_gb"], case .number(let free)? = json["disk"]?["free_gb"] else {
            Issue.record("no numbers: \(made.text)")
            return
        }
        #expect(total > 0 && free >= 0 && free <= total)
        #expect(access(disk.path + "/ssd/deep", F_OK) == 0)
        // What is refused leaves no folder behind.
        let taken = try await web.send(.post, "/storage/profiles", admin, body: #"{"name": "ssd", "path": "\#(disk.path)/other"}"#)
        #expect(taken.status == 409 && access(disk.path + "/other", F_OK) != 0, "\(taken.text)")
        json = try await web.send(.put, "/storage/profiles/1", admin, body: #"{"name": "SSD2", "max_size_gb": 60}"#).json
        #expect(json["name"] == "SSD2" && json["description"] == "fast" && json["max_size_gb"] == 60.0)
        #expect(try await web.send(.put, "/storage/profiles/1", admin, body: #"{"description": null}"#).json["description"] == .null)
        #expect(try await web.send(.get, "/storage/profiles/1", admin).json["name"] == "SSD2")
        #expect(try await web.send(.get, "/storage/profiles", admin).json.array?.count == 1)
        rmdir(disk.path + "/ssd/deep")
        #expect(try await web.send(.get, "/storage/profiles/1", admin).json["disk"] == .null)
        let gone = try await web.send(.put, "/storage/profiles/9999", admin, body: #"{"name": "SSD2", "path": "/nowhere/ssd"}"#)
        #expect(try gone.status == 404 && gone.json == ["detail": "Storage profile not found"])
        #expect(access("/nowhere", F_OK) != 0)
        for _ in 0..<2 {
            #expect(try await web.send(.delete, "/storage/profiles/1", admin).json == ["message": "Storage profile deleted successfully"])
        }
        #expect(try await web.send(.get, "/storage/profiles/1", admin).status == 404)
    }

    @Test("Folders of the system, of the server, of another profile, and what is no folder are refused, and nothing is made")
    func refusals() async throws {
        let disk = try Disk()
        let web = try await WebFixture { $0.recordingRoot = disk.path + "/data/recordings" }
        let admin = try await web.bearer()
        func post(_ path: String, name: String = "X") async throws -> Int {
            try await web.send(.post, "/storage/profiles", admin, body: #"{"name": "\#(name)", "path": "\#(path)"}"#).status
        }
        symlink("/etc", disk.path + "/link")
        close(creat(disk.path + "/file", 0o644))
        for path in ["", "ssd", "/data/../etc", disk.path + "/../x"] { #expect(try await post(path) == 422, "\(path)") }
        for path in ["/", "/etc", "/proc/self", "/usr/nowhere/x"] { #expect(try await post(path) == 400, "\(path)") }
        for path in ["/link", "/link/x", "/file", "/file/x", "/data", "", "/data/recordings", "/data/recordings/x"] {
            #expect(try await post(disk.path + path) == 400, "\(path)")
        }
        #expect(access("/etc/x", F_OK) != 0)
        #expect(try await post(disk.path + "/data/ssd") == 200)
        #expect(try await post(disk.path + "/other", name: "x") == 409)
        #expect(try await post(disk.path + "/data/ssd/deeper", name: "Y") == 409)
        for body in ["{}", #"{"name": "SSD"}"#, #"{"name": "a", "path": 5}"#, #"{"name": "a", "path": "/x", "max_size_gb": -1}"#, "[]"] {
            #expect(try await web.send(.post, "/storage/profiles", admin, body: body).status == 422)
        }
        rmdir(disk.path + "/data/ssd/deeper")
    }

    @Test("A profile that holds footage stays with its folder, and a folder that is somebody's is not given away")
    func footage() async throws {
        let disk = try Disk()
        let web = try await WebFixture { $0.recordingRoot = disk.path + "/data/recordings" }
        let admin = try await web.bearer()
        func post(_ name: String, _ path: String) async throws -> WebFixture.Answer {
            try await web.send(.post, "/storage/profiles", admin, body: #"{"name": "\#(name)", "path": "\#(disk.path)/\#(path)"}"#)
        }
        let made = try await post("SSD", "ssd").json
        #expect(made["state"]?["status"] == "new" && made["used_gb"] == 0.0)
        let id = try await web.store.segments.intend(
            Segment(
                id: ID(0), cameraID: ID(1), role: .main, run: 1, volume: VolumeID(rawValue: 1), path: "1/a.mp4", start: WallTime(microseconds: 0),
                end: WallTime(microseconds: 1), bytes: 0, state: .intended, width: 1, height: 1, codecs: "", initLength: 1, timescale: 90_000,
                index: []), isContinuous: false)
        for state in ["announced", "listed"] {
            #expect(try await web.send(.delete, "/storage/profiles/1", admin).status == 409, "\(state)")
            let moved = try await web.send(.put, "/storage/profiles/1", admin, body: #"{"path": "\#(disk.path)/other"}"#)
            #expect(moved.status == 409, "\(state)")
            _ = try await web.store.segments.begin(id, end: WallTime(microseconds: 1), bytes: 1 << 30, initLength: 1)
        }
        #expect(try await web.send(.get, "/storage/profiles/1", admin).json["used_gb"] == 1.0)
        // The same volume at another place.
        let instance = try await web.store.settings.values()[Settings.instanceID]
        mkdir(disk.path + "/other", 0o755)
        try VolumeMarker(instance: instance, volume: VolumeID(rawValue: 1)).write(in: disk.path + "/other")
        #expect(try await post("Other", "other").status == 409)
        let moved = try await web.send(.put, "/storage/profiles/1", admin, body: #"{"path": "\#(disk.path)/other"}"#)
        #expect(try moved.status == 200 && moved.json["path"] == .string(disk.path + "/other"))
        // What was to be deleted there is nobody's when the profile goes, and its mark goes with it.
        _ = try await web.store.segments.markGarbage([id])
        #expect(try await web.send(.delete, "/storage/profiles/1", admin).status == 200)
        #expect(VolumeMarker.look(in: disk.path + "/other") == .bare)
        #expect(try await web.store.segments.garbage().isEmpty)
        try VolumeMarker(instance: "another", volume: VolumeID(rawValue: 1)).write(in: disk.path + "/other")
        #expect(try await post("Theirs", "other").status == 409)
        unlink(disk.path + "/other/" + VolumeMarker.fileName)
    }

    @Test("Health tells of volumes that are not used, without their names")
    func health() async throws {
        let web = try await WebFixture()
        #expect(try await web.send(.get, "/health").json["problems"] == [])
        let volumes = web.volumes
        for id in 1...3 {
            volumes.set(
                VolumeID(rawValue: Int64(id)), .folder("/nowhere/\(id)", marker: nil), name: "secret",
                loss: id == 3 ? nil : VolumeLoss(.notMounted, "its folder is not there", since: WallTime(microseconds: Int64(id) * 1_000_000)))
        }
        let answer = try await web.send(.get, "/health")
        #expect(try answer.status == 200 && answer.json["status"] == "degraded" && !answer.text.contains("secret"))
        #expect(
            try answer.json["problems"] == [
                ["kind": "volume_lost", "cause": "not_mounted", "count": 2, "since": .string(WallTime(microseconds: 1_000_000).iso8601)]
            ])
    }

    @Test("Cameras show the profile that they name, to administrators, and lose one that is deleted")
    func cameras() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let camera = try await web.camera()
        let profile = try await web.store.storageProfiles.insert(
            StorageProfile(id: ID(0), name: "SSD", path: "/data/ssd", maxSize: 5, createdAt: WallTime(microseconds: 0)))
        let named = try await web.send(.put, "/cameras/1", admin, body: #"{"storage_profile_id": 1, "motion_storage_profile_id": 1}"#).json
        #expect(named["storage_profile_id"] == 1 && named["storage_profile"] == profile.json)
        #expect(try await web.send(.post, "/cameras/1/recording", admin).json["motion_storage_profile"] == profile.json)
        #expect(try await web.send(.get, "/cameras/1", try await web.bearer(.viewer)).json["storage_profile"] == .null)
        let unknown = try await web.send(.put, "/cameras/1", admin, body: #"{"storage_profile_id": 7}"#)
        #expect(try unknown.status == 400 && unknown.json["detail"] == "Storage profile 7 does not exist")
        _ = try await web.send(.delete, "/storage/profiles/1", admin)
        #expect(try await web.store.cameras.get(camera.id)?.storage.profiles.isEmpty == true)
    }

    @Test("Whether footage is encrypted is told with the names of keys, what each has, and those that are missing")
    func encryption() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        func segment(_ path: String, key: String?, bytes: Int64) async throws {
            let id = try await web.store.segments.intend(
                Segment(
                    id: ID(0), cameraID: ID(1), role: .main, run: 1, path: path, start: WallTime(microseconds: 1), end: WallTime(microseconds: 1),
                    bytes: 0, state: .intended, width: 1, height: 1, codecs: "avc1.640028", initLength: 0, timescale: 90_000, index: [], key: key),
                isContinuous: false)
            try await web.store.segments.finish(id, SegmentClosing(end: WallTime(microseconds: 9), bytes: bytes, index: [1]))
        }
        try await segment("1/a.mp4", key: nil, bytes: 7)
        let off = try await web.send(.get, "/storage/encryption", admin).json
        #expect(
            off == [
                "enabled": false, "key": nil, "since": nil, "keys": [], "clear": ["recordings": 1, "bytes": 7], "missing_keys": [],
            ])
        #expect(try await web.send(.get, "/storage/encryption", try await web.bearer(.viewer)).status == 403)
        #expect(try await web.send(.get, "/storage/encryption").status == 401)
    }

    @Test("The key for new footage comes first, then what footage has, then what none has; no key is told")
    func keys() async throws {
        let secrets: [[UInt8]] = (1...3).map { [UInt8](repeating: $0, count: 32) }
        let keys = try FootageKeys([secrets[0], secrets[1]])
        let lost = try #require(try FootageKeys([secrets[2]]).writing?.description)
        let writing = try #require(keys.writing?.description)
        let idle = try #require(keys.ids.map(\.description).first { $0 != writing })
        let web = try await WebFixture(keys: keys)
        let admin = try await web.bearer()
        try await web.store.footageKeys.note(writing: writing, at: WallTime(microseconds: 1_790_000_000_000_000))
        for (path, key) in [("1/a.mp4", lost), ("1/b.mp4", lost), ("1/c.mp4", writing)] {
            let id = try await web.store.segments.intend(
                Segment(
                    id: ID(0), cameraID: ID(1), role: .main, run: 1, path: path, start: WallTime(microseconds: 1), end: WallTime(microseconds: 1),
                    bytes: 0, state: .intended, width: 1, height: 1, codecs: "avc1.640028", initLength: 0, timescale: 90_000, index: [], key: key),
                isContinuous: false)
            try await web.store.segments.finish(id, SegmentClosing(end: WallTime(microseconds: 9), bytes: 10, index: [1]))
        }
        let answer = try await web.send(.get, "/storage/encryption", admin)
        let json = try answer.json
        #expect(
            json["enabled"] == true && json["key"] == .string(writing) && json["since"]?.string?.hasPrefix("2026-09-21") == true, "\(answer.text)")
        #expect(json["missing_keys"] == [.string(lost)])
        #expect(
            json["keys"] == [
                ["key": .string(writing), "available": true, "writing": true, "recordings": 1, "bytes": 10],
                ["key": .string(lost), "available": false, "writing": false, "recordings": 2, "bytes": 20],
                ["key": .string(idle), "available": true, "writing": false, "recordings": 0, "bytes": 0],
            ])
        #expect(!answer.text.contains("AQEBAQ") && !answer.text.contains("010101"))
    }
}
