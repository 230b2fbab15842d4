import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

/// What happened when, on several cameras at once and at any zoom.
struct TimelineRoutes: Sendable {
    let store: Store
    let reader: TimelineReader
    let clock: any NVRClock

    /// Cameras in one answer.
    static let mostCameras = 64
    /// Microseconds: fifty years.
    static let longest: Int64 = 50 * 366 * 86_400_000_000

    init(store: Store, growing: GrowingSegments, clock: any NVRClock) {
        self.store = store
        self.clock = clock
        reader = TimelineReader(store: store, growing: growing, clock: clock, offset: LocalOffset.server.seconds)
    }

    var routes: [Route] { [Route(.get, "/timeline", .userOrKey, timeline)] }

    private func timeline(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let wish = try TimelineWish(call.query, now: WallTime(microseconds: clock.wall()))
        let cameras = try await cameras(wish.cameras, caller)
        let timeline = try await reader.read(Array(cameras.prefix(Self.mostCameras)), wish.range, resolution: wish.resolution)
        var response = Response(jsonBytes: TimelineText.bytes(timeline, camerasLeftOut: max(0, cameras.count - Self.mostCameras)))
        response.headers[.cacheControl] = "private, no-cache"
        return response
    }

    /// The cameras that are named, in their order, or all that the caller may replay, in theirs.
    private func cameras(_ named: [ID<Camera>]?, _ caller: Identity) async throws -> [ID<Camera>] {
        guard let named else {
            return try await store.cameras.all().map(\.id).filter { Access.allows(caller, .replay, camera: $0) }
        }
        let known = Set(try await store.cameras.all().map(\.id))
        for camera in named where !Access.allows(caller, .view, camera: camera) || !known.contains(camera) { throw HTTPFailure.cameraNotFound }
        for camera in named where !Access.allows(caller, .replay, camera: camera) { throw HTTPFailure(.forbidden, "Not enough permissions") }
        return named
    }
}

/// What a query asks for.
struct TimelineWish: Sendable, Equatable {
    var cameras: [ID<Camera>]?
    var range: TimeRange
    /// Seconds.
    var resolution: Double?

    /// Throws every problem at once.
    init(_ query: QueryItems, now: WallTime) throws(FieldProblems) {
        var fields = FieldReader()
        func place(_ name: String) -> [FieldProblem.Step] { [.key("query"), .key(name)] }
        let start = fields.time(query, "start")
        let end = fields.time(query, "end") ?? now
        // An empty item is what a form sends for a field that was left open.
        if start == nil, query["start"]?.isEmpty ?? true { fields.note(.missing(place("start"), body: .null)) }
        if let text = query["cameras"], !text.isEmpty {
            var ids: [ID<Camera>] = []
            for (index, item) in text.split(separator: ",", maxSplits: 1000, omittingEmptySubsequences: false).enumerated() {
                let sent = JSONValue.string(String(item))
                let id = fields.value(FieldCheck.integer(sent, limits: .min ... .max, loc: place("cameras") + [.index(index)]))
                if let id = id.map({ ID<Camera>(Int64($0)) }), !ids.contains(id) { ids.append(id) }
            }
            if ids.count > TimelineRoutes.mostCameras {
                fields.note(.value(place("cameras"), "at most \(TimelineRoutes.mostCameras) cameras at once", input: .null))
            }
            cameras = ids
        }
        if let text = query["resolution"], !text.isEmpty {
            resolution = fields.value(FieldCheck.number(.string(text), limits: 0...1e9, loc: place("resolution")))
        }
        if let start {
            if start >= end {
                fields.note(.value(place("end"), "the range has to end after it begins", input: .string(end.iso8601)))
            } else if end.microseconds(since: start) > TimelineRoutes.longest {
                fields.note(.value(place("end"), "the range may be 50 years long at most", input: .string(end.iso8601)))
            }
        }
        range = TimeRange(start: start ?? end, end: end)
        try fields.finish()
    }
}
