/// Cameras as paths of URLs name them: by id, by name, or by the name made safe for URLs. Pure.
package enum CameraName {
    /// The camera that an element of a path means. Ids go before names, so that a camera called "2" never hides another; whether there
    /// is one of that id is not looked at.
    package static func camera(_ element: String, among cameras: [Camera]) -> ID<Camera>? {
        if let id = Int64(element), String(id) == element, id > 0 { return ID(id) }
        return (cameras.first { $0.general.name == element } ?? cameras.first { urlSafe($0.general.name) == element })?.id
    }

    /// A name with every character but letters, digits, `-`, `_` and `.` as `_`.
    package static func urlSafe(_ name: String) -> String {
        String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" || $0 == ".") ? $0 : "_" })
    }
}
