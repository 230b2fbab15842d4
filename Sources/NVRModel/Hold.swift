/// A promise about a range of a camera's footage: while it holds, nothing deletes what was or will be recorded in it.
package struct Hold: Sendable, Hashable {
    package let id: ID<Hold>
    package let cameraID: ID<Camera>
    package var range: TimeRange
    /// Why, for people.
    package var reason: String
    package var createdAt: WallTime
    /// Who made it; the name stays when the user goes.
    package var userID: ID<User>?
    package var userName: String
    /// From when on it protects no longer; nil means that it has to be released.
    package var expiresAt: WallTime?

    package init(
        id: ID<Hold>, cameraID: ID<Camera>, range: TimeRange, reason: String, createdAt: WallTime, userID: ID<User>?, userName: String,
        expiresAt: WallTime?
    ) {
        self.id = id
        self.cameraID = cameraID
        self.range = range
        self.reason = reason
        self.createdAt = createdAt
        self.userID = userID
        self.userName = userName
        self.expiresAt = expiresAt
    }

    /// Whether it protects at a time.
    package func isActive(at time: WallTime) -> Bool { expiresAt.map { $0 > time } ?? true }

    /// Microseconds that a range may be long.
    package static let longest: Int64 = 366 * 86_400_000_000
    /// Of one camera, expired ones included.
    package static let mostOfCamera = 500
    /// Characters of a reason.
    package static let reasonLength = 1...1000
}
