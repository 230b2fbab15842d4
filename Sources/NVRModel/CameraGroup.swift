/// A named set of cameras: settings are changed for all of them at once, and rights can be given to it as a whole.
package struct CameraGroup: Sendable, Hashable {
    package var id: ID<CameraGroup>
    /// Unique without regard to case.
    package var name: String
    package var description: String?
    package var createdAt: WallTime
    /// By id.
    package var cameras: Set<ID<Camera>>

    package init(
        id: ID<CameraGroup>, name: String, description: String? = nil, createdAt: WallTime, cameras: Set<ID<Camera>> = []
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.createdAt = createdAt
        self.cameras = cameras
    }

    /// The group as a camera's answer names it.
    package var shortJSON: JSONValue { ["name": .string(name), "description": JSONValue(description)] }
}
