import HTTPTypes
package import Hummingbird
import Logging
import NIOCore
import NVRAccounts
import NVRBase
import NVRModel
import Synchronization

/// The way of every request: shutdown, CORS, route, limits, who calls, the route itself, and headers that belong on every answer.
package struct APIResponder: HTTPResponder {
    package typealias Context = AppContext

    /// Bytes of a body on routes that know their caller, and on those that do not.
    package static let largestBody = 1 << 20
    package static let largestAnonymousBody = 64 << 10
    /// Seconds in which a body has to arrive.
    static let longestUpload: Int64 = 30
    /// Seconds given to a client to read a refusal while it is still sending a body nobody wants.
    static let refusalTime: Int64 = 5

    package let table: RouteTable
    let authentication: Authentication
    let settings: WebSettings
    let origins: OriginPolicy
    let shutdown: ShutdownSwitch
    private let trustedProxies: TrustedProxies
    let auditor: Auditor

    init(table: RouteTable, authentication: Authentication, settings: WebSettings, shutdown: ShutdownSwitch, auditor: Auditor) {
        self.table = table
        self.authentication = authentication
        self.settings = settings
        self.shutdown = shutdown
        trustedProxies = TrustedProxies(settings.trustedProxies)
        self.auditor = auditor
        origins = OriginPolicy(allowedOrigins: settings.allowedOrigins)
    }

    /// Throws only what ends the connection: a body that broke off.
    package func respond(to request: Request, context: AppContext) async throws -> Response {
        let client = ClientAddress(peer: context.peer, head: request.head, trustedProxies: trustedProxies)
        var upload = Upload(request)
        var trace = Auditor.Trace()
        var response: Response
        var failure: (any Error)?
        do {
            response = try await answer(to: request, from: client, context, &upload, &trace)
        } catch let broken as Upload.Broken {
            throw broken.cause
        } catch {
            failure = error
            response = answer(to: error, request, context)
        }
        await auditor.note(request, from: client, trace, response, failure)
        if upload.isUnread {
            // What is still coming would be taken for the next request's time: the connection ends after the answer.
            response.headers[.connection] = "close"
            _ = context.closeConnection(in: Self.refusalTime)
        }
        SecurityHeaders.add(to: &response, isSecure: client.isSecure)
        if response.headers[.accessControlAllowOrigin] == nil, !OriginPolicy.isPreflight(request.head) {
            for field in origins.readHeaders(for: request.head) {
                if field.name == .vary, let old = response.headers[.vary] {
                    response.headers[.vary] = old + ", " + field.value
                } else {
                    response.headers[field.name] = field.value
                }
            }
        }
        if request.method == .head { response = response.createHeadResponse() }
        // RFC 9110 section 8.6: answers that never have a body do not tell its length.
        if response.status == .noContent || response.status == .notModified { response.headers[.contentLength] = nil }
        return response
    }

    private func answer(
        to request: Request, from client: ClientAddress, _ context: AppContext, _ upload: inout Upload, _ trace: inout Auditor.Trace
    ) async throws -> Response {
        if shutdown.isOn { throw HTTPFailure.shuttingDown }
        if OriginPolicy.isPreflight(request.head) { return preflight(request.head) }
        let path = RequestPath(request.uri.path)
        let (route, parameters) = try find(request.method, path)
        trace.route = route
        trace.parameters = parameters
        var caller = try await identity(of: request, for: route)
        trace.caller = caller
        if context.webSocket != nil, !route.isWebSocket { throw HTTPFailure(.badRequest, "There is no WebSocket at this address") }
        // Asked before the route runs, which may end the session: the trail names who signs out.
        if caller == nil, Auditor.isUnsafe(request.method) { trace.caller = try? await authentication.identityIfAny(request.head) }
        let isByCookie = caller?.via == .cookie || caller?.via == .mediaCookie
        guard origins.allows(request.head, knownByCookie: isByCookie, isSecure: client.isSecure),
            // A browser sends cookies along with a WebSocket of any page, and lets the page read what comes.
            context.webSocket == nil || origins.provenance(of: request.head, isSecure: client.isSecure) != .foreign
        else { throw HTTPFailure.foreignPage }
        let body = try await upload.collect(
            upTo: route.largestBody ?? (route.access.knowsCaller ? Self.largestBody : Self.largestAnonymousBody),
            deadline: context.closeConnection(in: Self.longestUpload))
        trace.body = body
        // The client decides how long its body takes: what was allowed when it began may be so no longer.
        if body.readableBytes > 0, caller != nil { caller = try await identity(of: request, for: route) }
        let call = Call(
            head: request.head, parameters: parameters, query: QueryItems(query: request.uri.query), body: body, caller: caller,
            client: client,
            isPathSafe: path.isSafe, context: context)
        return try await route.respond(call)
    }

    private func identity(of request: Request, for route: Route) async throws -> Identity? {
        do { return try await authentication.identity(for: route.access, request) } catch {
            if let words = route.strangers, HTTPFailure(error)?.status == .unauthorized { throw HTTPFailure(.unauthorized, words) }
            throw error
        }
    }

    private func find(_ method: HTTPRequest.Method, _ path: RequestPath) throws -> (Route, [String: String]) {
        switch table.match(method, path.belowAPI) {
        case .route(let route, let parameters):
            // Footage tells 403 for paths that climb; elsewhere there is nothing that such a path could name.
            if !path.isSafe, route.access != .media { throw HTTPFailure.notFound }
            return (route, parameters)
        case .methodNotAllowed(let allowed):
            throw HTTPFailure(.methodNotAllowed, "Method Not Allowed", fields: [.allow: allowed.map(\.rawValue).joined(separator: ", ")])
        case .notFound: throw HTTPFailure.notFound
        }
    }

    private func preflight(_ head: HTTPRequest) -> Response {
        let (fields, isAllowed) = origins.preflightHeaders(for: head)
        return isAllowed
            ? Response(status: .ok, text: "OK", fields: fields)
            : Response(status: .badRequest, text: "Disallowed CORS origin", fields: fields)
    }

    private func answer(to error: any Error, _ request: Request, _ context: AppContext) -> Response {
        if let failure = HTTPFailure(error) { return failure.response }
        if error is CancellationError { return HTTPFailure.shuttingDown.response }
        // The path is told without its query, which may hold a token.
        context.logger.error(
            "a request failed",
            metadata: ["method": "\(request.method.rawValue)", "path": "\(request.uri.path.prefix(200))", "error": "\(error)"])
        return HTTPFailure(.internalServerError, "Internal Server Error").response
    }
}

/// The body of a request, read at most once and within bounds.
struct Upload {
    /// The connection broke while the body was read.
    struct Broken: Error {
        let cause: any Error
    }

    private let request: Request
    private let isAnnounced: Bool
    private let announcedBytes: Int
    /// True when a body was announced and has not been taken in whole.
    private(set) var isUnread: Bool

    init(_ request: Request) {
        self.request = request
        announcedBytes = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        isAnnounced = announcedBytes > 0 || request.headers.contains(.transferEncoding)
        isUnread = isAnnounced
    }

    mutating func collect(upTo limit: Int, deadline: @autoclosure () -> Scheduled<Void>?) async throws -> ByteBuffer {
        guard announcedBytes <= limit else { throw HTTPFailure.bodyTooLarge }
        let deadline = isAnnounced ? deadline() : nil
        defer { deadline?.cancel() }
        do {
            let buffer = try await request.body.collect(upTo: limit)
            isUnread = false
            return buffer
        } catch is NIOTooManyBytesError {
            isUnread = true
            throw HTTPFailure.bodyTooLarge
        } catch {
            throw Broken(cause: error)
        }
    }
}

/// Headers that make a browser careful with our answers; on every one of them, errors too.
package enum SecurityHeaders {
    package static let contentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; "
        + "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

    package static func add(to response: inout Response, isSecure: Bool) {
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.xFrameOptions] = "DENY"
        response.headers[.contentSecurityPolicy] = contentSecurityPolicy
        response.headers[.referrerPolicy] = "same-origin"
        response.headers[.permissionsPolicy] = "camera=(), microphone=(), geolocation=()"
        response.headers[.crossOriginResourcePolicy] = response.headers[.accessControlAllowOrigin] == nil ? "same-site" : "cross-origin"
        // A browser that believes this over plain HTTP would lock people out of servers without TLS.
        if isSecure { response.headers[.strictTransportSecurity] = "max-age=31536000; includeSubDomains" }
    }
}

/// Set once, when the server is told to end.
final class ShutdownSwitch: Sendable {
    private let state = Atomic(false)
    var isOn: Bool { state.load(ordering: .relaxed) }
    func turnOn() { state.store(true, ordering: .relaxed) }
}
