import HTTPTypes
import Hummingbird
import NVRBase
import NVRCameras
import NVRModel
import NVRRecording
import NVRStore
import Synchronization

/// Work on what is stored, and a look into the running cameras, for administrators.
struct MaintenanceRoutes: Sendable {
    let store: Store
    let live: LiveCameras
    let sync: FootageSync
    let clock: any NVRClock
    private let frames = FrameRates()

    init(store: Store, live: LiveCameras, sync: FootageSync, clock: any NVRClock) {
        self.store = store
        self.live = live
        self.sync = sync
        self.clock = clock
    }

    var routes: [Route] {
        [
            Route(.get, "/settings/engine/debug-status", .admin, engine),
            Route(.post, "/settings/sync-orphans", .admin, synchronize),
            Route(.get, "/settings/sync-orphans/status", .admin) { _ in Response(json: Self.json(sync.current)) },
        ]
    }

    // MARK: Rows and files

    /// Begins a comparison of rows and files, or tells of the one that runs.
    private func synchronize(_ call: Call) async throws -> Response {
        var wish = FootageSync.Wish()
        wish.isDryRun = try call.flag("dry_run")
        wish.isForced = try call.flag("force")
        wish.readsAll = try call.flag("checksums")
        let isNew = sync.start(wish)
        guard case .object(var object) = Self.json(sync.current) else { return Response(json: nil) }
        object["message"] = .string(isNew ? "Synchronization started" : "Synchronization is already running")
        return Response(json: .object(object))
    }

    private static func json(_ status: FootageSync.Status) -> JSONValue {
        let isDone = status.phase == .completed
        var object: JSONObject = [
            "status": .string(status.phase.rawValue), "started_at": JSONValue(status.startedAt?.iso8601),
            "finished_at": JSONValue(status.finishedAt?.iso8601),
            "progress": JSONValue(isDone ? 100 : status.total > 0 ? min(99, status.checked * 100 / status.total) : 0),
            "segments_checked": JSONValue(status.checked), "segments_total": JSONValue(status.total), "files": JSONValue(status.files),
            "problems": JSONValue(status.problems), "repaired": JSONValue(status.repaired),
            "dry_run": .bool(status.isDryRun),
        ]
        object.say("notes", status.notes)
        object.say("refused", status.refusal)
        return .object(object)
    }

    // MARK: Cameras

    /// What runs for each active camera, with the settings it runs by.
    private func engine(_ call: Call) async throws -> Response {
        let rates = try await frameRates()
        let health = live.health()
        let motion = live.liveMotion()
        var object = JSONObject()
        for camera in try await store.cameras.all() where camera.general.isActive {
            let state = health[camera.id]
            object[camera.id.description] = [
                "running": .bool(state != nil), "connected": .bool(state?.status == .connected),
                "health": .string((state?.status ?? .starting).rawValue), "rtsp_url": .string(redactingURLCredentials(in: camera.streams.url)),
                "fps": JSONValue(Int((rates[camera.id] ?? 0).rounded())), "motion": .bool(motion[camera.id] != nil),
                "recording": .bool(state?.isRecording ?? false),
                // No picture is made unless somebody asks for one.
                "last_frame_bytes": nil, "config": Self.configuration(camera, state),
            ]
        }
        return Response(json: .object(object))
    }

    /// Frames a second of the main streams, measured since the last request, or for a second when that is long ago.
    private func frameRates() async throws -> [ID<Camera>: Double] {
        guard !live.counters().isEmpty else { return [:] }
        if let rates = frames.rates(live.counters(), at: clock.monotonic()) { return rates }
        try await Task.sleep(for: .seconds(1))
        return frames.rates(live.counters(), at: clock.monotonic()) ?? [:]
    }

    /// Members of a camera's answer that are shown under their own names.
    private static let shown = [
        "id", "name", "framerate", "text_left", "text_right", "text_scale", "rotation", "recording_mode", "picture_recording_mode", "threshold",
        "motion_gap", "movie_quality", "movie_passthrough", "max_movie_length", "record_audio", "movie_file_name", "picture_quality",
        "picture_file_name", "min_motion_frames", "auto_threshold_tuning", "auto_noise_detection", "light_switch_detection", "despeckle_filter",
        "mask", "privacy_masks", "motion_masks", "create_debug_media", "ptz_can_pan_tilt", "ptz_can_zoom", "detect_motion_mode",
        "detect_engine", "rtsp_transport", "sub_rtsp_transport", "live_view_mode", "audio_enabled", "enable_audio", "ai_enabled",
        "ai_object_types", "ai_threshold", "ai_tracking_enabled",
    ]
    /// Points of the picture that motion is looked for in.
    private static let analysedPoints = 320.0 * 180

    private static func configuration(_ camera: Camera, _ health: CameraHealth?) -> JSONValue {
        let all = camera.json(.full, health: health)
        var object = JSONObject()
        for name in shown { object[name] = all[name] ?? .null }
        object["rtsp_url"] = .string(redactingURLCredentials(in: camera.streams.url))
        object["sub_rtsp_url"] = JSONValue(camera.streams.subURL.map { redactingURLCredentials(in: $0) })
        object["width"] = JSONValue(health?.width ?? camera.streams.width)
        object["height"] = JSONValue(health?.height ?? camera.streams.height)
        object["threshold_percent"] = Statistics.rounded(Double(camera.detection.threshold) / analysedPoints * 100, 2)
        object["pre_capture"] = JSONValue(camera.recording.capturedBefore * camera.streams.framerate)
        object["post_capture"] = JSONValue(camera.recording.capturedAfter)
        object["show_motion_box"] = .bool(camera.detection.showFrameChanges)
        return .object(object)
    }
}

/// Frames a second from two looks at the counters. Any task may use it.
final class FrameRates: Sendable {
    private struct Sample {
        var at: Int64
        var frames: [ID<Camera>: UInt64]
    }

    /// Monotonic microseconds between two looks that make a rate.
    private static let span: ClosedRange<Int64> = 900_000...30_000_000
    private let last = Mutex<Sample?>(nil)

    /// Nil when there was no look before, or at another time.
    func rates(_ counters: [CameraCounters], at now: Int64) -> [ID<Camera>: Double]? {
        var sample = Sample(at: now, frames: [:])
        for counter in counters where counter.role == .main { sample.frames[counter.camera] = counter.videoFrames }
        return last.withLock { last in
            guard let old = last, now - old.at <= Self.span.upperBound else {
                last = sample
                return nil
            }
            guard now - old.at >= Self.span.lowerBound else { return nil }
            last = sample
            // A camera that was begun anew counts from zero.
            return sample.frames.reduce(into: [:]) { rates, entry in
                let before = old.frames[entry.key].flatMap { $0 <= entry.value ? $0 : nil } ?? 0
                rates[entry.key] = Double(entry.value - before) / (Double(now - old.at) / 1_000_000)
            }
        }
    }
}
