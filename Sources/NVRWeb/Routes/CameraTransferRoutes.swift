import HTTPTypes
import Hummingbird
import NIOCore
import NVRBase
import NVRModel
import NVRStore

/// Cameras out of this server and into it, as files.
struct CameraTransferRoutes: Sendable {
    let store: Store
    let live: LiveCameras
    let rules: CameraURL.Rules
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.get, "/cameras/export/all", .admin, exportAll),
            Route(.post, "/cameras/export/bulk", .admin, exportSome),
            Route(.get, "/cameras/{camera_id}/export", .admin, exportOne),
            Route(.post, "/cameras/import", .admin, largestBody: CameraFiles.largestUpload, importFile),
            Route(.post, "/cameras/import/motioneye", .admin, largestBody: CameraFiles.largestUpload, importMotionEye),
        ]
    }

    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    // MARK: Out

    private func exportAll(_ call: Call) async throws -> Response {
        try await export(try await store.cameras.all(), call)
    }

    private func exportSome(_ call: Call) async throws -> Response {
        let ids = try call.ids(key: "camera_ids", of: Camera.self)
        let cameras = try await store.cameras.all()
        for id in ids where !cameras.contains(where: { $0.id == id }) { throw HTTPFailure(.notFound, "Camera \(id) not found") }
        let wanted = Set(ids)
        return try await export(cameras.filter { wanted.contains($0.id) }, call)
    }

    private func exportOne(_ call: Call) async throws -> Response {
        let camera = try await store.camera(try call.id("camera_id"), visibleTo: try call.requireCaller())
        return try await export([camera], call, isSingle: true)
    }

    private func export(_ cameras: [Camera], _ call: Call, isSingle: Bool = false) async throws -> Response {
        let withCredentials = try call.flag("include_credentials")
        let format = try FieldCheck.choice(
            .string(call.query["format"] ?? "json"), of: ["json", "tar"], loc: [.key("query"), .key("format")]
        ).get()
        let groups = try await store.groups.byCamera()
        let health = live.health()
        let files = cameras.map { camera in
            (
                id: camera.id, name: camera.general.name,
                document: CameraTransfer.exported(
                    camera, groups: (groups[camera.id] ?? []).map(\.name), health: health[camera.id], withCredentials: withCredentials)
            )
        }
        let stamp = LocalDay.stamp(at: now)
        let name =
            if isSingle, let file = files.first { "vibenvr_camera_\(MediaPath.urlSafe(file.name).prefix(60))_\(stamp)" } else {
                "vibenvr_cameras_\(stamp)"
            }
        var fields: HTTPFields = [.contentDisposition: "attachment; filename=\(name).\(format)", .cacheControl: "no-store"]
        if format == "tar" {
            fields[.contentType] = "application/x-tar"
            return Response(status: .ok, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: CameraFiles.archive(files, at: now))))
        }
        let document = isSingle ? files.first.map { CameraTransfer.document($0.document) } : CameraTransfer.document(files.map(\.document))
        return Response(json: document ?? .null, fields: fields)
    }

    // MARK: In

    private func importFile(_ call: Call) async throws -> Response {
        let file = try MultipartForm(call).file("file")
        return try await take(try CameraFiles.candidates(in: file.body, rules: rules), call)
    }

    private func importMotionEye(_ call: Call) async throws -> Response {
        let file = try MultipartForm(call).file("file")
        let candidates = try CameraFiles.motionEye(in: file.body, rules: rules)
        // Cameras that are plugged into the other machine have no address, and no place here.
        let isAnalysis = try call.flag("analyze_only")
        return try await take(candidates.filter { isAnalysis || $0.source["rtsp_url"] != nil }, call)
    }

    /// Makes the cameras that are not there yet, all or none; with `analyze_only` only tells what it would do.
    func take(_ candidates: [CameraTransfer.Candidate], _ call: Call) async throws -> Response {
        if try call.flag("analyze_only") {
            let known = Set(try await store.cameras.all().map(CameraTransfer.address))
            func isKnown(_ candidate: CameraTransfer.Candidate) -> Bool {
                candidate.problems.isEmpty && known.contains(CameraTransfer.address(of: candidate.camera))
            }
            return Response(json: [
                "cameras": .array(candidates.map { Self.json($0, exists: isKnown($0)) }), "count": JSONValue(candidates.count),
            ])
        }
        let problems = candidates.flatMap(\.problems)
        guard problems.isEmpty else { throw FieldProblems(Array(problems.prefix(100))) }
        let now = now
        let drafts = candidates.map { candidate in
            var camera = candidate.camera
            camera.createdAt = now
            return CameraDraft(camera: camera, groups: candidate.groups)
        }
        let made = try await store.cameras.insert(drafts, at: now, skippingKnown: true)
        let skipped = candidates.count - made.count
        let more = skipped > 0 ? ". \(skipped) camera(s) skipped (already existing)." : ""
        return Response(json: [
            "message": .string("Successfully imported \(made.count) camera(s)" + more), "count": JSONValue(made.count),
            "skipped": JSONValue(skipped), "camera_ids": .array(made.map { .integer($0.id.rawValue) }),
        ])
    }

    /// A camera of a file with what is wrong with it; one that is sound in the form in which it would be stored.
    private static func json(_ candidate: CameraTransfer.Candidate, exists: Bool) -> JSONValue {
        var object = candidate.source.object ?? [:]
        if candidate.problems.isEmpty {
            object = CameraTransfer.exported(candidate.camera, groups: candidate.groups, health: nil, withCredentials: true).object ?? [:]
        }
        object["exists"] = .bool(exists)
        object["problems"] = .array(candidate.problems.map(\.json))
        return .object(object)
    }
}
