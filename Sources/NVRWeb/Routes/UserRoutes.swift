import HTTPTypes
import Hummingbird
import Logging
import NVRAccounts
import NVRBase
import NVRMedia
import NVRModel
import NVRStore

/// Users: made, changed and deleted by administrators; password and picture also by each for himself.
struct UserRoutes: Sendable {
    let store: Store
    let accounts: Accounts
    let throttle: AttemptGate
    let pictures: UploadedPictures
    let clock: any NVRClock

    /// Bytes of an avatar as it is uploaded, and of the form around it.
    static let largestAvatar = 2 << 20
    private static let largestForm = largestAvatar + (64 << 10)

    var routes: [Route] {
        [
            Route(.get, "/users", .admin, list),
            Route(.post, "/users", .admin, create),
            Route(.put, "/users/{user_id}", .admin, update),
            Route(.delete, "/users/{user_id}", .admin, delete),
            Route(.put, "/users/{user_id}/password", .user, setPassword),
            Route(.post, "/users/{user_id}/avatar", .user, largestBody: Self.largestForm, setAvatar),
            Route(.delete, "/users/{user_id}/avatar", .user, deleteAvatar),
            Route(.get, "/users/{user_id}/avatar", .media, avatar),
        ]
    }

    private static let notFound = HTTPFailure(.notFound, "User not found")

    private func list(_ call: Call) async throws -> Response {
        var fields = FieldReader()
        let skip = fields.integer(call.query, "skip", default: 0, limits: 0...1_000_000)
        let limit = fields.integer(call.query, "limit", default: 100, limits: 1...1000)
        try fields.finish()
        let users = try await store.users.all()
        return Response(json: .array(users.dropFirst(skip).prefix(limit).map(\.json)), fields: [.xTotalCount: String(users.count)])
    }

    private func create(_ call: Call) async throws -> Response {
        let patch = try UserPatch(body: try call.json(), creating: true)
        var user = User(id: ID(0), username: "", role: .viewer, createdAt: WallTime(microseconds: clock.wall()))
        patch.apply(to: &user)
        return Response(json: try await Self.unique { [user] in try await accounts.create(user, password: patch.password?.text ?? "") }.json)
    }

    private func update(_ call: Call) async throws -> Response {
        let id = try call.id("user_id", of: User.self)
        let body = try call.json()
        guard let old = try await store.users.get(id) else { throw Self.notFound }
        let patch = try UserPatch(body: body, creating: false, name: old.username)
        if patch.password != nil, id == (try call.requireCaller().user.id) {
            try await demandOldPassword(body["old_password"]?.string, of: old, call)
        }
        return Response(
            json: try await Self.unique { try await accounts.update(id, password: patch.password?.text) { patch.apply(to: &$0) } }.json)
    }

    /// A taken name is a 400 to the clients of this API; all other conflicts stay what they are.
    private static func unique(_ body: () async throws -> User) async throws -> User {
        do { return try await body() } catch let error as NVRError {
            throw error.kind == .conflict && error.message == User.nameTaken ? HTTPFailure(.badRequest, User.nameTaken) : error
        }
    }

    private func delete(_ call: Call) async throws -> Response {
        let id = try call.id("user_id", of: User.self)
        guard let user = try await store.users.get(id), try await accounts.delete(id) else { throw Self.notFound }
        return Response(json: user.json)
    }

    // MARK: Password

    private func setPassword(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let id = try call.id("user_id", of: User.self)
        let isOwn = id == caller.user.id
        // Others' passwords are the administrators' business, and whether there is such a user as well.
        if !isOwn { _ = try Access.demand(caller, .administer) }
        let body = try call.object()
        guard let user = try await store.users.get(id) else { throw Self.notFound }
        let place: [FieldProblem.Step] = [.key("body"), .key("new_password")]
        guard let sent = body["new_password"] else { throw FieldProblems([.missing(place, body: .object(body))]) }
        let password = try FieldCheck.text(sent, length: 0...4096, isPlain: false, loc: place).get()
        if let refusal = PasswordPolicy.refusal(of: password, username: user.username) {
            throw FieldProblems([.value(place, refusal, input: sent)])
        }
        guard isOwn else { return Response(json: try await accounts.setPassword(of: id, to: password).json) }
        guard let old = body["old_password"]?.string, !old.isEmpty else { throw HTTPFailure(.badRequest, "The old password is needed") }
        try throttle.attempt(call, account: user.username, at: clock.monotonic())
        guard let changed = try await accounts.changePassword(of: id, from: old, to: password) else {
            throw HTTPFailure(.badRequest, "Incorrect old password")
        }
        throttle.succeeded(call, account: user.username, at: clock.monotonic())
        return Response(json: changed.json)
    }

    /// One's own password is not given away with an open page, whichever route changes it.
    private func demandOldPassword(_ old: String?, of user: User, _ call: Call) async throws {
        guard let old, !old.isEmpty else { throw HTTPFailure(.badRequest, "The old password is needed") }
        try throttle.attempt(call, account: user.username, at: clock.monotonic())
        guard try await accounts.isPassword(old, of: user.id) else { throw HTTPFailure(.badRequest, "Incorrect old password") }
        throttle.succeeded(call, account: user.username, at: clock.monotonic())
    }

    // MARK: Avatar

    /// The user of the path: the caller himself, or anybody when an administrator asks.
    private func ownOrAny(_ call: Call) throws -> ID<User> {
        let caller = try call.requireCaller()
        let id = try call.id("user_id", of: User.self)
        guard id == caller.user.id || caller.isAdmin else { throw HTTPFailure.adminRequired }
        return id
    }

    private func setAvatar(_ call: Call) async throws -> Response {
        let id = try ownOrAny(call)
        let file = try MultipartForm(call).file("file").body
        guard file.readableBytes <= Self.largestAvatar else { throw HTTPFailure(.contentTooLarge, "An avatar may have at most 2 MB") }
        guard try await store.users.get(id) != nil else { throw Self.notFound }
        let jpeg = try await pictures.jpeg(of: Array(file.readableBytesView), largestSide: Self.avatarSide)
        // Another picture has another address, so that browsers may keep each for ever.
        let version = String(UInt64.random(in: .min ... .max), radix: 36)
        return Response(json: try await store.avatars.set(id, jpeg: jpeg, path: "/users/\(id)/avatar?v=\(version)").json)
    }

    private func deleteAvatar(_ call: Call) async throws -> Response {
        Response(json: try await store.avatars.set(try ownOrAny(call), jpeg: nil, path: nil).json)
    }

    /// Pixels.
    private static let avatarSide = 256

    private func avatar(_ call: Call) async throws -> Response {
        guard let jpeg = try await store.avatars.get(try ownOrAny(call)) else { throw HTTPFailure.fileNotFound }
        return Response(
            status: .ok, headers: [.contentType: "image/jpeg", .cacheControl: "private, max-age=31536000, immutable"],
            body: .init(byteBuffer: ByteBuffer(bytes: jpeg)))
    }
}
