import HTTPTypes
import NVRModel
import NVRWeb
import Testing

@Suite struct SystemRouteTests {
    @Test("The root greets programs in JSON and people with the page")
    func root() async throws {
        let web = try await WebFixture()
        let greeting = try await web.send(.get, "/")
        #expect(try greeting.json == ["message": "Welcome to VibeNVR API"])
        let page = try await web.send(.get, "/", [.accept: "text/html,application/xhtml+xml,*/*;q=0.8"])
        #expect(page[.contentType] == "text/html; charset=utf-8" && page.text.contains("<title>VibeNVR</title>"))
        #expect(page[.vary]?.contains("Accept") == true)
        let unchanged = try await web.send(.get, "/ui/docs.js", [.ifNoneMatch: try #require(try await web.send(.get, "/ui/docs.js")[.eTag])])
        #expect(unchanged.status == 304 && unchanged.body.isEmpty)
        #expect(try await web.send(.get, "/ui/nosuch.js").status == 404)
    }

    @Test("A browser that goes to a place inside of the page gets the page; a program that asks for a file that is not there does not")
    func places() async throws {
        let web = try await WebFixture()
        let html: HTTPFields = [.accept: "text/html"]
        for path in ["/ui", "/ui/", "/ui/live", "/ui/cameras/7/motion"] {
            let page = try await web.send(.get, path, html)
            #expect(page.status == 200 && page[.contentType]?.hasPrefix("text/html") == true, "\(path)")
        }
        #expect(try await web.send(.get, "/ui/live").status == 404)
        #expect(try await web.send(.get, "/ui/assets/old-1234.js", html).status == 404)
        #expect(try await web.send(.get, "/cameras/7", html).status == 401)
    }

    @Test("The page hears the server's version and time zone before anybody signs in")
    func facts() async throws {
        let answer = try await WebFixture().send(.get, "/ui/server.json")
        #expect(answer.status == 200 && answer[.contentType] == "application/json")
        #expect(try answer.json["version"] == "1.2.3" && answer.json.object?.keys == ["version", "time_zone"])
    }

    @Test("The page loads only what the server has, and nothing inline")
    func page() async throws {
        let web = try await WebFixture()
        let page = try await web.send(.get, "/ui/").text
        for attribute in ["src=\"", "href=\"/"] {
            for piece in page.split(separator: attribute, omittingEmptySubsequences: false).dropFirst() {
                let path = (attribute == "src=\"" ? "" : "/") + piece.prefix { $0 != "\"" }
                #expect(try await web.send(.get, path).status == 200, "\(path)")
            }
        }
        #expect(!page.contains("style=\"") && !page.contains(" onclick=") && !page.contains("http://") && !page.contains("https://"))
    }

    @Test("Health has the shape that probes know")
    func health() async throws {
        let web = try await WebFixture()
        #expect(
            try await web.send(.get, "/health").json == [
                "status": "ok", "components": ["database": "ok", "engine": "ok"], "is_weak_key": false, "problems": [],
            ])
    }

    @Test("Statistics have the keys of the reference and true numbers")
    func stats() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        _ = try await web.event(of: camera.id)
        _ = try await web.event(of: camera.id, .snapshot, .manual, picture: "1/a.jpg")
        let answer = try await web.send(.get, "/stats", try await web.bearer()).json
        #expect(
            answer.object?.keys == [
                "active_cameras", "total_errors", "total_events", "events_24h", "video_count", "picture_count", "storage", "resources",
                "network",
                "engine", "database", "details", "system_status", "uptime", "hw_accel",
            ])
        #expect(answer["active_cameras"] == 1 && answer["total_events"] == 2 && answer["video_count"] == 1 && answer["picture_count"] == 1)
        #expect(
            answer["storage"]?.object?.keys == [
                "total_gb", "used_gb", "free_gb", "percent", "estimated_retention_days", "daily_rate_gb", "configured_retention",
                "configured_retention_days", "required_storage_gb", "total_quota_gb", "quota_percent",
            ])
        #expect(answer["storage"]?["configured_retention"] == "Max 7 Days")
        #expect(answer["resources"]?["memory_mb"] != .null && answer["database"]?["size_mb"] != .null)
        #expect(answer["details"]?["cameras"]?["1"]?["images"]?["count"] == 1)
        #expect(
            try await web.send(.get, "/stats", try await web.bearer(.viewer)).json["details"]?["profiles"]?["default"]?["path"] == .null)
        #expect(try await web.send(.get, "/stats", try await web.apiKey()).status == 200)
    }

    @Test("Each profile has what lies in its folder, and space that folders share is counted once")
    func profiles() throws {
        let giga: Int64 = 1 << 30
        var numbers = StoredNumbers()
        numbers.profiles = (1...3).map { StorageProfile(id: ID($0), name: "P\($0)", path: "/p\($0)", createdAt: WallTime(microseconds: 0)) }
        numbers.movies = [ID(1): .init(count: 10, bytes: 100 * giga)]
        numbers.pictures = [ID(1): .init(count: 2, bytes: giga)]
        numbers.volumes = [
            .standard: .init(count: 3, bytes: 5 * giga), VolumeID(ID<StorageProfile>(1)): .init(count: 6, bytes: 60 * giga),
            VolumeID(ID<StorageProfile>(3)): .init(count: 1, bytes: 4 * giga), VolumeID(rawValue: -1): .init(count: 2, bytes: 32 * giga),
        ]
        var statistics = Statistics(
            cameras: [], health: [:], numbers: numbers, volume: .init(totalBytes: 10 * giga, freeBytes: 2 * giga, fileSystem: 1),
            load: HostLoad.Reading(), uptime: 0, recordingPath: "/r")
        statistics.profileVolumes = [
            ID(1): .init(totalBytes: 90 * giga, freeBytes: 20 * giga, fileSystem: 2),
            ID(2): .init(totalBytes: 10 * giga, freeBytes: 2 * giga, fileSystem: 1),
        ]
        let profiles = statistics.json["details"]?["profiles"]
        #expect(profiles?["default"]?["size_gb"] == 5.0 && profiles?["default"]?["count"] == 3 && profiles?["default"]?["total_gb"] == 10.0)
        #expect(profiles?["1"]?["size_gb"] == 60.0 && profiles?["1"]?["count"] == 6 && profiles?["1"]?["free_gb"] == 20.0)
        #expect(profiles?["2"]?["size_gb"] == 0.0 && profiles?["3"]?["size_gb"] == 4.0 && profiles?["3"]?["total_gb"] == .null)
        let storage = statistics.json["storage"]
        #expect(storage?["total_gb"] == 100.0 && storage?["free_gb"] == 22.0 && storage?["used_gb"] == 101.0 && storage?["percent"] == 65)
        #expect(statistics.homepageJSON["storage_total_gb"] == 100.0 && statistics.homepageJSON["storage_percent"] == 65)
    }

    @Test("The last day is told hour by hour, the running hour last")
    func history() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        web.world.change { $0.wall = 1_795_000_000_000_000 }
        _ = try await web.event(at: 1_795_000_000_000_000 - 1_000_000)
        _ = try await web.event(at: 1_795_000_000_000_000 - 7_200_000_000, .snapshot, .manual, picture: "1/a.jpg")
        _ = try await web.event(at: 1_795_000_000_000_000 - 90_000_000_000)
        let hours = try #require(try await web.send(.get, "/stats/history", admin).json.array)
        #expect(hours.count == 25 && hours.allSatisfy { $0.object?.keys == ["time", "events", "videos"] })
        #expect(hours[24]["events"] == 1 && hours[24]["videos"] == 1)
        #expect(hours[22]["events"] == 1 && hours[22]["videos"] == 0)
        #expect(hours.reduce(0) { $0 + ($1["events"] == 1 ? 1 : 0) } == 2)
    }

    @Test("The history of the load is bounded and says null for what is not there")
    func resourceHistory() throws {
        let history = ResourceHistory()
        for minute in 0..<(ResourceHistory.capacity + 5) {
            history.add(HostLoad.Reading(), at: WallTime(microseconds: Int64(minute) * 60_000_000))
        }
        let samples = try #require(history.json.array)
        #expect(samples.count == ResourceHistory.capacity && samples.first?["timestamp"] == "1970-01-01T00:05:00Z")
        #expect(
            samples.first?.object?.keys == [
                "timestamp", "cpu_percent", "memory_mb", "backend_cpu", "engine_cpu", "backend_mem_mb", "engine_mem_mb",
                "network_recv_mbps",
                "network_sent_mbps", "host_cpu_percent", "host_memory_mb",
            ])
    }

    @Test("Metrics are there only when they are switched on")
    func metrics() async throws {
        #expect(try await WebFixture().send(.get, "/metrics").status == 404)
        let web = try await WebFixture { $0.metricsEnabled = true }
        _ = try await web.camera("Secret Name")
        let answer = try await web.send(.get, "/metrics")
        #expect(answer.status == 200 && answer[.contentType]?.hasPrefix("text/plain; version=0.0.4") == true)
        #expect(
            answer.text.contains("vibenvr_camera_up{camera=\"1\"} 0\n") && answer.text.contains("vibenvr_build_info{version=\"1.2.3\"} 1\n")
        )
        #expect(!answer.text.contains("Secret Name"))
        for line in answer.text.split(separator: "\n") where !line.hasPrefix("#") {
            #expect(line.split(separator: " ").count == 2 && Double(line.split(separator: " ")[1]) != nil)
        }
    }

    @Test("The load of a process is read from its own files")
    func load() throws {
        let load = HostLoad()
        let first = load.reading(at: 0)
        #expect((first.residentBytes ?? 0) > 1_000_000 && first.cpuPercent == nil && (first.openFiles ?? 0) > 0)
        #expect(load.reading(at: 10_000_000).cpuPercent != nil)
        #expect(load.reading(at: 10_000_001) == load.reading(at: 10_000_002))
        #expect(HostLoad(root: "/nonexistent").reading(at: 0) == HostLoad.Reading())
    }
}
