import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import Testing

@Suite("Timeline")
struct TimelineReaderTests {
    private struct Clock: NVRClock {
        var now: WallTime
        func monotonic() -> Int64 { now.microseconds }
        func wall() -> Int64 { now.microseconds }
    }

    /// A whole day of UTC.
    private static let zero: Int64 = 1_795_046_400 / 86_400 * 86_400
    private static func at(_ seconds: Double) -> WallTime { WallTime(microseconds: zero * 1_000_000 + Int64(seconds * 1e6)) }
    private static func span(_ start: Double, _ end: Double) -> TimeRange { TimeRange(start: at(start), end: at(end)) }

    private static func record(_ store: Store, _ camera: ID<Camera>, _ start: Double, _ end: Double) async throws {
        var segment = Segment(
            id: ID(0), cameraID: camera, role: .main, run: 1, path: "\(camera)/\(start)", start: at(start), end: at(start), bytes: 0,
            state: .intended,
            width: 2, height: 2, codecs: "", initLength: 1, timescale: 90_000, index: [])
        segment.bytes = 1
        let id = try await store.segments.intend(segment, isContinuous: true)
        try await store.segments.finish(id, SegmentClosing(end: at(end), bytes: 2, index: []))
    }

    @Test("Footage is told to the second when looked at closely, and the same by sums from afar; what is being written counts")
    func zooms() async throws {
        let store = try Store.inMemory()
        let camera = try await store.cameras.insert(Camera(id: ID(0), createdAt: Self.at(0), name: "A", url: "rtsp://10.0.0.9/a")).id
        for minute in 0..<60 where minute != 30 { try await Self.record(store, camera, Double(minute) * 60, Double(minute) * 60 + 60) }
        let segment = Segment(
            id: ID(0), cameraID: camera, role: .main, run: 1, path: "growing", start: Self.at(3600), end: Self.at(3600), bytes: 0, state: .intended,
            width: 2, height: 2, codecs: "", initLength: 1, timescale: 90_000, index: [])
        let id = try await store.segments.intend(segment, isContinuous: true)
        _ = try await store.segments.begin(id, end: Self.at(3601), bytes: 1, initLength: 1)
        let growing = GrowingSegments()
        growing.begin(
            id, GrowingSegments.Extent(cameraID: camera, role: .main, start: Self.at(3600), end: Self.at(3640), bytes: 9, entries: []))
        for start in [100.0, 1000] {
            _ = try await store.events.insert(
                Event(id: ID(0), cameraID: camera, medium: .video, kind: .motion, start: Self.at(start), end: Self.at(start + 15)))
        }
        let open = try await store.events.insert(
            Event(id: ID(0), cameraID: camera, medium: .video, kind: .motion, start: Self.at(3630)))
        try await store.outages.apply([
            .put(Outage(cameraID: camera, start: Self.at(1803), end: Self.at(1850), cause: .cameraOffline, reason: "unreachable: gone"))
        ])
        let reader = TimelineReader(store: store, growing: growing, clock: Clock(now: Self.at(3641)), offset: { _ in 0 })
        func read(_ range: TimeRange, _ resolution: Double? = nil) async throws -> Timeline {
            try await reader.read([camera], range, resolution: resolution)
        }

        let close = try await read(Self.span(0, 3700), 10)
        let part = try #require(close.cameras.first)
        #expect(close.zoom == TimelineZoom(resolution: 10, isFine: true) && close.borders.count == 371)
        #expect(part.spans == [Self.span(0, 1800), Self.span(1860, 3640)])
        #expect(part.gaps == [TimelineGap(start: Self.at(1800), end: Self.at(1860), cause: .cameraOffline, reason: "unreachable: gone")])
        #expect(part.events?.count == 3 && part.events?.last?.id == open.id && part.first == Self.at(0) && part.last == Self.at(3640))
        #expect(part.cells.footage.reduce(0, +) == 3_580_000 && part.cells.footage[179] == 10_000 && part.cells.footage[180] == 0)
        #expect(part.cells.motion.reduce(0, +) == 41_000 && part.cells.events.reduce(0, +) == 3)
        // Cut at both ends.
        #expect(try await read(Self.span(90, 110)).cameras.first?.spans == [Self.span(90, 110)])
        #expect(try await read(Self.span(90, 101)).cameras.first?.events?.map(\.start) == [Self.at(100)])

        for resolution in [300.0, 900, 3600, 10_800, 86_400, 604_800] {
            let timeline = try await read(Self.span(0, 3700), resolution)
            let part = try #require(timeline.cameras.first)
            #expect(timeline.zoom.resolution == Int(resolution) && part.spans == nil && part.events == nil)
            #expect(part.cells.footage.reduce(0, +) == 3_580_000, "\(resolution)")
            #expect(part.cells.motion.reduce(0, +) == 41_000 && part.cells.events.reduce(0, +) == 3)
            #expect(part.gaps.count == (resolution < 3600 ? 1 : 0))
        }
        // An empty database has no edges.
        let nobody = try await reader.read([ID(99)], Self.span(0, 10), resolution: nil)
        #expect(nobody.cameras.first.map { $0.first == nil && $0.spans == [] && $0.gaps.isEmpty } == true)
    }

    @Test("A camera with very many short segments is told by sums")
    func crowded() async throws {
        let store = try Store.inMemory()
        for second in 0..<2001 { try await Self.record(store, ID(1), Double(second), Double(second) + 0.5) }
        let reader = TimelineReader(store: store, growing: GrowingSegments(), clock: Clock(now: Self.at(9000)), offset: { _ in 0 })
        let timeline = try await reader.read([ID(1)], Self.span(0, 3000), resolution: nil)
        #expect(timeline.zoom == TimelineZoom(resolution: 300, isFine: false))
        #expect(timeline.cameras.first?.cells.footage.prefix(6) == [150_000, 150_000, 150_000, 150_000, 150_000, 150_000])
    }

    @Test("Holes are explained by what lay in them, and by nothing where nothing is known")
    func gaps() {
        let gaps = TimelineGaps(range: Self.span(0, 1000), now: Self.at(900))
        func outage(_ start: Double, _ end: Double?, _ cause: Outage.Cause) -> Outage {
            Outage(cameraID: ID(1), start: Self.at(start), end: end.map { Self.at($0) }, cause: cause)
        }
        func told(_ spans: [TimeRange], _ outages: [Outage], first: Double? = -50) -> [String] {
            gaps.holes(TimelineGaps.merged(spans), outages, first: first.map { Self.at($0) }).map {
                "\(Int($0.start.microseconds(since: Self.at(0)) / 1_000_000))-\(Int($0.end.microseconds(since: Self.at(0)) / 1_000_000)) \($0.cause.name)"
            }
        }
        // Footage of a moment ago is on its way.
        #expect(told([Self.span(-10, 896)], []) == [])
        #expect(told([Self.span(-10, 890)], []) == ["890-900 unknown"])
        #expect(told([Self.span(0, 100), Self.span(100.05, 900)], []) == [])
        #expect(told([Self.span(0, 100), Self.span(102, 900)], []) == ["100-102 unknown"])
        // Outages reach to the footage beside them; footage within them counts more.
        #expect(told([Self.span(0, 100), Self.span(200, 900)], [outage(110, 195, .diskFull)]) == ["100-200 disk_full"])
        #expect(told([Self.span(0, 100), Self.span(200, 900)], [outage(150, 195, .diskFull)]) == ["100-150 unknown", "150-200 disk_full"])
        #expect(
            told([Self.span(0, 100), Self.span(200, 300), Self.span(400, 900)], [outage(50, 500, .noMotion)])
                == ["100-200 no_motion", "300-400 no_motion"])
        #expect(
            told([Self.span(0, 100)], [outage(100, 300, .cameraOffline), outage(310, 400, .serverDown), outage(500, nil, .notRecording)])
                == ["100-310 camera_offline", "310-400 server_down", "400-500 unknown", "500-900 not_recording"])
        // Nothing is missing before there was anything, unless it is told.
        #expect(told([Self.span(500, 900)], [], first: 500) == [])
        #expect(told([], [], first: nil) == [])
        #expect(told([], [outage(700, nil, .cameraOffline)], first: nil) == ["700-900 camera_offline"])
        #expect(gaps.outages([outage(-9, 5, .diskFull), outage(950, nil, .noMotion)]).map(\.end) == [Self.at(5)])
    }
}
