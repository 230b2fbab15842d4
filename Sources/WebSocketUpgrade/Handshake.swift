import NIOHTTP1

/// Whether a request asks for a WebSocket in the form of RFC 6455 section 4.2.1. Pure.
enum Handshake {
    static func isAskedFor(_ head: HTTPRequestHead) -> Bool {
        guard head.method == .GET, head.version == .http1_1, !hasBody(head.headers) else { return false }
        let keys = head.headers["sec-websocket-key"]
        return head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
            && head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
            && head.headers["sec-websocket-version"] == ["13"]
            && keys.count == 1 && isKey(keys[0])
    }

    /// Sixteen bytes in base64.
    private static func isKey(_ text: String) -> Bool {
        text.utf8.count == 24 && text.hasSuffix("==")
            && text.utf8.dropLast(2).allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "+"), UInt8(ascii: "/"):
                    true
                default: false
                }
            }
    }

    private static func hasBody(_ headers: HTTPHeaders) -> Bool {
        headers.contains(name: "transfer-encoding") || headers["content-length"].contains { $0 != "0" }
    }

    /// Takes the wish for another protocol out of a request that stays HTTP. The decoder has stopped behind such a request, so the
    /// connection ends with its answer.
    static func declineUpgrade(_ head: HTTPRequestHead) -> HTTPRequestHead {
        guard head.headers.contains(name: "upgrade") else { return head }
        var head = head
        head.headers.remove(name: "upgrade")
        head.headers.replaceOrAdd(name: "connection", value: "close")
        return head
    }
}
