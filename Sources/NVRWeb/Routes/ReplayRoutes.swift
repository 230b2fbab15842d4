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
            Route(.get, "/cameras/{camera_id}/sprite.jpg", .media, sheetPicture),
            Route(.get, "/cameras/{camera_id}/sprite.json", .media, sheet),
            Route(.get, "/cameras/{camera_id}/timelapse.mp4", .media, timeLapse),
        ]
    }

    // MARK: Players

    private func playlist(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let range = try range(of: call.query)
        let segments = try await found(await replay.index(camera.id, range))
        guard !segments.isEmpty else { throw HTTPFailure(.notFound, "There is no footage of this time") }
        let isOpen = HLSPlaylist.goesOn(segments, until: range.end, now: clock.wall())
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
            "is_growing": .bool(segment.isGrowing), "is_encrypted": .bool(segment.isEncrypted),
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
        if try call.flag("manifest") {
            let name = Self.fileName(camera, range.start, "")
            let request = ExportRequest(
                subjects: [ExportRequest.Subject(camera: camera.id, name: camera.general.name, fileName: name)], range: range, isExact: isExact,
                isSigned: true, person: ExportRequest.Person(try call.requireCaller()), fileName: name.dropLast(4) + ".zip")
            return responder.response(to: call, with: try await found(await replay.archive(request)), of: [camera.id])
        }
        let content = try await found(await replay.export(camera.id, range, isExact, Self.fileName(camera, range.start, "")))
        return responder.response(
            to: call, with: content, of: [camera.id], disposition: try call.flag("inline") ? .inline : .attachment, clock: clock)
    }

    private func timeLapse(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let range = try range(of: call.query)
        var fields = FieldReader()
        let seconds = fields.integer(call.query, "seconds", default: 60, limits: 5...300)
        try fields.finish()
        let content = try await found(await replay.timeLapse(camera.id, range, seconds, Self.fileName(camera, range.start, "time-lapse ")))
        return responder.response(
            to: call, with: content, of: [camera.id], disposition: try call.flag("inline") ? .inline : .attachment, clock: clock)
    }

    private func preview(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        var fields = FieldReader()
        let time = fields.time(call.query, "t")
        // Widths are few steps of 16 pixels, so that browsers ask for the same picture again.
        let width = fields.integer(call.query, "width", default: 320, limits: 64...1920) / 16 * 16
        try fields.finish()
        guard let time else { throw FieldProblems([.missing([.key("query"), .key("t")], body: .null)]) }
        let departure = await call.context.departure()
        let content = try await found(await replay.keyframe(camera.id, time, width) { departure?.hasHappened != true })
        return responder.response(to: call, with: content, of: [camera.id], disposition: .none, clock: clock)
    }

    // MARK: Sheets

    private func time(_ call: Call) throws -> WallTime {
        var fields = FieldReader()
        let time = fields.time(call.query, "t")
        try fields.finish()
        guard let time else { throw FieldProblems([.missing([.key("query"), .key("t")], body: .null)]) }
        return time
    }

    private func sheet(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let sheet = try await found(await replay.sheet(camera.id, try time(call)))
        let (columns, width) = (PreviewSheet.columns, PreviewSheet.tileWidth)
        return Response(json: [
            "camera_id": .integer(camera.id.rawValue), "start": .string(sheet.range.start.iso8601), "end": .string(sheet.range.end.iso8601),
            "url": .string("/cameras/\(camera.id)/sprite.jpg?t=\(sheet.range.start.microseconds / 1_000_000)&v=\(sheet.version)"),
            "interval": .number(Double(PreviewSheet.interval) / 1e6), "columns": JSONValue(columns), "rows": JSONValue(PreviewSheet.rows),
            "tile_width": JSONValue(width), "tile_height": JSONValue(sheet.tileHeight), "is_complete": .bool(sheet.isComplete),
            "tiles": .array(
                sheet.tiles.map { tile in
                    [
                        "index": JSONValue(tile.index), "x": JSONValue(tile.index % columns * width),
                        "y": JSONValue(tile.index / columns * sheet.tileHeight), "time": .string(tile.time.iso8601),
                    ]
                }),
        ])
    }

    private func sheetPicture(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let time = try time(call)
        let departure = await call.context.departure()
        let content = try await found(await replay.sheetPicture(camera.id, time) { departure?.hasHappened != true })
        return responder.response(to: call, with: content, of: [camera.id], disposition: .none, clock: clock)
    }

    /// `door 2026-11-23 22.15.00.mp4`, in the server's time zone.
    static func fileName(_ camera: Camera, _ time: WallTime, _ kind: String) -> String { fileName(camera.general.name, time, kind, "mp4") }

    static func fileName(_ camera: String, _ time: WallTime, _ kind: String, _ end: String) -> String {
        let date = LocalDay.date(at: time)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let clock = LocalDay.clock(at: time)
        return
            "\(camera) \(kind)\(date.year)-\(two(Int(date.month)))-\(two(Int(date.day))) \(two(clock.hour)).\(two(clock.minute)).\(two(clock.second)).\(end)"
    }

    // MARK: What is asked for

    private func camera(_ call: Call) async throws -> Camera {
        try await Self.camera(try call.id("camera_id"), of: store, for: try call.requireCaller())
    }

    /// A camera whose footage the caller may see.
    static func camera(_ id: ID<Camera>, of store: Store, for caller: Identity) async throws -> Camera {
        let camera = try await store.camera(id, visibleTo: caller)
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
        return try Self.checked(start, end ?? WallTime(microseconds: clock.wall()), place: "query")
    }

    /// The range between two times of a query or body, if it is one and not too long for so many cameras together.
    static func checked(_ start: WallTime, _ end: WallTime, place: String, cameras: Int = 1) throws -> TimeRange {
        let loc: [FieldProblem.Step] = [.key(place), .key("end")]
        guard start < end else {
            throw FieldProblems([.value(loc, "the range has to end after it begins", input: .string(end.iso8601))])
        }
        guard end.microseconds(since: start) <= longest / Int64(max(1, cameras)) else {
            let text = cameras > 1 ? "the ranges of all cameras together may be 48 hours long at most" : "the range may be 48 hours long at most"
            throw FieldProblems([.value(loc, text, input: .string(end.iso8601))])
        }
        return TimeRange(start: start, end: end)
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
