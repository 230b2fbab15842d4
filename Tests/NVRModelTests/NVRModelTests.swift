import NVRModel

/// A point of time that tests use where any will do.
let someTime = WallTime(microseconds: 1_700_000_000_000_000)
let noRules = CameraURL.Rules()

/// Checks a body and gives the problems.
func problems(_ body: JSONValue, creating: Bool = false, rules: CameraURL.Rules = noRules) -> [FieldProblem] {
    do {
        _ = try CameraPatch(body: body, creating: creating, rules: rules)
        return []
    } catch {
        return error.problems
    }
}

func patch(_ body: JSONValue, creating: Bool = false, rules: CameraURL.Rules = noRules) throws -> CameraPatch {
    try CameraPatch(body: body, creating: creating, rules: rules)
}
