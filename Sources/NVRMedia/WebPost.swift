import Libav
package import NIOCore
import RTSP

/// Sends a short text to a URL by POST. Names are resolved here, and only addresses that are allowed are connected to; redirects are not
/// followed, since what is sent is meant for one place.
package struct WebPost: Sendable {
    /// Why it was not delivered, without the URL, which may hold a secret.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package var reason: String
        /// False where another try would say the same.
        package var isWorthRetrying: Bool
        package var description: String { reason }
    }

    private let addresses: AddressGuard
    private let eventLoop: any EventLoop
    private let limit: Duration

    /// `check` throws for an address that is refused. `seconds`: how long a delivery may take in all.
    package init(eventLoop: any EventLoop, seconds: Int64 = 15, check: (@Sendable (SocketAddress) throws -> Void)?) {
        addresses = AddressGuard(check)
        self.eventLoop = eventLoop
        limit = .seconds(seconds)
    }

    /// Waits for the answer, which must be a success. Blocks: only threads made for it may use it.
    package func send(_ body: String, to text: String, headers: [(name: String, value: String)]) throws(Failure) {
        guard let url = SourceURL(text), ["http", "https"].contains(url.scheme) else {
            throw Failure(reason: "the URL is none of the web", isWorthRetrying: false)
        }
        let interrupt = Interrupt()
        interrupt.setDeadline(in: limit)
        do throws(RTSPError) {
            var failure = RTSPError.unreachable(url.host)
            for address in try addresses.addresses(of: url) {
                do throws(RTSPError) {
                    return try post(body, to: url, at: address, headers, interrupt)
                } catch {
                    failure = error
                    guard case .status = error else { continue }
                    throw error
                }
            }
            throw failure
        } catch {
            switch error {
            case .status(let status, _): throw Failure(reason: "the receiver answered \(status)", isWorthRetrying: status >= 500 || status == 429)
            case .addressRefused: throw Failure(reason: "the address is not allowed", isWorthRetrying: false)
            default: throw Failure(reason: "the receiver cannot be reached", isWorthRetrying: true)
            }
        }
    }

    private func post(
        _ body: String, to url: SourceURL, at address: SocketAddress, _ headers: [(name: String, value: String)], _ interrupt: Interrupt
    ) throws(RTSPError) {
        let connection = try BlockingConnection(
            to: address, serverName: url.hasNumericHost ? nil : url.host, isTLS: url.scheme == "https", isTrusted: true, eventLoop: eventLoop,
            interrupt: interrupt)
        defer { connection.close() }
        var lines = [
            "POST \(url.target) HTTP/1.1", "Host: \(url.authority)", "User-Agent: \(WebReader.userAgent)", "Content-Type: application/json",
            "Content-Length: \(body.utf8.count)", "Connection: close",
        ]
        if let credentials = url.credentials, let basic = AuthenticationChallenge.parse([#"Basic realm="""#]).first {
            var authenticator = Authenticator(credentials)
            authenticator.accept(basic)
            if let given = authenticator.authorization(method: "POST", url: url.target) { lines.append("Authorization: " + given) }
        }
        for header in headers { lines.append("\(header.name): \(header.value)") }
        try connection.write(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
        let (head, _) = try WebExchange.head(from: connection)
        guard (200..<300).contains(head.status) else { throw .status(head.status, head.reason) }
    }
}
