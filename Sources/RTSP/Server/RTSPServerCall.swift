/// A request and what its URL means.
struct RTSPServerCall: Sendable {
    let cseq: String
    let request: RTSPRequest
    /// Elements of the path without a track's; nil for a URL that makes no sense.
    let path: [String]?
    let query: String?
    let track: Int?
    /// The URL of the whole program, without a slash at its end.
    let base: String

    private static let mostElements = 8

    init(cseq: String, request: RTSPRequest) {
        self.cseq = cseq
        self.request = request
        let url = ControlURL.withoutUserInfo(request.url)
        var text = url[...]
        var asked: String?
        if let mark = text.firstIndex(of: "?") {
            // A track behind a query comes from clients that append it to the whole URL.
            let behind = text[text.index(after: mark)...]
            let slash = behind.lastIndex(of: "/")
            asked = String(slash.map { behind[..<$0] } ?? behind)
            text = text[..<mark] + (slash.map { behind[$0...] } ?? "")
        }
        query = asked
        guard let scheme = text.range(of: "://", in: text), text.utf8.count <= 2048 else {
            (path, track, base) = (nil, nil, "")
            return
        }
        let authorityEnd = text[scheme...].firstIndex(of: "/") ?? text.endIndex
        var elements = text[authorityEnd...].split(separator: "/").map(String.init)
        var number: Int?
        if let last = elements.last, last.lowercased().hasPrefix("trackid=") {
            number = Int(last.dropFirst(8).prefix(4))
            elements.removeLast()
        }
        base = ([String(text[..<authorityEnd])] + elements).joined(separator: "/")
        track = number
        path = elements.count <= Self.mostElements && ControlURL.isAbsolute(url) ? elements.map { Text.percentDecoded(Array($0.utf8)) } : nil
    }

    var sessionID: String? { RTSPSessionHeader(request.headers["Session"])?.id }
}

extension Substring {
    /// Where the text behind a separator begins.
    fileprivate func range(of separator: String, in text: Substring) -> Index? {
        var at = text.startIndex
        while at < text.endIndex {
            if text[at...].hasPrefix(separator) { return text.index(at, offsetBy: separator.count) }
            at = text.index(after: at)
        }
        return nil
    }
}
