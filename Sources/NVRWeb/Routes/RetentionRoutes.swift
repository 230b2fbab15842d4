import HTTPTypes
import Hummingbird
import NVRModel
import NVRRecording
import NVRStore

/// Cleaning up now, what the last cleanups did, and for how long recordings will be there.
struct RetentionRoutes: Sendable {
    let store: Store
    let retention: RetentionService

    var routes: [Route] {
        [
            Route(.post, "/settings/cleanup", .admin, cleanUp),
            Route(.get, "/settings/cleanup/status", .admin) { _ in Response(json: Self.json(retention.status)) },
            Route(.get, "/storage/forecast", .admin, forecast),
        ]
    }

    // MARK: Cleaning up

    /// What a request asks for; the same names in the query and in the body, which may be left out.
    private struct Wish {
        var camera: Int?
        var medium: Event.Medium?
        var isConfirmed = false
        var isDryRun = false

        init(_ call: Call) throws {
            var fields = FieldReader()
            let body = call.body.readableBytes > 0 ? try call.object() : [:]
            func value(_ name: String) -> (JSONValue, [FieldProblem.Step])? {
                if let sent = body[name], sent != .null { return (sent, [.key("body"), .key(name)]) }
                if let text = call.query[name], !text.isEmpty { return (.string(text), [.key("query"), .key(name)]) }
                return nil
            }
            if let (sent, loc) = value("camera_id") { camera = fields.value(FieldCheck.integer(sent, limits: .min ... .max, loc: loc)) }
            if let (sent, loc) = value("media_type"), sent != .string("all") {
                medium = sent.string.flatMap(Event.Medium.init(rawValue:))
                if medium == nil { fields.note(.value(loc, "must be 'video', 'snapshot' or 'all'", input: sent)) }
            }
            if let (sent, loc) = value("confirm") { isConfirmed = fields.value(FieldCheck.boolean(sent, loc: loc)) ?? false }
            if let (sent, loc) = value("dry_run") { isDryRun = fields.value(FieldCheck.boolean(sent, loc: loc)) ?? false }
            if camera == nil, medium != nil {
                fields.note(.value([.key("query"), .key("media_type")], "is for one camera: name it by camera_id", input: .null))
            }
            try fields.finish()
        }
    }

    private func cleanUp(_ call: Call) async throws -> Response {
        let wish = try Wish(call)
        var aim = RetentionPlan.Aim.rules
        if let camera = wish.camera {
            let camera = try await store.camera(ID(Int64(camera)), visibleTo: try call.requireCaller())
            aim = .camera(camera.id, pictures: wish.medium.map { $0 == .snapshot })
        }
        let report = try await retention.cleanUp(aim, isConfirmed: wish.isConfirmed, isDryRun: wish.isDryRun)
        return Response(json: Self.json(report))
    }

    private static func json(_ sum: RetentionPlan.Sum) -> JSONValue { ["count": JSONValue(sum.count), "size_bytes": .integer(sum.bytes)] }

    private static func json(_ report: RetentionService.Report) -> JSONValue {
        var reasons = JSONObject()
        for (reason, sum) in report.plannedByReason.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { reasons[reason.rawValue] = json(sum) }
        var unmet = JSONObject()
        for (reason, bytes) in report.unmet.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { unmet[reason.rawValue] = .integer(bytes) }
        let (deleted, planned) = (report.outcome.deleted, report.planned)
        let message =
            report.isDryRun
            ? "\(planned.count) files would be deleted" : "Cleanup completed: \(deleted.count) files and \(report.outcome.events) events were deleted"
        return [
            "status": .string(report.isDryRun ? "planned" : report.stop == nil ? "success" : "stopped"),
            "message": .string(message + (report.reason.map { "; " + $0 } ?? "")), "time": .string(report.at.iso8601),
            "dry_run": .bool(report.isDryRun), "planned": json(planned), "planned_by_reason": .object(reasons),
            "deleted_count": JSONValue(deleted.count), "deleted_size_bytes": .integer(deleted.bytes),
            "deleted_events": JSONValue(report.outcome.events), "missing_files": JSONValue(report.outcome.missing),
            "withheld": json(report.withheld), "unmet_bytes": .object(unmet), "undated_files": JSONValue(report.undated),
            "unseen_hours": JSONValue(Int(clamping: report.unseen / 3_600_000_000)), "stopped_by": JSONValue(report.stop?.cause),
            "needs_confirmation": .bool(report.withheld.count > 0 || report.unseen > 0),
        ]
    }

    private static func json(_ status: RetentionService.Status) -> JSONValue {
        [
            "running": .bool(status.isRunning), "last_cleanup": status.last.map(json) ?? .null, "last_floor": status.lastSpace.map(json) ?? .null,
            "alarm": status.alarm.map { ["cause": .string($0.cause), "reason": .string($0.reason), "since": .string($0.since.iso8601)] } ?? .null,
        ]
    }

    // MARK: Forecast

    private func forecast(_ call: Call) async throws -> Response {
        let forecast = try await retention.forecast()
        let cameras = try await store.cameras.all().map { camera -> JSONValue in
            let stay = forecast.stays[camera.id]
            return [
                "camera_id": .integer(camera.id.rawValue), "name": .string(camera.general.name), "bytes_per_day": .integer(stay?.bytesADay ?? 0),
                "stored_bytes": .integer(stay?.bytes ?? 0), "days": Statistics.rounded(stay?.days.map { min($0, 1e6) }, 2),
                "limited_by": JSONValue(stay?.limit?.rawValue), "configured_days": JSONValue(KeepingTime.days(of: camera.recording.preserve)),
            ]
        }
        let volumes = forecast.rooms.sorted { $0.key < $1.key }.map { id, room -> JSONValue in
            [
                "id": .integer(id.rawValue), "total_bytes": .integer(room.total), "free_bytes": .integer(room.free),
                "floor_bytes": .integer(room.floor),
            ]
        }
        return Response(json: ["cleanup_enabled": .bool(forecast.isDeleting), "cameras": .array(cameras), "volumes": .array(volumes)])
    }
}
