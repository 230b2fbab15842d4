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
    let volumes: Volumes
    let threads: NIOThreadPool
    let clock: any NVRClock
    private let encryption: EncryptionReport

    init(store: Store, volume: StorageVolume, volumes: Volumes, threads: NIOThreadPool, clock: any NVRClock) {
        self.store = store
        self.volume = volume
        self.volumes = volumes
        self.threads = threads
        self.clock = clock
        encryption = EncryptionReport(store: store, keys: volumes.cipher.keys)
    }

    var routes: [Route] {
        [
            Route(.get, "/storage/encryption", .admin) { _ in Response(json: try await encryption.json()) },
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
        let stored = try await preparing(profile.path) { [profile] path in
            var profile = profile
            profile.path = path
            _ = try await isSame(path, own: nil)
            return try await store.storageProfiles.insert(profile)
        }
        return Response(json: try await json([stored], arePrepared: true)[0])
    }

    private func update(_ call: Call) async throws -> Response {
        let id = try call.id("profile_id", of: StorageProfile.self)
        let sent = try Sent(try call.object(), creating: false)
        guard try await store.storageProfiles.get(id) != nil else { throw Self.notFound }
        let profile: StorageProfile
        if let path = sent.path {
            profile = try await preparing(path) { path in
                var sent = sent
                sent.path = path
                return try await store.storageProfiles.update(id, isSameVolume: try await isSame(path, own: id)) { [sent] in sent.apply(to: &$0) }
            }
        } else {
            profile = try await store.storageProfiles.update(id) { sent.apply(to: &$0) }
        }
        return Response(json: try await json([profile], arePrepared: sent.path != nil)[0])
    }

    /// One that is not there is as good as deleted: clients of the reference expect no 404 here.
    private func delete(_ call: Call) async throws -> Response {
        let id = try call.id("profile_id", of: StorageProfile.self)
        let profile = try await store.storageProfiles.get(id)
        if try await store.storageProfiles.delete(id), let profile {
            let marker = VolumeMarker(instance: try await store.settings.values()[Settings.instanceID], volume: VolumeID(id))
            // Whoever uses the folder next finds it free.
            try await threads.runIfActive { StorageVolume.release(profile.path, of: marker) }
        }
        return Response(json: ["message": "Storage profile deleted successfully"])
    }

    /// Does something with a folder that is made for it; what fails leaves none behind.
    private func preparing<Value: Sendable>(_ path: String, _ body: (_ folder: String) async throws -> Value) async throws -> Value {
        let (folder, made) = try await threads.runIfActive { [volume] in try volume.prepareNoting(path) }
        do {
            return try await body(folder)
        } catch {
            try await threads.runIfActive { StorageVolume.unmake(made) }
            throw error
        }
    }

    /// Whether a folder is that of the profile already; throws when it is somebody else's.
    private func isSame(_ path: String, own: ID<StorageProfile>?) async throws -> Bool {
        let instance = try await store.settings.values()[Settings.instanceID]
        let profiles = Set(try await store.storageProfiles.all().map { VolumeID($0.id) })
        return try await threads.runIfActive { [volume] in
            try volume.claim(path, instance: instance, own: own.map { VolumeID($0) }, profiles: profiles)
        }
    }

    /// `arePrepared`: their folders were written to just now.
    private func json(_ profiles: [StorageProfile], arePrepared: Bool = false) async throws -> [JSONValue] {
        let totals = try await store.segments.volumeTotals()
        return try await threads.runIfActive { [volumes] in
            let states = Dictionary(volumes.states.map { ($0.volume, $0) }) { $1 }
            return profiles.map { profile in
                guard case .object(var object) = profile.json else { return .null }
                let id = VolumeID(profile.id)
                object["used_gb"] = Self.gigabytes(totals.reduce(0) { $0 + ($1.volume == id ? $1.bytes : 0) })
                object["state"] = Self.state(states[id])
                guard let space = volumes.space(of: id, in: profile.path, isPrepared: arePrepared) else {
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

    static func state(_ state: Volumes.State?) -> JSONValue {
        let loss = state?.loss
        var object: JSONObject = [
            "status": state == nil ? "new" : loss == nil ? "ok" : "lost", "cause": JSONValue(loss?.cause.rawValue),
            "since": JSONValue(loss?.since.iso8601),
        ]
        object.say("reason", loss?.detail)
        return .object(object)
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
