import NVRAccounts
import NVRModel
import NVRStore

/// Cameras as callers may see them: with their state, the groups they are in and the storage profile they name. Made for one answer
/// of any number of cameras, so that the tables around them are read once.
struct CameraAnswers: Sendable {
    private let form: Camera.Form
    private let isAdmin: Bool
    private let health: [ID<Camera>: CameraHealth]
    private var groups: [ID<Camera>: [CameraGroup]] = [:]
    private var profiles: [ID<StorageProfile>: StorageProfile] = [:]

    init(for caller: Identity, store: Store, live: LiveCameras) async throws {
        form = caller.cameraForm
        isAdmin = form == .full
        health = live.health()
        // The short form tells of neither.
        guard form != .summary else { return }
        groups = try await store.groups.byCamera()
        // Folders of this machine are the administrators' business.
        if isAdmin { profiles = Dictionary(try await store.storageProfiles.all().map { ($0.id, $0) }) { $1 } }
    }

    /// The camera as the caller may see it. The long forms also say why a camera is in its state, since when, and what reads it.
    func json(_ camera: Camera) -> JSONValue {
        let health = health[camera.id]
        guard case .object(var object) = camera.json(form, health: health) else { return .null }
        if health == nil { object["status"] = .string(camera.statusWhenNotRunning.rawValue) }
        if camera.streams.autoResolution, let width = health?.width, let height = health?.height {
            object["resolution_width"] = JSONValue(width)
            object["resolution_height"] = JSONValue(height)
        }
        if form == .summary { return .object(object) }
        object["groups"] = .array((groups[camera.id] ?? []).map(\.shortJSON))
        object["storage_profile"] = profile(camera.storage.profileID)
        object["status_reason"] = JSONValue(health?.reason)
        object["status_since"] = JSONValue(health?.since.iso8601)
        object["source"] = JSONValue(health?.source)
        object["is_recording"] = .bool(health?.isRecording ?? false)
        return .object(object)
    }

    func json(_ cameras: some Sequence<Camera>) -> JSONValue { .array(cameras.map { json($0) }) }

    /// The toggle answers a camera in another shape than every other route, and clients know that shape: lists as text, times with
    /// an offset, one member per storage profile, no groups (wire/camera_recording_toggle.txt).
    func toggleJSON(_ camera: Camera) -> JSONValue {
        guard case .object(var object) = json(camera) else { return .null }
        object["groups"] = nil
        if let labels = object["ai_object_types"]?.array {
            object["ai_object_types"] = .string("[" + labels.map { $0.serialized() }.joined(separator: ", ") + "]")
        }
        for key in ["created_at", "last_seen"] {
            if let text = object[key]?.string, text.hasSuffix("Z") { object[key] = .string(text.dropLast() + "+00:00") }
        }
        object["notify_attach_image_telegram"] = true
        object["motion_storage_profile"] = profile(camera.storage.motionProfileID)
        object["continuous_storage_profile"] = profile(camera.storage.continuousProfileID)
        object["snapshot_storage_profile"] = profile(camera.storage.snapshotProfileID)
        return .object(object)
    }

    private func profile(_ id: Int?) -> JSONValue { id.flatMap { profiles[ID(Int64($0))]?.json } ?? .null }
}
