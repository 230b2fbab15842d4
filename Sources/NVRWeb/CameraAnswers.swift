import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

/// What answers say of cameras, kept written: a wall of cameras is asked for often, and hardly any of it is ever new. What their owners
/// set up is kept until a commit changes any camera, the whole text until the state of that camera changes. Any task may use it.
final class CameraTexts: Sendable {
    private struct Key: Equatable {
        var version: Int
        var form: Camera.Form
    }

    /// Text, and the member of the state whose value comes behind it.
    fileprivate struct Piece: Sendable {
        var text: [UInt8]
        var member: String?
    }

    /// One camera: what it is put together from, and the whole of it as it was with a state.
    fileprivate struct Entry: Sendable {
        var pieces: [Piece]
        var health: CameraHealth?
        var whole: [UInt8]
    }

    private let kept: [Camera.Form: Versioned<Key, [ID<Camera>: Entry]>] = [.full: .init(), .withoutSecrets: .init(), .summary: .init()]

    fileprivate func texts(_ version: Int, _ form: Camera.Form) -> [ID<Camera>: Entry] {
        kept[form]?.value(for: Key(version: version, form: form)) ?? [:]
    }

    fileprivate func keep(_ texts: [ID<Camera>: Entry], _ version: Int, _ form: Camera.Form) {
        kept[form]?.keep(texts, for: Key(version: version, form: form))
    }
}

/// Cameras as callers may see them: with their state, the groups they are in and the storage profile they name. Made for one answer
/// of any number of cameras, so that the tables around them are read once.
struct CameraAnswers: Sendable {
    private let form: Camera.Form
    private let isAdmin: Bool
    private let version: Int
    private let health: [ID<Camera>: CameraHealth]
    private var groups: [ID<Camera>: [CameraGroup]] = [:]
    private var profiles: [ID<StorageProfile>: StorageProfile] = [:]

    init(for caller: Identity, store: Store, live: LiveCameras) async throws {
        form = caller.cameraForm
        isAdmin = form == .full
        // Asked before reading: what is committed meanwhile makes what is kept old at once.
        version = store.versions.cameras
        health = live.health()
        // The short form tells of neither.
        guard form != .summary else { return }
        groups = try await store.groups.byCamera()
        // Folders of this machine are the administrators' business.
        if isAdmin { profiles = Dictionary(try await store.storageProfiles.all().map { ($0.id, $0) }) { $1 } }
    }

    /// The camera as the caller may see it. The long forms also say why a camera is in its state, since when, and what reads it.
    func json(_ camera: Camera) -> JSONValue {
        var object = settled(camera)
        // Members keep the places that clients know them at.
        state(camera).forEach { object[$0] = $1 }
        return .object(object)
    }

    func json(_ cameras: some Sequence<Camera>) -> JSONValue { .array(cameras.map { json($0) }) }

    /// The same as `json` of an array, written, with what `texts` keeps.
    func bytes(_ cameras: some Sequence<Camera>, _ texts: CameraTexts) -> [UInt8] {
        var known = texts.texts(version, form)
        var isNew = false
        var out: [UInt8] = [UInt8(ascii: "[")]
        for camera in cameras {
            if out.count > 1 { out.append(UInt8(ascii: ",")) }
            var health = health[camera.id]
            // It changes with every frame and is told elsewhere.
            health?.recentBytes = 0
            if let old = known[camera.id], old.health == health {
                out += old.whole
                continue
            }
            let state = state(camera)
            let pieces: [CameraTexts.Piece]
            if let old = known[camera.id] { pieces = old.pieces } else { pieces = Self.pieces(settled(camera), state) }
            let whole = Self.whole(pieces, state)
            known[camera.id] = CameraTexts.Entry(pieces: pieces, health: health, whole: whole)
            isNew = true
            out += whole
        }
        out.append(UInt8(ascii: "]"))
        if isNew { texts.keep(known, version, form) }
        return out
    }

    private static func whole(_ pieces: [CameraTexts.Piece], _ state: JSONObject) -> [UInt8] {
        var out: [UInt8] = []
        for piece in pieces {
            out += piece.text
            if let member = piece.member { out += (state[member] ?? .null).serializedBytes() }
        }
        return out
    }

    /// The settled part written, with places where the members of the state go.
    private static func pieces(_ settled: JSONObject, _ state: JSONObject) -> [CameraTexts.Piece] {
        var pieces: [CameraTexts.Piece] = []
        var text: [UInt8] = [UInt8(ascii: "{")]
        func key(_ key: String) {
            if text.last != UInt8(ascii: "{") || !pieces.isEmpty { text.append(UInt8(ascii: ",")) }
            JSONValue.append(key, to: &text)
            text.append(UInt8(ascii: ":"))
        }
        func place(_ member: String) {
            pieces.append(CameraTexts.Piece(text: text, member: member))
            text = []
        }
        settled.forEach { name, value in
            key(name)
            if state[name] != nil { place(name) } else { text += value.serializedBytes() }
        }
        for name in state.keys where settled[name] == nil {
            key(name)
            place(name)
        }
        text.append(UInt8(ascii: "}"))
        pieces.append(CameraTexts.Piece(text: text, member: nil))
        return pieces
    }

    /// What only a commit changes. Never empty.
    private func settled(_ camera: Camera) -> JSONObject {
        var object = camera.json(form).object ?? JSONObject()
        if form == .summary { return object }
        object["groups"] = .array((groups[camera.id] ?? []).map(\.shortJSON))
        object["storage_profile"] = profile(camera.storage.profileID)
        return object
    }

    /// What is so at the moment. Never empty.
    private func state(_ camera: Camera) -> JSONObject {
        let health = health[camera.id]
        let followed = camera.streams.autoResolution ? health : nil
        var object: JSONObject = [
            "status": .string((health?.status ?? camera.statusWhenNotRunning).rawValue), "last_seen": JSONValue(health?.lastSeen?.iso8601),
            "resolution_width": JSONValue(followed?.height == nil ? camera.streams.width : followed?.width ?? camera.streams.width),
            "resolution_height": JSONValue(followed?.width == nil ? camera.streams.height : followed?.height ?? camera.streams.height),
        ]
        if form == .summary { return object }
        object.say("status_reason", health?.reason)
        object["status_since"] = JSONValue(health?.since.iso8601)
        object["source"] = JSONValue(health?.source)
        object["is_recording"] = .bool(health?.isRecording ?? false)
        return object
    }

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
