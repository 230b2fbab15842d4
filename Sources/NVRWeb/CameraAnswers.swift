import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

/// What answers say of cameras as their owners set them up, kept written until a commit changes any: a wall of cameras is asked for often,
/// and only a tenth of each answer is ever new. Any task may use it.
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

    private let kept: [Camera.Form: Versioned<Key, [ID<Camera>: [Piece]]>] = [.full: .init(), .withoutSecrets: .init(), .summary: .init()]

    fileprivate func texts(_ version: Int, _ form: Camera.Form) -> [ID<Camera>: [Piece]] {
        kept[form]?.value(for: Key(version: version, form: form)) ?? [:]
    }

    fileprivate func keep(_ texts: [ID<Camera>: [Piece]], _ version: Int, _ form: Camera.Form) {
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
        guard var object = settled(camera) else { return .null }
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
            let state = state(camera)
            let pieces: [CameraTexts.Piece]
            if let old = known[camera.id] {
                pieces = old
            } else {
                guard let object = settled(camera) else { continue }
                pieces = Self.pieces(object, state)
                known[camera.id] = pieces
                isNew = true
            }
            if out.count > 1 { out.append(UInt8(ascii: ",")) }
            for piece in pieces {
                out += piece.text
                if let member = piece.member { out += (state[member] ?? .null).serializedBytes() }
            }
        }
        out.append(UInt8(ascii: "]"))
        if isNew { texts.keep(known, version, form) }
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
    private func settled(_ camera: Camera) -> JSONObject? {
        guard case .object(var object) = camera.json(form) else { return nil }
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
