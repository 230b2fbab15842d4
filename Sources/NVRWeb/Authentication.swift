import HTTPTypes
package import Hummingbird
package import NVRAccounts
import NVRModel

/// Decides whether a request may reach a route at all. What a caller may do to one camera is decided by the route.
package struct Authentication: Sendable {
    package static let authCookie = "auth_token"
    package static let mediaCookie = "media_token"

    let authenticator: Authenticator
    let isTokenInQueryAllowed: Bool
    let webhook: WebhookSecret

    /// The identity behind a request; nil only on anonymous routes and for the webhook. Throws the answers of wire/*_401*.txt and wire/*_403*.txt.
    func identity(for access: RouteAccess, _ request: Request) async throws -> Identity? {
        if access == .anonymous { return nil }
        if access == .webhook {
            try webhook.demand(request.headers[.xWebhookSecret])
            return nil
        }
        var sent = Self.credentials(in: request)
        if access == .media, isTokenInQueryAllowed, sent.bearer == nil { sent.bearer = QueryItems(query: request.uri.query)["token"] }
        // Where keys are not taken, one that is sent counts for nothing.
        if access == .user || access == .admin { sent.apiKey = nil }
        guard let identity = try await authenticator.identity(of: sent, isMediaRoute: access == .media) else {
            throw access == .media ? HTTPFailure.noMediaAuthentication : HTTPFailure.notAuthenticated
        }
        if access == .admin { return try Access.demand(identity, .administer) }
        return identity
    }

    /// Whoever the request can be told to be from; nil when it is nobody, or names itself wrongly.
    func identityIfAny(_ request: HTTPRequest) async throws -> Identity? { try await identities(request).first }

    /// The same by each of the tokens that it carries: they may be of several sessions.
    func identities(_ request: HTTPRequest) async throws -> [Identity] {
        let sent = Self.credentials(in: Request(head: request, body: .init(buffer: ByteBuffer())))
        var found: [Identity] = []
        for token in [
            PresentedCredentials(bearer: sent.bearer), PresentedCredentials(authCookie: sent.authCookie),
            PresentedCredentials(mediaCookie: sent.mediaCookie),
        ] {
            if let identity = try await known(token) { found.append(identity) }
        }
        return found
    }

    private func known(_ sent: PresentedCredentials) async throws -> Identity? {
        do {
            return try await authenticator.identity(of: sent, isMediaRoute: true)
        } catch let failure where HTTPFailure(failure)?.status == .unauthorized {
            return nil
        }
    }

    /// What a request carries, as it was sent.
    package static func credentials(in request: Request) -> PresentedCredentials {
        var sent = PresentedCredentials(apiKey: request.headers[.xAPIKey])
        if let value = request.headers[.authorization] {
            let words = value.split(separator: " ", maxSplits: 1)
            if words.count == 2, words[0].lowercased() == "bearer" { sent.bearer = words[1].drop { $0 == " " }.description }
        }
        let cookies = request.cookies
        sent.authCookie = cookies[authCookie]?.value
        sent.mediaCookie = cookies[mediaCookie]?.value
        return sent
    }
}

/// The two cookies of a session. Text is built here and not by a library so that it says what clients see in wire/auth_login.txt.
package enum SessionCookie {
    /// Sets a cookie for the rest of a session.
    package static func set(_ name: String, _ value: String, isSecure: Bool) -> String {
        "\(name)=\(value); HttpOnly; Max-Age=\(Sessions.lifetime); Path=/; SameSite=Lax" + (isSecure ? "; Secure" : "")
    }

    /// Takes a cookie away.
    package static func clear(_ name: String, isSecure: Bool) -> String {
        "\(name)=; HttpOnly; Max-Age=0; Path=/; SameSite=Lax" + (isSecure ? "; Secure" : "")
    }
}
