package import HTTPTypes

extension HTTPField.Name {
    package static let xAPIKey = named("X-API-Key")
    package static let xSetupCode = named("X-Setup-Code")
    package static let xWebhookSecret = named("X-Webhook-Secret")
    package static let xTotalCount = named("X-Total-Count")
    package static let xForwardedFor = named("X-Forwarded-For")
    package static let xForwardedProto = named("X-Forwarded-Proto")
    package static let xForwardedHost = named("X-Forwarded-Host")
    package static let xRealIP = named("X-Real-IP")
    package static let forwarded = named("Forwarded")
    package static let xFrameOptions = named("X-Frame-Options")
    package static let referrerPolicy = named("Referrer-Policy")
    package static let permissionsPolicy = named("Permissions-Policy")
    package static let secFetchSite = named("Sec-Fetch-Site")

    /// A name of a constant. Each of the constants above is a valid field name, so the stand-in is never used; it is a name that
    /// no request carries with a meaning for us.
    private static func named(_ text: String) -> HTTPField.Name { HTTPField.Name(text) ?? .contentEncoding }
}
