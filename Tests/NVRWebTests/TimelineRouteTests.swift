import HTTPTypes
import NVRAccounts
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct TimelineRouteTests {
    private static let now: Int64 = 1_795_000_000

    private static func record(_ web: WebFixture, _ camera: ID<Camera>, _ start: Int64, _ seconds: Int64) async throws {
        let begin = WallTime(microseconds: start * 1_000_000)
        let segment = Segment(
            id: ID(0), cameraID: camera, role: .main, run: 1, path: "\(camera)/\(start).mp4", start: begin, end: begin, bytes: 0, state: .intended,
            width: 2, height: 2, codecs: "", initLength: 1, timescale: 90_000, index: [])
        let id = try await web.store.segments.intend(segment, isContinuous: true)
        try await web.store.segments.finish(
            id, SegmentClosing(end: begin.advanced(byMicroseconds: seconds * 1_000_000), bytes: 2, index: []))
    }

    @Test("A timeline tells spans, gaps and events when looked at closely, and sums from afar")
    func answers() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let camera = try await web.camera().id
        let start = Self.now - 3600
        try await Self.record(web, camera, start, 60)
        try await Self.record(web, camera, start + 120, 60)
        _ = try await web.event(of: camera, at: (start + 10) * 1_000_000 + 500_000)
        _ = try await web.event(of: camera, at: (start + 20) * 1_000_000, .snapshot, .manual, picture: "1/a.jpg")
        try await web.store.outages.apply([
            .put(
                Outage(
                    cameraID: camera, start: WallTime(microseconds: (start + 62) * 1_000_000),
                    end: WallTime(microseconds: (start + 119) * 1_000_000), cause: .cameraOffline, reason: "unreachable: \"gone\""))
        ])
        let close = try await web.send(.get, "/timeline?cameras=\(camera)&start=\(start)&end=\(start + 180)", admin)
        #expect(close.status == 200 && close[.contentType]?.hasPrefix("application/json") == true)
        let json = try close.json
        #expect(json["resolution"] == 1 && json["detail"] == "footage" && json["bucket_count"] == 180 && json["bucket_borders"] == .null)
        #expect(json["start"] == .integer(start) && json["now"] == .integer(Self.now) && json["bucket_start"] == .integer(start))
        let part = try #require(json["cameras"]?.array?.first)
        #expect(part["camera_id"] == 1 && part["first"] == .integer(start) && part["last"] == .integer(start + 180))
        #expect(
            part["spans"] == [[.integer(start), .integer(start + 60)], [.integer(start + 120), .integer(start + 180)]])
        #expect(
            part["gaps"] == [
                [
                    "start": .integer(start + 60), "end": .integer(start + 120), "cause": "camera_offline", "reason": "unreachable: \"gone\"",
                    "reason_code": "status_unreachable", "reason_parameters": ["reason": "\"gone\""],
                ]
            ])
        let motion = try #require(part["events"]?.array?.first)
        #expect(motion["kind"] == "motion" && motion["start"] == .number(Double(start) + 10.5) && motion["type"] == "video")
        #expect(part["buckets"]?["footage"]?.array?.count == 180 && part["buckets"]?["footage"]?.array?[59] == 1000)
        #expect(part["buckets"]?["motion"]?.array?[10] == 500 && part["buckets"]?["snapshots"]?.array?[20] == 1)
        #expect(part["buckets"]?["events"]?.array?.count == 11)

        let far = try await web.send(.get, "/api/timeline?cameras=\(camera)&start=2020-01-01T00:00&end=2026-12-31T00:00&resolution=86400", admin).json
        #expect(far["resolution"] == 86_400 && far["detail"] == "buckets" && far["cameras"]?.array?.first?["spans"] == .null)
        let borders = try #require(far["bucket_borders"]?.array)
        #expect(far["bucket_count"] == .integer(Int64(borders.count - 1)) && borders.count > 2500)
        let days = try #require(far["cameras"]?.array?.first?["buckets"]?["footage"]?.array)
        #expect(days.last == 1 && days.count { $0 != 0 } == 1)
        #expect(try await web.send(.get, "/timeline?start=\(start)", admin).json["end"] == .integer(Self.now))
    }

    @Test("Queries that make no sense are refused with all that is wrong with them")
    func refusals() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        _ = try await web.camera()
        let many = (1...65).map(String.init).joined(separator: ",")
        for query in [
            "", "start=", "start=x", "start=5&end=5", "start=9&end=5", "start=0&end=99999999999", "start=0&end=x", "start=0&resolution=x",
            "start=0&resolution=-1", "start=0&resolution=nan", "start=0&cameras=1,x", "start=0&cameras=,", "start=0&cameras=1,,2",
            "start=0&end=10&cameras=\(many)", "start=1e400", "start=0&end=10&resolution=1e400",
        ] {
            #expect(try await web.send(.get, "/timeline?" + query, admin).status == 422, "\(query)")
        }
        let both = try await web.send(.get, "/timeline?start=x&resolution=x", admin)
        #expect(try both.json["detail"]?.array?.count == 2)
        for query in ["start=0&end=10&cameras=2", "start=0&end=10&cameras=1,99", "start=0&end=10&cameras=9223372036854775807"] {
            #expect(try await web.send(.get, "/timeline?" + query, admin).status == 404, "\(query)")
        }
        for query in ["start=-86400&end=86400", "start=0&end=10&cameras=", "start=0&end=1578000000", "start=99999999990&end=99999999999&cameras=1"] {
            #expect(try await web.send(.get, "/timeline?" + query, admin).status == 200, "\(query)")
        }
    }

    @Test("Everybody is told of the cameras they may replay, and of no others")
    func rights() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        var ids: [ID<Camera>] = []
        for name in ["A", "B", "C"] { ids.append(try await web.camera(name).id) }
        let viewer = try await web.bearer(.viewer)
        let made = try await web.send(
            .put, "/users/2", admin,
            body:
                #"{"restrict_camera_access": true, "camera_accesses": [{"id": 2, "can_view": true, "can_replay": true, "can_control": false}, {"id": 3, "can_view": true, "can_replay": false, "can_control": false}]}"#
        )
        #expect(made.status == 200)
        func cameras(_ query: String, _ headers: HTTPFields) async throws -> [JSONValue?]? {
            try await web.send(.get, "/timeline?start=0&end=10" + query, headers).json["cameras"]?.array?.map { $0["camera_id"] }
        }
        #expect(try await cameras("", admin) == [1, 2, 3])
        #expect(try await cameras("&cameras=3,1,3", admin) == [3, 1])
        #expect(try await cameras("", viewer) == [2])
        #expect(try await cameras("&cameras=2", viewer) == [2])
        #expect(try await web.send(.get, "/timeline?start=0&end=10&cameras=2,1", viewer).status == 404)
        #expect(try await web.send(.get, "/timeline?start=0&end=10&cameras=2,3", viewer).status == 403)
        #expect(try await web.send(.get, "/timeline?start=0&end=10", [:]).status == 401)
        #expect(try await web.send(.get, "/timeline?start=0&end=10", try await web.apiKey()).status == 200)
    }
}
