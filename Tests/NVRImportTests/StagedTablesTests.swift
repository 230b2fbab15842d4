#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import NVRImport
import NVRModel
import NVRRecording
import NVRStore
import Testing

@Suite("Staged tables and what was imported")
struct StagedTablesTests {
    /// A folder that goes with the test.
    private final class Folder {
        let path: String

        init() throws {
            var template = Array("/tmp/nvrimport-XXXXXX".utf8CString)
            let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) != nil }
            try #require(made)
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        func write(_ text: String, to name: String) throws -> String {
            let file = try POSIXFile.create(path + "/" + name)
            try Array(text.utf8).withUnsafeBytes { try file.write([$0], at: 0) }
            return path + "/" + name
        }

        deinit {
            for name in ["source.db", "source.db-journal", "dump.sql"] { unlink(path + "/" + name) }
            rmdir(path)
        }
    }

    @Test("rows come back in the order of columns, too long texts as null")
    func rows() throws {
        let folder = try Folder()
        let tables = try StagedTables(creating: folder.path + "/source.db")
        try tables.create("events", ["id", "kind", "note"])
        try tables.insert("events", [["2", "a", "x"], ["1", "b", String(repeating: "y", count: 100)], ["3", "a", nil], ["too few"]])
        let order = try tables.order(of: "events", by: ["kind", "none", "id"])
        let rows = try tables.rows("events", order, longest: 50)
        #expect(rows.map { $0["id"]?.text } == ["2", "3", "1"])
        #expect(rows.map { $0["note"] } == [.text("x"), .null, .null])
        #expect(try tables.order(of: "none", by: ["id"]).isEmpty)
        #expect(throws: NVRError.self) { try tables.create("odd\"name", ["id"]) }
        #expect(throws: NVRError.self) { try tables.create("odd", ["a", "A"]) }
        try tables.close()
    }

    @Test("a dump is staged, with what is wrong with it told")
    func dump() throws {
        let folder = try Folder()
        let path = try folder.write(
            """
            COPY public.cameras (id, rtsp_url, name) FROM stdin;
            1\trtsp://192.0.2.1/a\tFront
            2\tshort
            \\.
            INSERT INTO public.cameras (name, id) VALUES ('Back', 3);
            INSERT INTO public.cameras (id, other) VALUES (4, 'x');

            """, to: "dump.sql")
        var problems: [String] = []
        let tables = try ReferenceSource.open(path, staging: folder.path) { place, reason in
            problems.append("\(place): \(reason)")
        } progress: { _ in
        }
        let rows = try tables.rows("cameras", tables.order(of: "cameras", by: ["id"]), longest: 100).map(ReferenceRow.init)
        #expect(rows.map { $0.integer("id") } == [1, 3])
        #expect(rows.map { $0.text("name") } == ["Front", "Back"])
        #expect(problems.count == 2)
        try tables.close()
    }

    @Test("what was brought is known by its installation, and events come once")
    func imports() async throws {
        let store = try Store.inMemory()
        var camera = Camera(id: ID(0), createdAt: WallTime(microseconds: 0))
        camera.streams.url = "rtsp://192.0.2.1/a"
        let id = try await store.cameras.insert(camera).id
        let event = Event(
            id: ID(0), cameraID: id, medium: .video, kind: .motion, start: WallTime(microseconds: 5), end: WallTime(microseconds: 9),
            metadata: #"{"labels":["Person"]}"#)
        #expect(try await store.imports.insert([("7", event), ("8", event)], of: "a") == 2)
        #expect(try await store.imports.insert([("7", event), ("9", event)], of: "a") == 1)
        #expect(try await store.imports.known(["7", "8", "10"], .event, of: "a") == ["7", "8"])
        #expect(try await store.imports.known(["7"], .event, of: "b").isEmpty)
        var filter = EventFilter()
        filter.label = "person"
        #expect(try await store.events.list(filter).count == 3)
        try await store.imports.note(["1": id.rawValue, "2": nil], .camera, of: "a")
        #expect(try await store.imports.targets(.camera, of: "a") == ["1": id.rawValue])
        #expect(try await store.imports.covered(id, TimeRange(start: WallTime(microseconds: .min), end: WallTime(microseconds: .max))).isEmpty)
    }

    @Test("the rows of a database become a backup that is read by its rules")
    func document() throws {
        let folder = try Folder()
        let tables = try StagedTables(creating: folder.path + "/source.db")
        try tables.create("cameras", ["id", "name", "rtsp_url", "is_active", "framerate", "text_scale", "motion_masks", "created_at"])
        try tables.insert("cameras", [["1", "Front", "rtsp://192.0.2.1/a", "f", "12", "1.5", "[]", "2026-01-02 03:04:05+00"]])
        try tables.create("users", ["id", "username", "hashed_password", "role"])
        try tables.insert("users", [["4", "boss", "$argon2id$x", "admin"]])
        try tables.create("user_camera_access", ["user_id", "camera_id", "can_view", "can_replay", "can_control"])
        try tables.insert("user_camera_access", [["4", "1", "t", "f", "t"], ["9", "1", "t", "t", "t"]])
        try tables.create("storage_profiles", ["id", "name", "path", "storage_type"])
        try tables.insert("storage_profiles", [["1", "SSD", "/storage/ssd", "local"], ["2", "Away", "/", "sftp"]])
        var document = ReferenceDocument(
            tables: tables, paths: ReferencePaths(recordings: nil, mappings: [.init(from: "/storage", to: "/mnt")]))
        let json = try document.json()
        let camera = json["cameras"]?.array?.first
        #expect(camera?["is_active"] == false && camera?["framerate"] == 12 && camera?["text_scale"] == 1.5)
        #expect(camera?["created_at"] == "2026-01-02T03:04:05Z")
        let access = json["users"]?.array?.first?["camera_accesses"]?.array
        #expect(access?.count == 1 && access?.first?["can_replay"] == false && access?.first?["can_control"] == true)
        #expect(json["storage_profiles"]?.array?.map { $0["path"] } == ["/mnt/ssd"])
        #expect(document.notes.count == 1)
        #expect(try document.source() == "vibenvr:users:4:")
        try tables.close()
    }
}
