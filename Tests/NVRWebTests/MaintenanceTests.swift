import HTTPTypes
import NVRAccounts
import NVRCameras
import NVRModel
import NVRStore
import NVRWeb
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct MaintenanceTests {
    @Test("Paths of later steps say so, with the rights they will have")
    func later() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let routes = web.server.responder.table.routes.filter { $0.pattern.hasPrefix("/onvif/") || $0.pattern.hasPrefix("/oauth/") }
        #expect(routes.count == 14)
        for route in routes {
            let path = route.pattern.split(separator: "/").map { $0.hasPrefix("{") ? "/1" : "/" + $0 }.joined()
            let answer = try await web.send(route.method, path, admin)
            let detail = try answer.json["detail"]?.string
            #expect(answer.status == 501 && detail?.contains("not available yet") == true, "\(path)")
            #expect(try await web.send(route.method, path).status == (path.hasPrefix("/oauth/") ? 501 : 401), "\(path)")
        }
    }

    @Test("The state of the engine tells what runs, without credentials")
    func engine() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        _ = try await web.store.cameras.update(try await web.camera("Off").id) { $0.general.isActive = false }
        web.world.change {
            $0.health[camera.id] = CameraHealth(status: .connected, since: WallTime(microseconds: 1), isRecording: true, width: 1280, height: 720)
        }
        let answer = try await web.send(.get, "/settings/engine/debug-status", try await web.bearer())
        let json = try answer.json
        #expect(json.object?.keys == ["1"])
        #expect(json["1"]?["connected"] == true && json["1"]?["recording"] == true && json["1"]?["health"] == "CONNECTED")
        #expect(json["1"]?["config"]?["width"] == 1280 && json["1"]?["config"]?["pre_capture"] == 75)
        #expect(!answer.text.contains("p%40ss") && !answer.text.contains("p@ss"))
    }

    @Test("Lines of the log are found by part, level and text")
    func logs() async throws {
        var template = Array("/tmp/nvrweblog-XXXXXX".utf8CString)
        let folder = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? "/tmp"
        }
        let lines = [
            "time=2026-11-22T21:16:59.000Z level=info source=NVRWeb msg=\"one\"",
            "time=2026-11-22T21:17:00.000Z level=warning source=NVRMedia msg=\"Two\" camera=1",
            "time=2026-11-22T21:17:01.000Z level=error source=NVRStore msg=\"three\"", "Fatal error: something else",
        ]
        let output = fopen(folder + "/vibenvr.log", "w")
        fputs(lines.joined(separator: "\n") + "\n", output)
        fclose(output)
        let web = try await WebFixture { $0.logFolder = folder }
        let admin = try await web.bearer()
        func found(_ query: String) async throws -> [String] {
            try await web.send(.get, "/logs/?" + query, admin).json.array?.compactMap(\.string) ?? []
        }
        #expect(try await found("service=all") == lines)
        #expect(try await found("service=backend") == [lines[0], lines[2], lines[3]])
        #expect(try await found("service=engine") == [lines[1]])
        #expect(try await found("service=frontend").isEmpty)
        #expect(try await found("service=all&lines=1") == [lines[3]])
        #expect(try await found("service=all&level=WARNING") == [lines[1], lines[2]])
        #expect(try await found("service=all&search=two") == [lines[1]])
        #expect(try await web.send(.get, "/logs/", admin).json["detail"]?.array?.first?["loc"] == ["query", "service"])
        for query in ["service=nosuch", "service=all&lines=0", "service=all&lines=100000", "service=all&level=loud"] {
            #expect(try await web.send(.get, "/logs/?" + query, admin).status == 422, "\(query)")
        }
        let file = try await web.send(.get, "/logs/download", admin)
        #expect(file.text == lines.joined(separator: "\n") + "\n" && file[.contentDisposition]?.hasPrefix("attachment") == true)
        for path in ["/logs/?service=all", "/logs/download"] {
            #expect(try await web.send(.get, path, try await web.bearer(.viewer)).status == 403)
        }
        #expect(await web.server.audit.write())
        #expect(try await web.store.audit.list(AuditFilter()).map(\.route).contains("/logs/download"))
    }

    @Test("Rows and files are compared one pass at a time, and the state can be asked for")
    func sync() async throws {
        let web = try await WebFixture { $0.recordingRoot = "/tmp/nvr-no-such-folder" }
        let admin = try await web.bearer()
        let idle = try await web.send(.get, "/settings/sync-orphans/status", admin).json
        #expect(idle["status"] == "idle" && idle["started_at"] == .null)
        let started = try await web.send(.post, "/settings/sync-orphans", admin)
        #expect(started.status == 200)
        var status = try started.json
        while status["status"] == "running" { status = try await web.send(.get, "/settings/sync-orphans/status", admin).json }
        #expect(status["status"] == "completed" && status["progress"] == 100 && status["problems"] == 0 && status["finished_at"] != .null)
    }

    @Test("Numbers for a dashboard have the keys of the reference")
    func homepage() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        web.world.change {
            $0.health[camera.id] = CameraHealth(status: .connected, since: WallTime(microseconds: 1), isRecording: true)
        }
        _ = try await web.event(of: camera.id, at: web.world.value.wall - 1_000_000)
        _ = try await web.event(of: camera.id, at: web.world.value.wall - 400 * 86_400_000_000)
        let key = try await web.apiKey()
        let json = try await web.send(.get, "/v1/homepage/stats", key).json
        #expect(
            json.object?.keys == [
                "cameras_total", "cameras_online", "cameras_recording", "events_today", "events_this_week", "events_this_month",
                "last_event_time", "last_event_camera", "storage_used_gb", "storage_total_gb", "storage_percent", "uptime",
            ])
        #expect(json["cameras_online"] == 1 && json["cameras_recording"] == 1 && json["events_today"] == 1 && json["events_this_month"] == 1)
        #expect(json["last_event_camera"] == "Front Door" && json["last_event_time"]?.string?.count == 19)
        // What is committed is seen at once, though numbers are kept.
        _ = try await web.event(of: camera.id, at: web.world.value.wall - 500_000)
        #expect(try await web.send(.get, "/v1/homepage/stats", key).json["events_today"] == 2)
        #expect(try await web.send(.get, "/v1/homepage/stats").json == ["detail": "API Key required"])
    }

    @Test("Somebody who may see one camera hears the numbers of that one")
    func restricted() async throws {
        let web = try await WebFixture()
        _ = try await web.signIn(.admin)
        let (first, second) = (try await web.camera("A"), try await web.camera("B"))
        for camera in [first, second, second] { _ = try await web.event(of: camera.id, at: web.world.value.wall - 1_000_000) }
        let viewer = try await web.signIn(.viewer)
        _ = try await web.accounts.update(viewer.user.id) {
            $0.restrictCameraAccess = true
            $0.cameraGrants = [.init(id: first.id)]
        }
        let headers: HTTPFields = [.authorization: "Bearer \(try await web.signIn(.viewer).accessToken)"]
        let stats = try await web.send(.get, "/stats", headers).json
        #expect(stats["total_events"] == 1 && stats["events_24h"] == 1 && stats["details"]?["cameras"]?.object?.keys == ["1"])
        let hours = try await web.send(.get, "/stats/history", headers).json.array
        #expect(hours?.last?["events"] == 1)
        #expect(try await web.send(.get, "/v1/homepage/stats", headers).json["events_today"] == 1)
        #expect(try await web.send(.get, "/stats", try await web.bearer()).json["total_events"] == 3)
    }

    @Test("The load of the machine is read from its own files")
    func hostLoad() throws {
        var template = Array("/tmp/nvrproc-XXXXXX".utf8CString)
        let root = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? "/tmp"
        }
        mkdir(root + "/net", 0o700)
        mkdir(root + "/self", 0o700)
        func write(_ name: String, _ text: String) {
            let output = fopen(root + "/" + name, "w")
            fputs(text, output)
            fclose(output)
        }
        write("stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3 4\n")
        write("meminfo", "MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB\n")
        write("net/dev", "Inter-| x\n face | y\n    lo: 9 0 0 0 0 0 0 0 9 0\n  eth0: 1000000 0 0 0 0 0 0 0 2000000 0\n")
        let load = HostLoad(root: root)
        let first = load.reading(at: 0)
        #expect(first.hostCPUPercent == nil && first.hostUsedBytes == 12_000 * 1024 && first.hostTotalBytes == 16_000 * 1024)
        write("stat", "cpu  150 0 150 750 150 0 0 0 0 0\n")
        write("net/dev", "  eth0: 2000000 0 0 0 0 0 0 0 4000000 0\n    lo: 99999999 0 0 0 0 0 0 0 99999999 0\n")
        let second = load.reading(at: 2_000_000)
        #expect(second.hostCPUPercent == 50 && second.receivedMbps == 4 && second.sentMbps == 8)
    }
}
