/// Cameras as files, in the form of the reference's export (wire/cameras_export.txt). Pure.
package enum CameraTransfer {
    /// The version that files carry.
    package static let version = "1.1"
    /// Cameras one file may hold.
    package static let mostCameras = 1000
    /// Groups one camera may name.
    private static let mostGroups = 100

    /// A camera as it is written into a file: without what belongs to this server, and without passwords, tokens, user names and
    /// webhook URLs unless they are asked for.
    package static func exported(_ camera: Camera, groups: [String], health: CameraHealth?, withCredentials: Bool) -> JSONValue {
        guard case .object(var object) = camera.json(withCredentials ? .full : .withoutSecrets, health: health) else { return .null }
        for name in ["id", "created_at", "storage_profile"] { object[name] = nil }
        if !withCredentials { object["onvif_username"] = .null }
        object["groups"] = .array(groups.map(JSONValue.string))
        return .object(object)
    }

    /// A file of one camera.
    package static func document(_ camera: JSONValue) -> JSONValue { ["camera": camera, "version": .string(version)] }

    /// A file of many cameras.
    package static func document(_ cameras: [JSONValue]) -> JSONValue { ["cameras": .array(cameras), "version": .string(version)] }

    /// The cameras of a file with what is wrong with them.
    package struct Candidate: Sendable {
        package var camera: Camera
        package var groups: [String]
        package var problems: [FieldProblem]
        /// As it was in the file.
        package var source: JSONValue
    }

    /// Reads `{"camera": {…}}` or `{"cameras": […]}`; nil when it is neither. Each camera is checked as one that is made by hand.
    ///
    /// - Parameter offset: the number of the first camera among those of all files of an archive, for the places of problems.
    package static func candidates(in document: JSONValue, rules: CameraURL.Rules, offset: Int = 0) -> [Candidate]? {
        guard let object = document.object else { return nil }
        let list: [JSONValue]
        if let cameras = object["cameras"]?.array {
            list = cameras
        } else if let camera = object["camera"], camera.object != nil {
            list = [camera]
        } else {
            return nil
        }
        return list.enumerated().map { candidate($1, rules: rules, place: offset + $0) }
    }

    /// One camera of a file, the `place`-th of all.
    package static func candidate(_ source: JSONValue, rules: CameraURL.Rules, place: Int) -> Candidate {
        let loc: [FieldProblem.Step] = [.key("body"), .key("cameras"), .index(place)]
        var problems: [FieldProblem] = []
        var patch = CameraPatch()
        do {
            patch = try CameraPatch(body: source, creating: true, rules: rules)
        } catch {
            problems = error.problems.map { problem in
                var problem = problem
                problem.loc = loc + problem.loc.dropFirst()
                return problem
            }
        }
        var groups: [String] = []
        switch source["groups"] {
        case nil, .null: break
        case .array(let names) where names.count <= mostGroups:
            for (index, name) in names.enumerated() {
                // The reference names a group where it exports, and describes it where it answers.
                let text = name.string ?? name["name"]?.string ?? ""
                let place = loc + [.key("groups"), .index(index)]
                switch FieldCheck.text(.string(text.utf8.count <= 10_000 ? trimmed(text) : text), length: 1...100, loc: place) {
                case .success(let group): if !groups.contains(where: { NameKey($0) == NameKey(group) }) { groups.append(group) }
                case .failure(let failure): problems += failure.problems
                }
            }
        case .some(let other): problems.append(.value(loc + [.key("groups")], "groups must be a list of at most \(mostGroups) names", input: other))
        }
        return Candidate(camera: patch.newCamera(at: WallTime(microseconds: 0)), groups: groups, problems: problems, source: source)
    }

    /// What tells whether a camera is there already: its address, whoever signs in to it.
    package static func address(of camera: Camera) -> String { Camera.withoutCredentials(camera.streams.url) }
}
