import HTTPTypes
import Hummingbird
import Logging
import NVRAccounts
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

/// Whether the server is well and records what it should: now, before, and in numbers.
struct HealthRoutes: Sendable {
    let store: Store
    let health: WebHealth
    let volumes: Volumes

    var routes: [Route] {
        [
            Route(.get, "/health", .anonymous, now),
            Route(.get, "/health/events", .userOrKey, events),
            Route(.get, "/health/recorded", .userOrKey, recorded),
        ]
    }

    // MARK: Now

    /// For everybody: kinds, causes and numbers; neither names nor words, which might tell of the place.
    private func now(_ call: Call) async throws -> Response {
        var isSound = true
        do { _ = try await store.users.count() } catch {
            isSound = false
            call.context.logger.error("the database does not answer", metadata: ["error": "\(error)"])
        }
        let open = health.log.open
        let problems = Self.problems(open) + Self.problems(volumes)
        let stalled = open.contains { $0.kind == .recordingStalled }
        return Response(
            status: isSound ? .ok : .serviceUnavailable,
            json: [
                "status": .string(!isSound ? "error" : problems.isEmpty ? "ok" : "degraded"),
                "components": ["database": .string(isSound ? "ok" : "error"), "engine": .string(stalled ? "degraded" : "ok")],
                // A weak key is refused at start.
                "is_weak_key": false, "problems": .array(problems),
            ])
    }

    /// Volumes that are not used, one line for each cause; the default folder, for which nothing stands in, by itself.
    private static func problems(_ volumes: Volumes) -> [JSONValue] {
        func problem(_ kind: JSONValue, _ cause: VolumeLoss.Cause, _ losses: [VolumeLoss]) -> JSONValue {
            [
                "kind": kind, "cause": .string(cause.rawValue), "count": JSONValue(losses.count),
                "since": .string(losses.map(\.since).min()?.iso8601 ?? ""),
            ]
        }
        let states = volumes.states
        let ofProfiles = Dictionary(grouping: states.filter { $0.volume != .standard }.compactMap(\.loss), by: \.cause)
        return states.filter { $0.volume == .standard }.compactMap(\.loss).map { problem("default_folder_lost", $0.cause, [$0]) }
            + ofProfiles.sorted { $0.key.rawValue < $1.key.rawValue }.map { problem("volume_lost", $0, $1) }
    }

    private static func problems(_ open: [HealthEvent]) -> [JSONValue] {
        struct Sort: Hashable {
            var kind: String
            var cause: String?
        }
        var order: [Sort] = []
        var groups: [Sort: (count: Int, since: WallTime)] = [:]
        for event in open {
            let sort = Sort(kind: event.kind.rawValue, cause: event.cause)
            if groups[sort] == nil { order.append(sort) }
            let known = groups[sort] ?? (0, event.start)
            groups[sort] = (known.count + 1, min(known.since, event.start))
        }
        return order.compactMap { sort in
            groups[sort].map { group in
                [
                    "kind": .string(sort.kind), "cause": JSONValue(sort.cause), "count": JSONValue(group.count),
                    "since": .string(group.since.iso8601),
                ]
            }
        }
    }

    // MARK: Before

    /// Events that are read at once; 10,000 are kept.
    private static let pageSize = 500

    private func events(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        var fields = FieldReader()
        let limit = fields.integer(call.query, "limit", default: 50, limits: 1...1000)
        let before = call.query["before"].flatMap { text in
            fields.value(FieldCheck.integer(.string(text), limits: .min ... .max, loc: [.key("query"), .key("before")]))
        }
        let camera = call.query["camera_id"].flatMap { text in
            fields.value(FieldCheck.integer(.string(text), limits: .min ... .max, loc: [.key("query"), .key("camera_id")]))
        }
        try fields.finish()
        let onlyOpen = try call.flag("active")
        let cameraID = camera.map { ID<Camera>(Int64($0)) }
        if let cameraID, !Access.allows(caller, .view, camera: cameraID) { throw HTTPFailure.cameraNotFound }
        let isAdmin = Access.allows(caller, .administer)
        var list: [JSONValue] = []
        var cursor = before.map { ID<HealthEvent>(Int64($0)) }
        // What the caller may not see is passed over, whatever he asks for at once: an empty answer is the end of the list.
        let size = max(limit, Self.pageSize)
        while true {
            let page = try await store.health.list(before: cursor, onlyOpen: onlyOpen, camera: cameraID, limit: size)
            for event in page where list.count < limit {
                guard event.cameraID.map({ Access.allows(caller, .view, camera: $0) }) ?? isAdmin else { continue }
                list.append(Self.json(event))
            }
            guard let last = page.last, page.count == size, list.count < limit else { break }
            cursor = last.id
        }
        return Response(json: .array(list))
    }

    private static func json(_ event: HealthEvent) -> JSONValue {
        var object: JSONObject = [
            "id": JSONValue(Int(event.id.rawValue)), "kind": .string(event.kind.rawValue),
            "camera_id": JSONValue(event.cameraID.map { Int($0.rawValue) }), "start": .string(event.start.iso8601),
            "end": JSONValue(event.end?.iso8601), "cause": JSONValue(event.cause),
        ]
        object.say("detail", event.detail)
        return .object(object)
    }

    // MARK: In numbers

    private func recorded(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        var fields = FieldReader()
        let count = fields.integer(call.query, "days", default: 7, limits: 1...366)
        try fields.finish()
        let cameras = try await store.cameras.all().filter { Access.allows(caller, .view, camera: $0.id) }
        let days = try await health.days.days(count, of: cameras)
        return Response(json: [
            "days": .array(
                days.map { day in
                    [
                        "date": .string(Self.text(CivilDate(daysSince1970: Int64(day.day)))),
                        "cameras": .array(day.cameras.map(Self.json)),
                    ]
                })
        ])
    }

    private static func json(_ day: RecordedDay) -> JSONValue {
        let total = day.recorded + day.missed
        return [
            "camera_id": JSONValue(Int(day.cameraID.rawValue)),
            // Cut, not rounded: what is not complete never reads 100.
            "percent": total > 0 ? .number((Double(day.recorded) / Double(total) * 10_000).rounded(.down) / 100) : .null,
            "recorded_seconds": seconds(day.recorded), "missed_seconds": seconds(day.missed),
        ]
    }

    private static func text(_ date: CivilDate) -> String {
        padded(Int64(date.year), 4) + "-" + padded(Int64(date.month), 2) + "-" + padded(Int64(date.day), 2)
    }

    private static func seconds(_ microseconds: Int64) -> JSONValue { .number((Double(microseconds) / 100_000).rounded() / 10) }
}
