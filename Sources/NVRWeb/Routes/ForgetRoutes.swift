import HTTPTypes
import Hummingbird
import Logging
import NIOPosix
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

/// Giving up volumes that are gone for good: their rows go, so that their profiles can. No file is touched.
struct ForgetRoutes: Sendable {
    let store: Store
    let volumes: Volumes
    let threads: NIOThreadPool

    var routes: [Route] {
        [
            Route(.post, "/storage/profiles/{profile_id}/forget", .admin, forgetFolder),
            Route(.post, "/storage/s3/{profile_id}/forget", .admin, forgetBucket),
        ]
    }

    private func forgetFolder(_ call: Call) async throws -> Response {
        guard let profile = try await store.storageProfiles.get(try call.id("profile_id")) else {
            throw HTTPFailure(.notFound, "Storage profile not found")
        }
        return try await forget(VolumeID(profile.id), call)
    }

    private func forgetBucket(_ call: Call) async throws -> Response {
        guard let profile = try await store.s3Profiles.get(try call.id("profile_id")) else { throw HTTPFailure(.notFound, "S3 profile not found") }
        return try await forget(VolumeID(profile.id), call)
    }

    /// Whoever asks has to say how much it is that he gives up.
    private func forget(_ volume: VolumeID, _ call: Call) async throws -> Response {
        if try call.flag("dry_run") { return Response(json: Self.json(try await store.segments.holding(of: volume), isForgotten: false)) }
        let confirmed = try Self.confirmed(try call.object())
        guard try await !isThere(volume) else {
            throw HTTPFailure(.conflict, "The volume is there: delete what lies on it, or let it expire. Only one that is gone can be forgotten")
        }
        try await store.segments.forget(volume, expecting: confirmed)
        call.context.logger.warning(
            "the footage of a volume that is gone was forgotten",
            metadata: [
                "volume": "\(volume)", "recordings": "\(confirmed.recordings)", "snapshots": "\(confirmed.snapshots)", "bytes": "\(confirmed.bytes)",
            ])
        return Response(json: Self.json(confirmed, isForgotten: true))
    }

    private func isThere(_ volume: VolumeID) async throws -> Bool {
        if let remote = volumes.remote(volume) { return await remote.isRightOne() }
        return try await threads.runIfActive { [volumes] in volumes.confirm(volume) }
    }

    private static func confirmed(_ body: JSONObject) throws -> SegmentStore.Holding {
        var fields = FieldReader()
        func number(_ name: String) -> Int {
            let loc: [FieldProblem.Step] = [.key("body"), .key(name)]
            guard let sent = body[name], sent != .null else {
                fields.note(.missing(loc, body: .object(body)))
                return 0
            }
            return fields.value(FieldCheck.integer(sent, limits: 0...Int.max, loc: loc)) ?? 0
        }
        let holding = SegmentStore.Holding(recordings: number("recordings"), snapshots: number("snapshots"), bytes: Int64(number("bytes")))
        try fields.finish()
        return holding
    }

    private static func json(_ holding: SegmentStore.Holding, isForgotten: Bool) -> JSONValue {
        [
            "recordings": JSONValue(holding.recordings), "snapshots": JSONValue(holding.snapshots), "bytes": .integer(holding.bytes),
            "forgotten": .bool(isForgotten),
        ]
    }
}
