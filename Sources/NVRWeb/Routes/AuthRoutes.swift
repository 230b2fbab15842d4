import HTTPTypes
import Hummingbird
import Logging
import NVRAccounts
import NVRBase
import NVRModel

/// First set-up, signing in and out, and who I am.
struct AuthRoutes: Sendable {
    let accounts: Accounts
    let authentication: Authentication
    let settings: WebSettings
    let setupCode: SetupCode
    let gates: AttemptGates
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.get, "/auth/status", .anonymous, status),
            Route(.post, "/auth/setup", .anonymous, setUp),
            Route(.post, "/auth/login", .anonymous, logIn),
            Route(.post, "/auth/logout", .anonymous, logOut),
            Route(.get, "/auth/me", .userOrKey, me),
            Route(.get, "/auth/me-from-cookie", .anonymous, meFromCookie),
            Route(.patch, "/auth/me/language", .user, setLanguage),
        ]
    }

    private func status(_ call: Call) async throws -> Response {
        Response(json: [
            "setup_required": .bool(try await accounts.isSetupRequired()), "oauth_enabled": false, "oauth_provider_name": "Authentik",
            "oauth_auto_redirect": false,
        ])
    }

    // MARK: Set-up

    private func setUp(_ call: Call) async throws -> Response {
        guard try await accounts.isSetupRequired() else { throw HTTPFailure(.forbidden, "Setup already completed. Users exist.") }
        let body = try call.object()
        let patch = try UserPatch(body: .object(body), creating: true)
        try demandCode(call, body)
        let user = try await accounts.setUp(
            username: patch.username ?? "", password: patch.password?.text ?? "", email: patch.email ?? nil)
        return Response(json: user.json)
    }

    /// Whoever sits at the machine may go on; anybody else has to have read the log of the server.
    private func demandCode(_ call: Call, _ body: JSONObject) throws {
        if call.client.isLocal { return }
        try gates.setUp.attempt(call, account: "", at: clock.monotonic())
        guard setupCode.matches(body["code"]?.string ?? call.head.headerFields[.xSetupCode]) else {
            throw HTTPFailure(.forbidden, "Set-up from another machine needs the code that is printed in the log of the server")
        }
    }

    // MARK: Signing in and out

    private func logIn(_ call: Call) async throws -> Response {
        let isForm = call.head.headerFields[.contentType]?.lowercased().hasPrefix("application/x-www-form-urlencoded") ?? false
        let form = QueryItems(isForm ? call.body.readableBytesView : ByteBuffer().readableBytesView)
        var fields = FieldReader()
        func text(_ name: String) -> String {
            if let value = form[name], !value.isEmpty { return value }
            fields.note(.missing([.key("body"), .key(name)], body: .null))
            return ""
        }
        let username = text("username")
        let password = text("password")
        var factor = SecondFactorProof()
        factor.code = form["totp_code"]
        factor.recoveryCode = form["recovery_code"]
        factor.deviceToken = form["device_token"]
        factor.deviceName = form["device_name"]
        if let sent = form["trust_device"], !sent.isEmpty {
            factor.isDeviceTrusted = fields.value(FieldCheck.boolean(.string(sent), loc: [.key("body"), .key("trust_device")])) ?? false
        }
        try fields.finish()
        try gates.passwords.attempt(call, account: username, at: clock.monotonic())
        let signIn = try await signIn(call, username, password, factor)
        gates.passwords.succeeded(call, account: username, at: clock.monotonic())
        gates.codes.succeeded(call, account: username, at: clock.monotonic())
        var response = Response(json: [
            "access_token": .string(signIn.accessToken), "token_type": "bearer", "device_token": JSONValue(signIn.deviceToken),
        ])
        let isSecure = isSecure(call.client)
        response.headers[values: .setCookie] = [
            SessionCookie.set(Authentication.mediaCookie, signIn.mediaToken, isSecure: isSecure),
            SessionCookie.set(Authentication.authCookie, signIn.accessToken, isSecure: isSecure),
        ]
        return response
    }

    private func signIn(_ call: Call, _ username: String, _ password: String, _ factor: SecondFactorProof) async throws -> SignIn {
        let detail: String
        do {
            let signIn = try await accounts.sessions.signIn(username: username, password: password, factor: factor) {
                try gates.codes.attempt(call, account: username, at: clock.monotonic())
            }
            if let signIn { return signIn }
            detail = "Incorrect username or password"
        } catch let refusal as SecondFactorRefusal {
            switch refusal {
            // The answer to a right password that clients go on from.
            case .needed: throw HTTPFailure(.unauthorized, "2FA_REQUIRED")
            case .badCode: detail = "Invalid 2FA Code"
            case .badRecoveryCode: detail = "Invalid Recovery Code"
            }
        }
        call.context.logger.notice("sign-in refused", metadata: ["address": "\(call.client.address)"])
        throw HTTPFailure(.unauthorized, detail)
    }

    private func logOut(_ call: Call) async throws -> Response {
        for identity in try await authentication.identities(call.head) { try await accounts.sessions.signOut(identity) }
        var response = Response(json: ["status": "logged out"])
        clearCookies(on: &response, call.client)
        return response
    }

    private func clearCookies(on response: inout Response, _ client: ClientAddress) {
        let isSecure = isSecure(client)
        response.headers[values: .setCookie] = [Authentication.authCookie, Authentication.mediaCookie].map {
            SessionCookie.clear($0, isSecure: isSecure)
        }
    }

    private func isSecure(_ client: ClientAddress) -> Bool { client.isSecure || settings.cookieSecure }

    // MARK: Who I am

    private func me(_ call: Call) async throws -> Response { Response(json: try call.requireCaller().user.json) }

    private func setLanguage(_ call: Call) async throws -> Response {
        let identity = try call.requireCaller()
        let body = try call.object()
        let place: [FieldProblem.Step] = [.key("body"), .key("language")]
        guard let sent = body["language"] else { throw FieldProblems([.missing(place, body: .object(body))]) }
        let language = try FieldCheck.text(sent, length: 2...User.longestLanguage, loc: place).get()
        return Response(json: try await accounts.update(identity.user.id) { $0.language = language }.json)
    }

    /// What a page that was loaded anew asks: the cookie is all it has left.
    private func meFromCookie(_ call: Call) async throws -> Response {
        let sent = Authentication.credentials(in: Request(head: call.head, body: .init(buffer: ByteBuffer())))
        guard let cookie = sent.authCookie else { return Response(status: .noContent) }
        guard let identity = try await accounts.authenticator.identity(of: PresentedCredentials(authCookie: cookie)),
            let signIn = try await accounts.sessions.renew(identity)
        else {
            var response = Response(status: .noContent)
            clearCookies(on: &response, call.client)
            return response
        }
        var response = Response(json: ["user": signIn.user.json, "access_token": .string(signIn.accessToken)])
        let mediaCookie = SessionCookie.set(Authentication.mediaCookie, signIn.mediaToken, isSecure: isSecure(call.client))
        response.headers[.setCookie] = mediaCookie
        return response
    }
}
