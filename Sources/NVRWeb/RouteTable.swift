package import HTTPTypes
package import Hummingbird

/// Who may call a route. Every route names one, so that nothing is reachable by having been forgotten.
package enum RouteAccess: String, Sendable, CaseIterable {
    /// Nobody needs to be known: status, sign-in, set-up, log-out, health, the page.
    case anonymous
    /// Any signed-in user; not an API key.
    case user
    /// Any signed-in user, or an API key.
    case userOrKey
    /// Administrators, signed in with a password.
    case admin
    /// Programs that know the webhook's secret; nobody else, whoever is signed in.
    case webhook
    /// Pictures and footage: a token in a header or in either cookie, or an API key.
    case media

    /// Whether a call has an `Identity` behind it.
    package var knowsCaller: Bool { self != .anonymous && self != .webhook }
}

/// One line of the API: a method, a pattern, who may call it, and what answers.
package struct Route: Sendable {
    package typealias Responder = @Sendable (Call) async throws -> Response

    package let method: HTTPRequest.Method
    /// `/cameras/{camera_id}/frame`; a last element `{path...}` takes the rest.
    package let pattern: String
    package let access: RouteAccess
    /// Bytes a body may have; nil leaves it to what `APIResponder` allows everywhere.
    package let largestBody: Int?
    /// What those hear who are not known, where clients know words of its own for it.
    package let strangers: String?
    /// A GET that becomes a WebSocket; asked for without the handshake, it says so.
    package let isWebSocket: Bool
    let elements: [Element]
    let respond: Responder

    enum Element: Sendable, Equatable {
        case literal(String)
        case parameter(String)
        case rest(String)
    }

    package init(
        _ method: HTTPRequest.Method, _ pattern: String, _ access: RouteAccess, largestBody: Int? = nil, strangers: String? = nil,
        isWebSocket: Bool = false, _ respond: @escaping Responder
    ) {
        self.method = method
        self.pattern = pattern
        self.access = access
        self.largestBody = largestBody
        self.strangers = strangers
        self.isWebSocket = isWebSocket
        self.respond = respond
        elements = pattern.split(separator: "/").map { piece in
            guard piece.first == "{", piece.last == "}" else { return .literal(String(piece)) }
            let name = piece.dropFirst().dropLast()
            return name.hasSuffix("...") ? .rest(String(name.dropLast(3))) : .parameter(String(name))
        }
    }

    /// The parameters when the pattern fits; nil otherwise.
    func parameters(in segments: [String]) -> [String: String]? {
        var parameters: [String: String] = [:]
        var rest = segments[...]
        for element in elements {
            if case .rest(let name) = element {
                parameters[name] = rest.joined(separator: "/")
                return parameters
            }
            guard let segment = rest.popFirst() else { return nil }
            switch element {
            case .literal(let text): if text != segment { return nil }
            case .parameter(let name): parameters[name] = segment
            case .rest: break
            }
        }
        return rest.isEmpty ? parameters : nil
    }

    /// More literals make a pattern more specific: `/cameras/reorder` goes before `/cameras/{camera_id}`.
    var specificity: Int { elements.count { if case .literal = $0 { true } else { false } } }
}

/// All routes, and which of them answers a request. Pure. Hummingbird's own router answers 404 where another method would fit;
/// the API promises 405 with `Allow`, hence this table.
package struct RouteTable: Sendable {
    package let routes: [Route]

    package enum Match: Sendable {
        case route(Route, parameters: [String: String])
        /// The path exists with these methods only.
        case methodNotAllowed([HTTPRequest.Method])
        case notFound
    }

    package init(_ routes: [Route]) {
        self.routes = routes.sorted { $0.specificity > $1.specificity }
    }

    /// HEAD goes wherever GET does. The most specific pattern that fits a path decides which methods it has: `PUT /cameras/reorder`
    /// is no change of a camera called "reorder".
    package func match(_ method: HTTPRequest.Method, _ segments: [String]) -> Match {
        let wanted: HTTPRequest.Method = method == .head ? .get : method
        var allowed: [HTTPRequest.Method] = []
        var specificity = 0
        for route in routes {
            if !allowed.isEmpty, route.specificity < specificity { break }
            guard let parameters = route.parameters(in: segments) else { continue }
            if route.method == wanted { return .route(route, parameters: parameters) }
            specificity = route.specificity
            allowed.append(route.method)
            if route.method == .get { allowed.append(.head) }
        }
        return allowed.isEmpty ? .notFound : .methodNotAllowed(allowed)
    }
}
