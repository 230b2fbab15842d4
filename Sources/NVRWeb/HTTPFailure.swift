package import HTTPTypes
package import Hummingbird
package import NVRBase
package import NVRModel

/// An answer that says no: a status, the text of `{"detail": …}`, and headers that belong to it. What routes throw when a kind of
/// `NVRError` does not say enough.
package struct HTTPFailure: Error, Sendable {
    package let status: HTTPResponse.Status
    package let detail: JSONValue
    package var fields: HTTPFields

    package init(_ status: HTTPResponse.Status, _ detail: String, fields: HTTPFields = [:]) {
        self.init(status, detail: .string(detail), fields: fields)
    }

    package init(_ status: HTTPResponse.Status, detail: JSONValue, fields: HTTPFields = [:]) {
        self.status = status
        self.detail = detail
        self.fields = fields
        // RFC 9110 section 15.5.2: every 401 says how to be known.
        if status == .unauthorized, !self.fields.contains(.wwwAuthenticate) { self.fields[.wwwAuthenticate] = "Bearer" }
        if status == .serviceUnavailable, !self.fields.contains(.retryAfter) { self.fields[.retryAfter] = "5" }
    }

    /// The answer to any error; nil for one that nobody foresaw, which is answered as a 500 and logged.
    package init?(_ error: any Error) {
        switch error {
        case let failure as HTTPFailure: self = failure
        case let problems as FieldProblems: self.init(.unprocessableContent, detail: .array(problems.problems.map(\.json)))
        case let error as NVRError:
            guard let status = Self.status(of: error.kind) else { return nil }
            self.init(status, error.message)
        default: return nil
        }
    }

    /// The one place that turns the kinds of the error vocabulary into status codes; nil for faults of our own.
    package static func status(of kind: NVRError.Kind) -> HTTPResponse.Status? {
        switch kind {
        case .notFound: .notFound
        case .invalid: .badRequest
        case .conflict: .conflict
        case .unauthenticated: .unauthorized
        case .forbidden: .forbidden
        case .unavailable: .serviceUnavailable
        case .exhausted: HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
        case .timeout: .gatewayTimeout
        case .dataLoss, .internalFault: nil
        }
    }

    package var response: Response {
        var body: JSONObject = ["detail": detail]
        if let reason = detail.string.flatMap({ Reason($0) }) {
            body["detail_code"] = .string(reason.code)
            body["detail_parameters"] = reason.parametersJSON
        }
        return Response(status: status, json: .object(body), fields: fields)
    }

    // Answers that several routes give, in the words clients know.
    package static let notFound = HTTPFailure(.notFound, "Not Found")
    package static let cameraNotFound = HTTPFailure(.notFound, "Camera not found")
    package static let eventNotFound = HTTPFailure(.notFound, "Event not found")
    package static let fileNotFound = HTTPFailure(.notFound, "File not found")
    package static let accessDenied = HTTPFailure(.forbidden, "Access denied")
    package static let notAuthenticated = HTTPFailure(.unauthorized, "Not authenticated")
    package static let badCredentials = HTTPFailure(.unauthorized, "Could not validate credentials")
    package static let noMediaAuthentication = HTTPFailure(.unauthorized, "Missing media authentication")
    package static let adminRequired = HTTPFailure(.forbidden, "Admin privileges required")
    package static let foreignPage = HTTPFailure(.forbidden, "Request of another site refused")
    /// RFC 9110 section 15.5.22. Also the answer where a proxy sends a handshake over a connection that was used before.
    package static let upgradeRequired = HTTPFailure(
        .upgradeRequired, "This address speaks WebSocket; ask for it with the first request of a connection",
        fields: [.upgrade: "websocket", .connection: "Upgrade, close"])
    package static let tooManyViewers = HTTPFailure(.serviceUnavailable, "Too many viewers at the same time")
    package static let bodyTooLarge = HTTPFailure(.contentTooLarge, "Request body too large")
    package static let shuttingDown = HTTPFailure(.serviceUnavailable, "The server is shutting down", fields: [.connection: "close"])
}

extension Response {
    /// A JSON answer. It is never cached: it is somebody's view of the moment.
    package init(status: HTTPResponse.Status = .ok, json: JSONValue, fields: HTTPFields = [:]) {
        self.init(status: status, jsonBytes: json.serializedBytes(), fields: fields)
    }

    /// The same of JSON that is written already.
    package init(status: HTTPResponse.Status = .ok, jsonBytes: [UInt8], fields: HTTPFields = [:]) {
        var fields = fields
        fields[.contentType] = "application/json"
        if !fields.contains(.cacheControl) { fields[.cacheControl] = "no-store" }
        self.init(status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: jsonBytes)))
    }

    /// A plain text answer.
    package init(status: HTTPResponse.Status, text: String, contentType: String = "text/plain; charset=utf-8", fields: HTTPFields = [:]) {
        var fields = fields
        fields[.contentType] = contentType
        self.init(status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
