import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

/// Footage of any time of a camera: playlists and indexes for players, exports, pictures for scrubbing, time-lapses.
struct ReplayRoutes: Sendable {
    let store: Store
    let replay: ReplayMedia
    let responder: MediaResponder
    let clock: any NVRClock

    /// Microseconds of footage in one playlist or export: two days.
    static let longest: Int64 = 48 * 3_600_000_000

    var routes: [Route] {
        [
            Route(.get, "/cameras/{camera_id}/playback.m3u8", .media, playlist),
            Route(.get, "/cameras/{camera_id}/playback.json", .media, index),
            Route(.get, "/cameras/{camera_id}/export.mp4", .media, export),
            Route(.get, "/cameras/{camera_id}/preview.jpg", .media, preview),
            Route(.get, "/cameras/{camera_id}/timelapse.mp4", .media, timeLapse),
        ]
    }

    // MARK: Players

    private func playlist(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let range = try range(of: call.query)
        let segments = try await found(await replay.index(camera.id, range))
        guard !segments.isEmpty else { throw HTTPFailure(.notFound, "There is no footage of this time") }
        let isOpen = segments.last?.isGrowing == true && range.end.microseconds > clock.wall() - 2_000_000
        // A token in the query is passed on: the player has nothing else to show for the files.
        let query = call.query["token"].map { "?token=" + percentEncoded($0) } ?? ""
        var response = Response(status: .ok, text: HLSPlaylist.text(segments, isOpen: isOpen, query: query))
        response.headers[.contentType] = "application/vnd.apple.mpegurl"
        response.headers[.cacheControl] = "private, no-cache"
        return response
    }

    private func index(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let range = try range(of: call.query)
        let segments = try await replay.index(camera.id, range)
        return Response(json: [
            "camera_id": .integer(camera.id.rawValue), "start": .string(range.start.iso8601), "end": .string(range.end.iso8601),
            "segments": .array(segments.map(Self.json)),
        ])
    }

    private static func json(_ segment: ReplaySegment) -> JSONValue {
        [
            "url": .string(MediaPath.url(segment.path)), "init_length": .integer(segment.initLength), "codecs": .string(segment.codecs),
            "width": JSONValue(segment.width), "height": JSONValue(segment.height), "run": .integer(segment.run),
            "is_growing": .bool(segment.isGrowing),
            "fragments": .array(
                segment.fragments.map {
                    [
                        "start": .string($0.start.iso8601), "duration": .number(Double($0.duration) / 1e6), "offset": .integer($0.offset),
                        "size": .integer($0.size), "media_start": .number(Double($0.mediaStart) / 1e6),
                    ]
                }),
        ]
    }

    // MARK: Files

    private func export(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let range = try range(of: call.query)
        let isExact = try call.flag("exact")
        let content = try await found(await replay.export(camera.id, range, isExact, Self.fileName(camera, range.start, "")))
        return responder.response(to: call, with: content, disposition: try call.flag("inline") ? .inline : .attachment, clock: clock)
    }

    private func timeLapse(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let range = try range(of: call.query)
        var fields = FieldReader()
        let seconds = fields.integer(call.query, "seconds", default: 60, limits: 5...300)
        try fields.finish()
        let content = try await found(await replay.timeLapse(camera.id, range, seconds, Self.fileName(camera, range.start, "time-lapse ")))
        return responder.response(to: call, with: content, disposition: try call.flag("inline") ? .inline : .attachment, clock: clock)
    }

    private func preview(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        var fields = FieldReader()
        let time = fields.time(call.query, "t")
        // Widths are few steps of 16 pixels, so that browsers ask for the same picture again.
        let width = fields.integer(call.query, "width", default: 320, limits: 64...1920) / 16 * 16
        try fields.finish()
        guard let time else { throw FieldProblems([.missing([.key("query"), .key("t")], body: .null)]) }
        return responder.response(to: call, with: try await found(await replay.keyframe(camera.id, time, width)), disposition: .none, clock: clock)
    }

    /// `door 2026-11-23 22.15.00.mp4`, in the server's time zone.
    private static func fileName(_ camera: Camera, _ time: WallTime, _ kind: String) -> String {
        let date = LocalDay.date(at: time)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let clock = LocalDay.clock(at: time)
        return
            "\(camera.general.name) \(kind)\(date.year)-\(two(Int(date.month)))-\(two(Int(date.day))) \(two(clock.hour)).\(two(clock.minute)).\(two(clock.second)).mp4"
    }

    // MARK: What is asked for

    private func camera(_ call: Call) async throws -> Camera {
        let caller = try call.requireCaller()
        let camera = try await store.camera(try call.id("camera_id"), visibleTo: caller)
        guard Access.allows(caller, .replay, camera: camera.id) else { throw HTTPFailure(.forbidden, "Not enough permissions") }
        return camera
    }

    private func range(of query: QueryItems) throws -> TimeRange {
        var fields = FieldReader()
        let start = fields.time(query, "start")
        let end = fields.time(query, "end")
        // An empty item is what a form sends for a field that was left open.
        if start == nil, query["start"]?.isEmpty ?? true { fields.note(.missing([.key("query"), .key("start")], body: .null)) }
        try fields.finish()
        guard let start else { throw HTTPFailure(.unprocessableContent, "Field required") }
        let until = end ?? WallTime(microseconds: clock.wall())
        guard start < until else {
            throw FieldProblems([.value([.key("query"), .key("end")], "the range has to end after it begins", input: .string(until.iso8601))])
        }
        guard until.microseconds(since: start) <= Self.longest else {
            throw FieldProblems([.value([.key("query"), .key("end")], "the range may be 48 hours long at most", input: .string(until.iso8601))])
        }
        return TimeRange(start: start, end: until)
    }

    private func found<Value>(_ value: @autoclosure () async throws -> Value) async throws -> Value {
        do { return try await value() } catch let error as NVRError where error.kind == .notFound {
            throw HTTPFailure(.notFound, "There is no footage of this time")
        }
    }
}

extension FieldReader {
    /// A time of the query: ISO 8601, without a zone in the server's, or seconds since 1970 UTC. Nil when absent or noted as wrong.
    mutating func time(_ query: QueryItems, _ name: String) -> WallTime? {
        guard let text = query[name], !text.isEmpty else { return nil }
        if let seconds = Double(text), seconds.isFinite, abs(seconds) < 1e11 { return WallTime(seconds: seconds) }
        if let time = LocalDay.time(iso8601: text) { return time }
        note(
            FieldProblem(
                type: "datetime_from_date_parsing", loc: [.key("query"), .key(name)], msg: "Input should be a valid datetime",
                input: .string(text), ctx: ["error": "invalid datetime"]))
        return nil
    }
}
