import HTTPTypes
import Hummingbird

/// Answers plain HTTP with the same address under HTTPS (RFC 9110 section 15.4.9: 308 keeps method and body).
struct RedirectResponder: HTTPResponder {
    typealias Context = AppContext

    /// The port of HTTPS once it is known.
    let securePort: Int

    func respond(to request: Request, context: AppContext) async throws -> Response {
        guard let location = Self.location(request.head, securePort: securePort) else {
            return HTTPFailure(.badRequest, "Host header missing or malformed", fields: [.connection: "close"]).response
        }
        var response = Response(status: .permanentRedirect, headers: [.location: location, .connection: "close"])
        SecurityHeaders.add(to: &response, isSecure: false)
        _ = context.closeConnection(in: APIResponder.refusalTime)
        return response
    }

    /// Nil when the request names no host, or one that has characters no host has.
    static func location(_ head: HTTPRequest, securePort: Int) -> String? {
        guard let authority = head.authority, let path = head.path, path.hasPrefix("/") else { return nil }
        let host: Substring
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[...end]
        } else {
            host = authority.prefix { $0 != ":" }
        }
        let isPlain = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                true
            default: false
            }
        }
        guard !host.isEmpty, host.utf8.count <= 255, isPlain else { return nil }
        return "https://\(host)" + (securePort == 443 ? "" : ":\(securePort)") + path
    }
}
