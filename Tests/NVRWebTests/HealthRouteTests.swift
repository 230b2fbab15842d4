import HTTPTypes
import NVRModel
import NVRRecording
import NVRStore
import NVRWeb
import Testing

@Suite("Health")
struct HealthRouteTests {
    @Test("strangers hear that the server is degraded and why, without names and words")
    func now() async throws {
        let fixture = try await WebFixture()
        #expect(try await fixture.send(.get, "/health").json["status"]?.string == "ok")
        let camera = try await fixture.camera().id
        fixture.health.log.raise(.recordingStalled, of: camera, cause: "camera_offline", detail: "unreachable: secret words")
        let answer = try await fixture.send(.get, "/health")
        #expect(answer.status == 200 && !answer.text.contains("secret"))
        let json = try answer.json
        #expect(json["status"]?.string == "degraded")
        let problem = try #require(json["problems"]?.array?.first)
        #expect(problem["kind"]?.string == "recording_stalled" && problem["cause"]?.string == "camera_offline" && problem["count"] == .integer(1))
        fixture.health.log.clear(.recordingStalled, of: camera)
        #expect(try await fixture.send(.get, "/health").json["status"]?.string == "ok")
    }

    @Test("events are listed newest first, by pages; those of the server itself for administrators only")
    func events() async throws {
        let fixture = try await WebFixture()
        let camera = try await fixture.camera().id
        for _ in 0..<3 {
            fixture.world.change { $0.wall += 1_000_000 }
            fixture.health.log.note(.databaseRestored, cause: nil, detail: "x")
        }
        fixture.health.log.raise(.recordingStalled, of: camera, cause: "disk_full", detail: "the disk is full")
        await fixture.health.log.write()
        let admin = try await fixture.bearer()
        let all = try #require(try await fixture.send(.get, "/health/events", admin).json.array)
        #expect(all.count == 4 && all[0]["kind"]?.string == "recording_stalled" && all[0]["end"] == .null)
        let id = try #require(all[1]["id"]).serialized()
        #expect(try await fixture.send(.get, "/health/events?before=\(id)&limit=1", admin).json.array?.count == 1)
        #expect(try await fixture.send(.get, "/health/events?active=true", admin).json.array?.count == 1)
        let viewer = try await fixture.bearer(.viewer)
        let seen = try #require(try await fixture.send(.get, "/health/events", viewer).json.array)
        #expect(seen.allSatisfy { $0["camera_id"] != .null })
        // What he may not see does not end his list, however many of those there are.
        for _ in 0..<30 { fixture.health.log.note(.databaseRestored, cause: nil, detail: "x") }
        await fixture.health.log.write()
        #expect(try await fixture.send(.get, "/health/events?limit=1", viewer).json.array == [seen[0]])
        #expect(try await fixture.send(.get, "/health/events?limit=0", admin).status == 422)
        #expect(try await fixture.send(.get, "/health/events").status == 401)
    }

    @Test("the share of each day is told by camera, and only what is whole is 100")
    func recorded() async throws {
        let fixture = try await WebFixture()
        let camera = try await fixture.camera().id
        let today = Int(LocalDay.date(at: WallTime(microseconds: fixture.world.value.wall)).daysSince1970)
        try await fixture.store.health.put([.init(cameraID: camera, day: today - 1, recorded: 86_399_999_000, missed: 1000)])
        let admin = try await fixture.bearer()
        let days = try #require(try await fixture.send(.get, "/health/recorded?days=2", admin).json["days"]?.array)
        #expect(days.count == 2)
        #expect(days[1]["cameras"]?.array?.first?["percent"] == .number(99.99))
        #expect(try await fixture.send(.get, "/health/recorded?days=0", admin).status == 422)
    }

    @Test("metrics tell of stalled cameras")
    func metrics() async throws {
        let fixture = try await WebFixture { $0.metricsEnabled = true }
        let camera = try await fixture.camera().id
        fixture.health.log.raise(.recordingStalled, of: camera, cause: nil, detail: nil)
        let text = try await fixture.send(.get, "/metrics").text
        #expect(text.contains("vibenvr_camera_recording_stalled{camera=\"\(camera)\"} 1"))
        #expect(text.contains("vibenvr_health_problems{kind=\"recording_stalled\"} 1"))
    }
}
