import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRCameras
import NVRModel
import NVRStore

/// What happened: the list, the live state, the footage of one event, deletion.
struct EventRoutes: Sendable {
    let store: Store
    let live: LiveCameras
    let media: RecordedMedia
    let responder: MediaResponder
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.get, "/events", .userOrKey, list),
            Route(.get, "/events/status", .userOrKey, status),
            Route(.get, "/events/filters", .userOrKey, filters),
            Route(.post, "/events/bulk-delete", .admin, bulkDelete),
            Route(.get, "/events/{event_id}", .userOrKey, one),
            Route(.delete, "/events/{event_id}", .admin, delete),
            Route(.get, "/events/{event_id}/download", .media, download),
            Route(.get, "/events/{event_id}/thumbnail", .media, thumbnail),
        ]
    }

    // MARK: Reading

    private func list(_ call: Call) async throws -> Response {
        var filter = try Self.filter(of: call.query, for: try call.requireCaller(), now: clock.wall())
        if let group = try Self.group(of: call.query) {
            let cameras = Set(try await store.groups.get(group)?.cameras ?? [])
            filter.allowed = filter.allowed.map { $0.intersection(cameras) } ?? cameras
        }
        let page = try await store.events.page(filter)
        return Response(jsonBytes: EventText.bytes(page), fields: [.xTotalCount: String(page.count)])
    }

    /// What one may choose from; empty as long as nobody labels anything.
    private func filters(_ call: Call) async throws -> Response {
        let tags = try await store.events.tags(allowed: Access.visibleCameras(try call.requireCaller(), .replay))
        return Response(json: ["labels": .array(tags.labels.map(JSONValue.string)), "zones": .array(tags.zones.map(JSONValue.string))])
    }

    private static func group(of query: QueryItems) throws(FieldProblems) -> ID<CameraGroup>? {
        guard let text = query["group_id"], !text.isEmpty else { return nil }
        var fields = FieldReader()
        let loc: [FieldProblem.Step] = [.key("query"), .key("group_id")]
        let id = fields.value(FieldCheck.integer(.string(text), limits: .min ... .max, loc: loc)).map { ID<CameraGroup>(Int64($0)) }
        try fields.finish()
        return id
    }

    /// Seconds since midnight of `HH:MM`, at most 24:00; nil when it is none.
    private static func daySecond(_ text: String) -> Int64? {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy { (48...57).contains($0) } }) else { return nil }
        let numbers = parts.map { $0.reduce(Int64(0)) { $0 * 10 + Int64($1) - 48 } }
        guard numbers[1] < 60, numbers[0] < 24 || numbers == [24, 0] else { return nil }
        return numbers[0] * 3600 + numbers[1] * 60
    }

    /// A part of every day. It may go on past midnight; from a time to the same time is all day.
    private static func dayTime(of query: QueryItems, now: Int64, _ fields: inout FieldReader) -> DayTime? {
        func second(_ name: String, default usual: Int64) -> Int64? {
            guard let text = query[name], !text.isEmpty else { return usual }
            if let second = daySecond(text) { return second }
            fields.note(
                FieldProblem(
                    type: "time_parsing", loc: [.key("query"), .key(name)], msg: "Input should be a time of day in the format HH:MM",
                    input: .string(text), ctx: ["error": "invalid time"]))
            return nil
        }
        guard let start = second("time_from", default: 0), let end = second("time_to", default: 86_400) else { return nil }
        let length = (end - start + 86_400) % 86_400
        guard length > 0 else { return nil }
        // Clocks are not looked up before 2000: no footage is older.
        let clocks = LocalDay.clocks(from: 946_684_800, to: max(946_684_800, now / 1_000_000 + 86_400))
        return DayTime(start: start % 86_400, length: length, clocks: clocks.map { DayTime.Clock(since: $0.since, offset: $0.offset) })
    }

    /// The filter of a query, but for the group. Throws every problem at once. `now`: microseconds UTC.
    static func filter(of query: QueryItems, for caller: Identity, now: Int64) throws(FieldProblems) -> EventFilter {
        var fields = FieldReader()
        var filter = EventFilter(allowed: Access.visibleCameras(caller, .replay))
        filter.skip = fields.integer(query, "skip", default: 0, limits: 0...1_000_000_000)
        filter.limit = fields.integer(query, "limit", default: 100, limits: 1...1000)
        func place(_ name: String) -> [FieldProblem.Step] { [.key("query"), .key(name)] }
        // An empty item is what a form sends for a filter that was left open.
        func sent(_ name: String) -> JSONValue? { query[name].flatMap { $0.isEmpty ? nil : .string($0) } }
        if let text = sent("camera_id") {
            filter.camera = fields.value(FieldCheck.integer(text, limits: .min ... .max, loc: place("camera_id"))).map { ID(Int64($0)) }
        }
        if let text = sent("type") {
            let choices = Event.Medium.allCases.map(\.rawValue)
            filter.medium = fields.value(FieldCheck.choice(text, of: choices, loc: place("type"))).flatMap(Event.Medium.init(rawValue:))
        }
        if let text = sent("event_type") {
            let choices = Event.Kind.allCases.map(\.rawValue)
            filter.kind = fields.value(FieldCheck.choice(text, of: choices, loc: place("event_type"))).flatMap(Event.Kind.init(rawValue:))
        }
        if let text = sent("date") {
            if let date = CivilDate(text.string ?? "") {
                filter.range = LocalDay.range(of: date)
            } else {
                fields.note(
                    FieldProblem(
                        type: "date_parsing", loc: place("date"), msg: "Input should be a valid date in the format YYYY-MM-DD", input: text,
                        ctx: ["error": "invalid date"]))
            }
        }
        filter.dayTime = dayTime(of: query, now: now, &fields)
        for (name, place) in [("label", \EventFilter.label), ("zone", \EventFilter.zone)] {
            guard let text = sent(name) else { continue }
            filter[keyPath: place] = fields.value(FieldCheck.text(text, length: 1...64, isPlain: false, loc: [.key("query"), .key(name)]))
        }
        try fields.finish()
        return filter
    }

    private func event(_ call: Call) async throws -> Event {
        let caller = try call.requireCaller()
        let id = try call.id("event_id", of: Event.self)
        guard let event = try await store.events.get(id), Access.allows(caller, .replay, camera: event.cameraID) else {
            throw HTTPFailure.eventNotFound
        }
        return event
    }

    private func one(_ call: Call) async throws -> Response {
        let event = try await event(call)
        return Response(json: Self.json(event, try await store.segments.paths(of: [event].compactMap(\.segmentID))))
    }

    private func status(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let motion = live.liveMotion().filter { Access.allows(caller, .view, camera: $0.key) }.sorted { $0.key < $1.key }
        let health = live.health()
        let cameras = try await store.cameras.all().filter { Access.allows(caller, .view, camera: $0.id) }
        var liveMotion = JSONObject()
        for (id, motion) in motion { liveMotion[id.description] = Self.json(motion) }
        var cameraHealth = JSONObject()
        var recorded = JSONObject()
        for camera in cameras {
            cameraHealth[camera.id.description] = .string((health[camera.id]?.status ?? camera.statusWhenNotRunning).rawValue)
            recorded[camera.id.description] = .integer(health[camera.id]?.recentBytes ?? 0)
        }
        return Response(json: [
            "active_ids": .array(motion.map { .integer($0.key.rawValue) }), "live_motion": .object(liveMotion),
            "camera_health": .object(cameraHealth), "recorded_bytes_last_minute": .object(recorded),
        ])
    }

    // MARK: Footage

    private func download(_ call: Call) async throws -> Response {
        let event = try await event(call)
        let isInline = try call.flag("inline")
        let content = try await Self.found(await event.medium == .snapshot ? media.file(event.picturePath ?? "") : media.video(event))
        return responder.response(to: call, with: content, of: [event.cameraID], disposition: isInline ? .inline : .attachment, clock: clock)
    }

    private func thumbnail(_ call: Call) async throws -> Response {
        let event = try await event(call)
        let content = try await Self.found(await media.thumbnail(event))
        return responder.response(to: call, with: content, of: [event.cameraID], disposition: .none, clock: clock)
    }

    /// An event whose file is gone answers like the file.
    private static func found(_ content: @autoclosure () async throws -> MediaContent) async throws -> MediaContent {
        do { return try await content() } catch let error as NVRError where error.kind == .notFound { throw HTTPFailure.fileNotFound }
    }

    // MARK: Deleting

    private func delete(_ call: Call) async throws -> Response {
        let event = try await event(call)
        let paths = try await store.segments.paths(of: [event].compactMap(\.segmentID))
        guard let deleted = try await media.deleteEvents([event.id]).first else {
            let isHeld = try await store.holds.held([event.id]).contains(event.id)
            throw isHeld ? HTTPFailure(.conflict, "The event's footage is held") : HTTPFailure.eventNotFound
        }
        return Response(json: Self.json(deleted, paths))
    }

    private func bulkDelete(_ call: Call) async throws -> Response {
        let ids = try call.ids(key: "event_ids", of: Event.self)
        let deleted = Set(try await media.deleteEvents(ids).map(\.id))
        let left = ids.filter { !deleted.contains($0) }
        let held = try await store.holds.held(left)
        let errors = left.map { JSONValue.string("Event \($0) \(held.contains($0) ? "is held" : "not found")") }
        return Response(json: ["deleted_count": JSONValue(deleted.count), "errors": .array(errors)])
    }

    // MARK: JSON

    /// The event as the API answers it; paths are URL paths that answer. `segments`: paths of the segments that events stand for.
    static func json(_ event: Event, _ segments: [ID<Segment>: String]) -> JSONValue {
        let (path, thumbnail) = MediaPath.urls(of: event, event.segmentID.flatMap { segments[$0] })
        return [
            "camera_id": .integer(event.cameraID.rawValue), "timestamp_start": .string(event.start.iso8601),
            "timestamp_end": JSONValue(event.end?.iso8601), "type": .string(event.medium.rawValue),
            "event_type": .string(event.kind.rawValue), "file_path": .string(path),
            "file_size": event.bytes.map { .integer($0) } ?? .null, "thumbnail_path": JSONValue(thumbnail),
            "width": JSONValue(event.width), "height": JSONValue(event.height), "motion_score": JSONValue(event.score),
            "ai_metadata": JSONValue(event.metadata), "id": .integer(event.id.rawValue),
        ]
    }

    private static func json(_ motion: LiveMotion) -> JSONValue {
        var since = motion.since.iso8601
        if since.hasSuffix("Z") { since = since.dropLast() + "+00:00" }
        return [
            "timestamp": .string(since), "source": .string(motion.source), "ai_metadata": JSONValue(motion.metadata),
            "_updated_at": .number(motion.updatedAt.seconds),
        ]
    }
}
