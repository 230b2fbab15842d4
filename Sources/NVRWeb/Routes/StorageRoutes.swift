import HTTPTypes
import Hummingbird
import NIOPosix
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

/// Storage profiles: folders for recordings that cameras may name. Every answer tells how full the volume is.
struct StorageRoutes: Sendable {
    let store: Store
    let volume: StorageVolume
    let threads: NIOThreadPool
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.get, "/storage/profiles", .admin, list),
            Route(.post, "/storage/profiles", .admin, create),
            Route(.get, "/storage/profiles/{profile_id}", .admin, one),
            Route(.put, "/storage/profiles/{profile_id}", .admin, update),
            Route(.delete, "/storage/profiles/{profile_id}", .admin, delete),
        ]
    }

    private static let notFound = HTTPFailure(.notFound, "Storage profile not found")

    private func list(_ call: Call) async throws -> Response {
        var fields = FieldReader()
        let skip = fields.integer(call.query, "skip", default: 0, limits: 0...1_000_000)
        let limit = fields.integer(call.query, "limit", default: 100, limits: 1...1000)
        try fields.finish()
        let all = try await store.storageProfiles.all()
        return Response(json: .array(try await json(Array(all.dropFirst(skip).prefix(limit)))), fields: [.xTotalCount: String(all.count)])
    }

    private func one(_ call: Call) async throws -> Response {
        guard let profile = try await store.storageProfiles.get(try call.id("profile_id")) else { throw Self.notFound }
        return Response(json: try await json([profile])[0])
    }

    private func create(_ call: Call) async throws -> Response {
        let sent = try Sent(try call.object(), creating: true)
        var profile = StorageProfile(id: ID(0), name: "", path: "", createdAt: WallTime(microseconds: clock.wall()))
        sent.apply(to: &profile)
        profile.path = try await prepared(profile.path)
        return Response(json: try await json([try await store.storageProfiles.insert(profile)])[0])
    }

    private func update(_ call: Call) async throws -> Response {
        let id = try call.id("profile_id", of: StorageProfile.self)
        var sent = try Sent(try call.object(), creating: false)
        guard try await store.storageProfiles.get(id) != nil else { throw Self.notFound }
        if let path = sent.path { sent.path = try await prepared(path) }
        let profile = try await store.storageProfiles.update(id) { [sent] in sent.apply(to: &$0) }
        return Response(json: try await json([profile])[0])
    }

    /// One that is not there is as good as deleted: clients of the reference expect no 404 here.
    private func delete(_ call: Call) async throws -> Response {
        _ = try await store.storageProfiles.delete(try call.id("profile_id"))
        return Response(json: ["message": "Storage profile deleted successfully"])
    }

    private func prepared(_ path: String) async throws -> String {
        try await threads.runIfActive { [volume] in try volume.prepare(path) }
    }

    private func json(_ profiles: [StorageProfile]) async throws -> [JSONValue] {
        try await threads.runIfActive {
            profiles.map { profile in
                guard case .object(var object) = profile.json else { return .null }
                guard let space = StorageVolume.space(at: profile.path) else {
                    object["disk"] = .null
                    return .object(object)
                }
                object["disk"] = [
                    "total_gb": Self.gigabytes(space.total), "free_gb": Self.gigabytes(space.free),
                    "percent": space.total > 0 ? JSONValue(Int(Double(space.total - space.free) / Double(space.total) * 100)) : .null,
                ]
                return .object(object)
            }
        }
    }

    private static func gigabytes(_ bytes: Int64) -> JSONValue { Statistics.rounded(Double(bytes) / 1_073_741_824, 2) }

    /// A checked body; what is absent stays as it was.
    private struct Sent: Sendable {
        var name: String?
        var path: String?
        var description: String??
        var maxSize: Double?

        init(_ body: JSONObject, creating: Bool) throws {
            var fields = FieldReader()
            name = fields.name(body, required: creating)
            if let text = fields.text(body, "path", length: 0...StorageProfile.maxPathLength, required: creating) {
                switch StorageProfile.checkedPath(text) {
                case .success(let checked): path = checked
                case .failure(let refusal):
                    fields.note(.value([.key("body"), .key("path")], refusal.message, input: .string(text)))
                }
            }
            if body["description"] != nil { description = .some(fields.text(body, "description", length: 0...1000)) }
            if let size = body["max_size_gb"] {
                let loc: [FieldProblem.Step] = [.key("body"), .key("max_size_gb")]
                maxSize = size == .null ? 0 : fields.value(FieldCheck.number(size, limits: 0...1_000_000, loc: loc))
            }
            try fields.finish()
        }

        func apply(to profile: inout StorageProfile) {
            if let name { profile.name = name }
            if let path { profile.path = path }
            if let description { profile.description = description }
            if let maxSize { profile.maxSize = maxSize }
        }
    }
}
