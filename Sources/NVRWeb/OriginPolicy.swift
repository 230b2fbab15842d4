package import HTTPTypes

/// Which pages of other origins may talk to us, and which requests a browser may have been tricked into. Pure.
package struct OriginPolicy: Sendable {
    /// Origins such as `https://nvr.example:8443` that may use the API from a browser besides our own.
    package let allowedOrigins: Set<String>

    package init(allowedOrigins: Set<String>) { self.allowedOrigins = allowedOrigins }

    /// What the headers say about the page that made a request.
    package enum Provenance: Equatable, Sendable {
        /// Our own page, or one that is allowed.
        case same
        /// Another page.
        case foreign
        /// No browser said anything.
        case unknown
    }

    /// `isSecure`: the client spoke HTTPS.
    package func provenance(of head: HTTPRequest, isSecure: Bool = false) -> Provenance {
        if let origin = head.headerFields[.origin] {
            if isAllowed(origin) { return .same }
            guard let authority = head.authority, let schemeEnd = origin.range(of: "://") else { return .foreign }
            // Behind a proxy that ends TLS we see http where the browser sees https. Never the other way round: a page that came without
            // encryption is whoever's is on the way.
            if isSecure, origin.lowercased().hasPrefix("http:") { return .foreign }
            return origin[schemeEnd].lowercased() == authority.lowercased() ? .same : .foreign
        }
        switch head.headerFields[.secFetchSite] {
        case nil: return .unknown
        case "same-origin", "none": return .same
        default: return .foreign
        }
    }

    package func isAllowed(_ origin: String) -> Bool { allowedOrigins.contains(origin) }

    /// Whether a state-changing request may go on. A cookie goes along with requests of foreign pages, so a request that is known
    /// by a cookie alone has to prove where it comes from; any other only must not come from a foreign page.
    package func allows(_ head: HTTPRequest, knownByCookie: Bool, isSecure: Bool = false) -> Bool {
        if Self.safeMethods.contains(head.method) { return true }
        switch provenance(of: head, isSecure: isSecure) {
        case .same: return true
        case .foreign: return false
        case .unknown: return !knownByCookie
        }
    }

    private static let safeMethods: Set<HTTPRequest.Method> = [.get, .head, .options]

    // MARK: CORS

    /// Headers that let an allowed page read the answer.
    package func readHeaders(for head: HTTPRequest) -> HTTPFields {
        var fields: HTTPFields = [.vary: "Origin"]
        guard let origin = head.headerFields[.origin], isAllowed(origin) else { return fields }
        fields[.accessControlAllowOrigin] = origin
        fields[.accessControlAllowCredentials] = "true"
        fields[.accessControlExposeHeaders] = "X-Total-Count, Content-Range, Content-Disposition, ETag, Retry-After"
        return fields
    }

    /// True for the question a browser asks before a request of another origin.
    package static func isPreflight(_ head: HTTPRequest) -> Bool {
        head.method == .options && head.headerFields.contains(.origin) && head.headerFields.contains(.accessControlRequestMethod)
    }

    /// Headers of the answer to a preflight, and whether the origin is allowed.
    package func preflightHeaders(for head: HTTPRequest) -> (fields: HTTPFields, isAllowed: Bool) {
        var fields: HTTPFields = [
            .vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            .accessControlAllowMethods: "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
            .accessControlMaxAge: "600",
            .accessControlAllowCredentials: "true",
        ]
        guard let origin = head.headerFields[.origin], isAllowed(origin) else { return (fields, false) }
        fields[.accessControlAllowOrigin] = origin
        if let asked = head.headerFields[.accessControlRequestHeaders] { fields[.accessControlAllowHeaders] = asked }
        return (fields, true)
    }
}

extension String {
    /// Where the text after the first `needle` begins, without Foundation.
    fileprivate func range(of needle: String) -> PartialRangeFrom<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) { return index(start, offsetBy: needle.count)... }
            start = index(after: start)
        }
        return nil
    }
}
