import NVRBase
import NVRModel

extension BackupReader {
    /// A camera of a backup, with the ids of the backup, and the fields that are named of it. Its URLs go through the same rules as those
    /// that are typed.
    mutating func camera(_ item: JSONObject, _ place: String) throws -> (Camera, fields: Set<String>) {
        var fields = Set(CameraField.all.filter { $0.isStored && item[$0.name] != nil }.map(\.name))
        var item = item
        // VibeNVR stores this list as text, and answers it as either.
        if let text = item["ai_object_types"]?.string, let list = try? JSONValue(parsing: text), list.array != nil { item["ai_object_types"] = list }
        // A camera of which only footage was found has no address: nothing is read from it until somebody gives it one.
        let leadsNowhere = item["rtsp_url"] == ""
        if leadsNowhere { item["rtsp_url"] = "rtsp://camera.invalid/" }
        let name = item["name"]?.string.map { String($0.prefix(100)) } ?? place
        var patch = CameraPatch()
        var hidesNothing = false
        // Each round leaves out the fields that were refused in the one before.
        for round in 0... {
            do {
                patch = try CameraPatch(body: .object(item), creating: true, rules: rules.urls)
                break
            } catch {
                for problem in error.problems {
                    guard round < 2, problem.loc.count > 1, case .key(let field) = problem.loc[1], let declared = CameraField.named(field),
                        !declared.isRequired, !declared.isEncrypted, item[field] != nil
                    else { throw wrong(place + "." + problem.loc.dropFirst().map(Self.name).joined(separator: "."), "is refused: \(problem.msg)") }
                    item[field] = nil
                    if declared.kind == .unavailableMasks {
                        hidesNothing = true
                    } else {
                        warn("camera \(name): \(field) has its default now: \(problem.reason)")
                    }
                }
            }
        }
        var camera = patch.newCamera(at: time(item, "created_at") ?? now)
        camera.id = ID(try id(item, "id", place))
        if leadsNowhere {
            camera.streams.url = ""
            camera.general.isActive = false
            fields.insert("is_active")
        }
        if hidesNothing {
            camera.general.isActive = false
            fields.insert("is_active")
            warn("camera \(name) was switched off: it has privacy masks, which are not available, and would show what they hid")
        }
        return (camera, fields)
    }

    private static func name(_ step: FieldProblem.Step) -> String {
        switch step {
        case .key(let key): key
        case .index(let index): String(index)
        }
    }
}
