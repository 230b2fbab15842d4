import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel

/// The second factor of whoever calls, and the devices that need none.
struct TwoFactorRoutes: Sendable {
    let accounts: Accounts
    /// Of codes, shared with signing in.
    let codes: AttemptGate
    /// Of passwords, shared with signing in.
    let passwords: AttemptGate
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.post, "/auth/2fa/setup", .user, setUp),
            Route(.post, "/auth/2fa/enable", .user, enable),
            Route(.post, "/auth/2fa/disable", .user, disable),
            Route(.post, "/auth/2fa/recovery-codes", .user, renewRecoveryCodes),
            Route(.get, "/auth/devices", .user, devices),
            Route(.delete, "/auth/devices/{device_id}", .user, forget),
        ]
    }

    private func setUp(_ call: Call) async throws -> Response {
        let user = try call.requireCaller().user
        let made = try await Self.orBadRequest { try await accounts.twoFactor.setUp(user) }
        return Response(json: [
            "secret": .string(made.secret.reveal()), "otpauth_url": .string(made.url.reveal()),
            "recovery_codes": Self.json(made.recoveryCodes), "qr_svg": .string(made.svg),
        ])
    }

    private func enable(_ call: Call) async throws -> Response {
        let user = try call.requireCaller().user
        let code = try text("code", in: call)
        try codes.attempt(call, account: user.username, at: clock.monotonic())
        guard try await Self.orBadRequest({ try await accounts.twoFactor.enable(user.id, code: code) }) else {
            throw HTTPFailure(.badRequest, "Invalid 2FA Code")
        }
        codes.succeeded(call, account: user.username, at: clock.monotonic())
        return Response(json: ["status": "success", "message": "2FA enabled successfully"])
    }

    private func disable(_ call: Call) async throws -> Response {
        let user = try call.requireCaller().user
        let password = try text("password", in: call)
        try passwords.attempt(call, account: user.username, at: clock.monotonic())
        guard try await accounts.isPassword(password, of: user.id) else { throw HTTPFailure(.badRequest, "Incorrect password") }
        passwords.succeeded(call, account: user.username, at: clock.monotonic())
        guard try await accounts.twoFactor.disable(user.id) else { throw HTTPFailure(.badRequest, "2FA is not enabled") }
        return Response(json: ["status": "success", "message": "2FA disabled successfully"])
    }

    private func renewRecoveryCodes(_ call: Call) async throws -> Response {
        let user = try call.requireCaller().user
        return Response(json: ["recovery_codes": Self.json(try await Self.orBadRequest { try await accounts.twoFactor.renewRecoveryCodes(user.id) })])
    }

    private func devices(_ call: Call) async throws -> Response {
        Response(json: .array(try await accounts.twoFactor.devices(of: try call.requireCaller().user.id).map(\.json)))
    }

    private func forget(_ call: Call) async throws -> Response {
        let user = try call.requireCaller().user
        guard try await accounts.twoFactor.forget(try call.id("device_id"), of: user.id) else {
            throw HTTPFailure(.notFound, "Device not found")
        }
        return Response(json: ["status": "deleted"])
    }

    /// A step out of order is a mistake of the request, not a conflict with another.
    private static func orBadRequest<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as NVRError where error.kind == .conflict {
            throw HTTPFailure(.badRequest, error.message)
        }
    }

    private func text(_ name: String, in call: Call) throws -> String {
        let body = try call.object()
        let place: [FieldProblem.Step] = [.key("body"), .key(name)]
        guard let sent = body[name] else { throw FieldProblems([.missing(place, body: .object(body))]) }
        return try FieldCheck.text(sent, length: 0...1024, isPlain: false, loc: place).get()
    }

    private static func json(_ codes: [Secret]) -> JSONValue { .array(codes.map { .string($0.reveal()) }) }
}
