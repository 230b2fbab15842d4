import HTTPTypes
import Hummingbird
import NVRBase
import NVRModel
import NVROffsite
import NVRRecording
import NVRStore

/// Buckets that events are copied to and footage moves into, and how far the copies are. Secret keys are taken and never given.
struct S3Routes: Sendable {
    let store: Store
    let offsite: OffsiteAccess
    let volumes: Volumes
    let rules: CameraURL.Rules
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.get, "/storage/s3", .admin, list),
            Route(.post, "/storage/s3", .admin, create),
            Route(.get, "/storage/s3/{profile_id}", .admin, one),
            Route(.put, "/storage/s3/{profile_id}", .admin, update),
            Route(.delete, "/storage/s3/{profile_id}", .admin, delete),
            Route(.post, "/storage/s3/{profile_id}/test", .admin, test),
            Route(.get, "/storage/offsite", .admin, state),
        ]
    }

    private static let notFound = HTTPFailure(.notFound, "S3 profile not found")

    private func list(_ call: Call) async throws -> Response {
        Response(json: .array(try await json(try await store.s3Profiles.all())))
    }

    private func one(_ call: Call) async throws -> Response { Response(json: try await json([try await profile(call)])[0]) }

    /// With what lies in the bucket, and whether it was there when it was looked at last.
    private func json(_ profiles: [S3Profile]) async throws -> [JSONValue] {
        let totals = try await store.segments.volumeTotals()
        let states = Dictionary(volumes.states.map { ($0.volume, $0) }) { $1 }
        return profiles.map { profile in
            guard case .object(var object) = profile.json else { return .null }
            let own = totals.filter { $0.volume == VolumeID(profile.id) }
            func count(_ medium: Event.Medium) -> JSONValue { JSONValue(own.reduce(0) { $1.medium == medium ? $0 + $1.count : $0 }) }
            object["archive"] = [
                "recordings": count(.video), "snapshots": count(.snapshot), "bytes": .integer(own.reduce(Int64(0)) { $0 + $1.bytes }),
            ]
            object["state"] = StorageRoutes.state(states[VolumeID(profile.id)])
            return .object(object)
        }
    }

    private func profile(_ call: Call) async throws -> S3Profile {
        guard let profile = try await store.s3Profiles.get(try call.id("profile_id")) else { throw Self.notFound }
        return profile
    }

    private func create(_ call: Call) async throws -> Response {
        let sent = try Sent(try call.object(), creating: true, rules: rules)
        var profile = S3Profile(
            id: ID(0), name: "", endpoint: "", bucket: "", accessKey: "", secretKey: "", createdAt: WallTime(microseconds: clock.wall()))
        sent.apply(to: &profile)
        try profile.demandPlace()
        return Response(json: try await json([try await store.s3Profiles.insert(profile)])[0])
    }

    private func update(_ call: Call) async throws -> Response {
        let id = try call.id("profile_id", of: S3Profile.self)
        let sent = try Sent(try call.object(), creating: false, rules: rules)
        let profile = try await store.s3Profiles.update(id) { profile in
            sent.apply(to: &profile)
            try profile.demandPlace()
        }
        return Response(json: try await json([profile])[0])
    }

    private func delete(_ call: Call) async throws -> Response {
        guard try await store.s3Profiles.delete(try call.id("profile_id")) else { throw Self.notFound }
        return Response(json: ["message": "S3 profile deleted; what lies in the bucket stays there"])
    }

    /// Whether it works is the answer, not the status: the request itself was fine.
    private func test(_ call: Call) async throws -> Response {
        let profile = try await profile(call)
        do {
            try await offsite.test(profile)
            return Response(json: Self.verdict(nil))
        } catch let error as NVRError {
            return Response(json: Self.verdict(error.message))
        }
    }

    private static func verdict(_ error: String?) -> JSONValue {
        var object: JSONObject = ["ok": .bool(error == nil)]
        object.say("error", error)
        return .object(object)
    }

    // MARK: The state of copies

    private func state(_ call: Call) async throws -> Response {
        Response(json: ["profiles": .array(try await offsite.states().map(Self.json))])
    }

    private static func json(_ state: OffsiteState) -> JSONValue {
        let sums = state.cameras
        return [
            "profile_id": .integer(state.profile.id.rawValue), "name": .string(state.profile.name),
            "state": .string(state.profile.copiesEvents ? state.activity.phase.rawValue : "off"),
            "queued_events": JSONValue(sums.reduce(0) { $0 + $1.waiting }),
            "bytes_waiting": .integer(sums.reduce(0) { $0 + $1.waitingBytes }),
            "bytes_uploaded": .integer(sums.reduce(0) { $0 + $1.bytes }), "objects_uploaded": JSONValue(sums.reduce(0) { $0 + $1.pieces }),
            "last_success_at": JSONValue(sums.compactMap(\.lastSuccess).max()?.iso8601),
            "last_error": json(state.activity.problem), "retry_at": JSONValue(state.activity.retryAt?.iso8601),
            "cameras": .array(
                sums.map { camera in
                    [
                        "camera_id": .integer(camera.cameraID.rawValue), "queued_events": JSONValue(camera.waiting),
                        "bytes_waiting": .integer(camera.waitingBytes), "bytes_uploaded": .integer(camera.bytes),
                        "objects_uploaded": JSONValue(camera.pieces), "events_copied": JSONValue(camera.outcomes[.copied] ?? 0),
                        "events_dropped": .object(dropped(camera)), "last_success_at": JSONValue(camera.lastSuccess?.iso8601),
                        "last_error": json(state.activity.problems[camera.cameraID]),
                    ]
                }),
        ]
    }

    private static func dropped(_ camera: OffsiteSummary) -> JSONObject {
        var object = JSONObject()
        for outcome in OffsiteEvent.Outcome.allCases where outcome != .copied {
            object[outcome.rawValue] = JSONValue(camera.outcomes[outcome] ?? 0)
        }
        return object
    }

    private static func json(_ problem: OffsiteActivity.Problem?) -> JSONValue {
        guard let problem else { return .null }
        var object: JSONObject = ["at": .string(problem.time.iso8601)]
        object.say("message", problem.message)
        return .object(object)
    }

    // MARK: Bodies

    /// A checked body; what is absent stays as it was.
    private struct Sent: Sendable {
        var name: String?
        var endpoint: String?
        var region: String?
        var bucket: String?
        var prefix: String?
        var addressing: String?
        var accessKey: String?
        var secretKey: String?
        var allowsSelfSigned: Bool?
        var maxRate: Int?
        var maxSize: Double?
        var copiesAll: Bool?
        var cameras: [ID<Camera>]?

        init(_ body: JSONObject, creating: Bool, rules: CameraURL.Rules) throws {
            var fields = FieldReader()
            name = fields.name(body, required: creating)
            if let text = fields.text(body, "endpoint", length: 1...300, required: creating) {
                switch CameraURL.check(text, schemes: ["http", "https"], rules: rules) {
                case .success(let checked): endpoint = checked
                case .failure(let refusal): fields.note(.value(Self.loc("endpoint"), refusal.message, input: .string(text)))
                }
            }
            region = fields.text(body, "region", length: 1...64)
            bucket = fields.text(body, "bucket", length: 3...63, required: creating)
            if let text = fields.text(body, "prefix", length: 0...200) {
                switch S3Profile.checkedPrefix(text) {
                case .success(let checked): prefix = checked
                case .failure(let refusal): fields.note(.value(Self.loc("prefix"), refusal.message, input: .string(text)))
                }
            }
            if let sent = body["addressing"], sent != .null {
                addressing = fields.value(FieldCheck.choice(sent, of: S3Profile.addressings, loc: Self.loc("addressing")))
            }
            accessKey = fields.text(body, "access_key", length: 1...256, required: creating)
            secretKey = fields.text(body, "secret_key", length: 1...256, required: creating)
            if secretKey == SettingKey.mask {
                secretKey = nil
                if creating { fields.note(.value(Self.loc("secret_key"), "the key itself is needed", input: .null)) }
            }
            allowsSelfSigned = Self.flag(body, "allow_self_signed", &fields)
            copiesAll = Self.flag(body, "offsite_all_cameras", &fields)
            if let sent = body["max_bytes_per_second"], sent != .null {
                let rate = fields.value(FieldCheck.integer(sent, limits: 0...100_000_000_000, loc: Self.loc("max_bytes_per_second")))
                if let rate, rate > 0, rate < S3Profile.leastRate {
                    fields.note(
                        .value(Self.loc("max_bytes_per_second"), "a limit is \(S3Profile.leastRate) at least; 0 is none", input: sent))
                }
                maxRate = rate
            }
            if let sent = body["max_size_gb"], sent != .null {
                maxSize = fields.value(FieldCheck.number(sent, limits: 0...1_000_000, loc: Self.loc("max_size_gb")))
            }
            cameras = fields.ids(body, "offsite_camera_ids")
            try fields.finish()
        }

        private static func loc(_ name: String) -> [FieldProblem.Step] { [.key("body"), .key(name)] }

        private static func flag(_ body: JSONObject, _ name: String, _ fields: inout FieldReader) -> Bool? {
            guard let sent = body[name], sent != .null else { return nil }
            return fields.value(FieldCheck.boolean(sent, loc: loc(name)))
        }

        func apply(to profile: inout S3Profile) {
            if let name { profile.name = name }
            if let endpoint { profile.endpoint = endpoint }
            if let region { profile.region = region }
            if let bucket { profile.bucket = bucket }
            if let prefix { profile.prefix = prefix }
            if let addressing { profile.addressing = addressing }
            if let accessKey { profile.accessKey = accessKey }
            if let secretKey { profile.secretKey = secretKey }
            if let allowsSelfSigned { profile.allowsSelfSigned = allowsSelfSigned }
            if let maxRate { profile.maxRate = maxRate }
            if let maxSize { profile.maxSize = maxSize }
            if let copiesAll { profile.copiesAllCameras = copiesAll }
            if let cameras { profile.cameraIDs = Set(cameras) }
        }
    }
}
