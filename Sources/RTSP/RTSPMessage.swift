/// Header fields of a message in order; names compare without case.
package struct RTSPHeaders: Equatable, Sendable {
    package private(set) var fields: [(name: String, value: String)] = []

    /// No fields.
    package init() {}

    /// Field by field.
    package static func == (left: RTSPHeaders, right: RTSPHeaders) -> Bool {
        left.fields.elementsEqual(right.fields) { $0.name == $1.name && $0.value == $1.value }
    }

    /// The first value of that name.
    package subscript(name: String) -> String? { fields.first { Text.same($0.name, name) }?.value }

    /// All values of that name.
    package func all(_ name: String) -> [String] { fields.filter { Text.same($0.name, name) }.map(\.value) }

    /// Appends a field.
    package mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

    /// Appends to the value of the last field: a folded line.
    package mutating func extendLast(_ text: String) {
        guard !fields.isEmpty else { return }
        fields[fields.count - 1].value += " " + text
    }
}

/// An answer of the server.
package struct RTSPResponse: Equatable {
    package var status: Int
    package var reason: String
    package var headers: RTSPHeaders
    package var body: [UInt8] = []

    package var cseq: Int? { headers["CSeq"].flatMap { Int(Text.trimmed($0).prefix(9)) } }
}

/// A request, ours or (seldom) the server's.
package struct RTSPRequest: Equatable, Sendable {
    package var method: String
    package var url: String
    package var headers: RTSPHeaders

    /// A request as it will be sent.
    package init(method: String, url: String, headers: RTSPHeaders) {
        self.method = method
        self.url = url
        self.headers = headers
    }

    /// The bytes to send. Line breaks cannot be smuggled in: control characters are left out of every value.
    package func encoded() -> [UInt8] {
        func clean(_ text: String) -> [UInt8] { text.utf8.filter { $0 >= 0x20 && $0 != 0x7f } }
        var out: [UInt8] = clean(method) + [0x20] + clean(url) + Array(" RTSP/1.0\r\n".utf8)
        for (name, value) in headers.fields {
            out += clean(name) + Array(": ".utf8) + clean(value) + [13, 10]
        }
        return out + [13, 10]
    }
}

/// A message taken off the connection.
package enum RTSPMessage: Equatable {
    case response(RTSPResponse)
    case request(RTSPRequest)
}

/// Parses the head of a message (RFC 2326 sections 6 and 7) from text that ends with an empty line.
package enum RTSPMessageParser {
    package static let maximumHeadBytes = 64 << 10
    package static let maximumBodyBytes = 1 << 20
    package static let maximumFields = 128

    /// The length of the head including its empty line; nil when that has not come yet.
    package static func headLength(_ bytes: ByteView, searchedTo: Int) -> Int? {
        var index = max(0, searchedTo - 3)
        while index < bytes.count {
            guard bytes[index] == 10 else {
                index += 1
                continue
            }
            if index + 1 < bytes.count, bytes[index + 1] == 10 { return index + 2 }
            if index + 2 < bytes.count, bytes[index + 1] == 13, bytes[index + 2] == 10 { return index + 3 }
            index += 1
        }
        return nil
    }

    /// The message without its body; nil when the first line is neither a status line nor a request line.
    package static func parse(head: ByteView) -> RTSPMessage? {
        let text = UnsafeRawBufferPointer(start: head.base, count: head.count)
        let lines = text.split(whereSeparator: { $0 == 10 || $0 == 13 })
        guard let first = lines.first else { return nil }
        let start = String(decoding: first, as: UTF8.self)
        var headers = RTSPHeaders()
        for line in lines.dropFirst().prefix(maximumFields) {
            let content = String(decoding: line, as: UTF8.self)
            if content.hasPrefix(" ") || content.hasPrefix("\t") {
                headers.extendLast(Text.trimmed(content))
                continue
            }
            guard let colon = content.firstIndex(of: ":") else { continue }
            headers.add(Text.trimmed(content[..<colon]), Text.trimmed(content[content.index(after: colon)...]))
        }
        let words = start.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true).map(String.init)
        guard words.count >= 2 else { return nil }
        if words[0].uppercased().hasPrefix("RTSP/") {
            guard let status = Int(Text.trimmed(words[1])), (100...999).contains(status) else { return nil }
            return .response(RTSPResponse(status: status, reason: words.count > 2 ? Text.trimmed(words[2]) : "", headers: headers))
        }
        guard words.count == 3, words[2].uppercased().hasPrefix("RTSP/") else { return nil }
        return .request(RTSPRequest(method: words[0], url: words[1], headers: headers))
    }

    /// Bytes of body behind the head; nil when it is more than we take.
    package static func bodyLength(_ message: RTSPMessage) -> Int? {
        let headers =
            switch message {
            case .response(let response): response.headers
            case .request(let request): request.headers
            }
        guard let text = headers["Content-Length"] else { return 0 }
        guard let length = Int(Text.trimmed(text)), length >= 0 else { return 0 }
        return length <= maximumBodyBytes ? length : nil
    }
}

/// `Session: id;timeout=60` (RFC 2326 section 12.37).
package struct RTSPSessionHeader: Equatable {
    package var id: String
    /// Seconds; the default of the RFC is 60.
    package var timeout: Int

    /// Parses the value of the field; nil when there is none.
    package init?(_ value: String?) {
        guard let value else { return nil }
        let parts = value.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        let id = Text.trimmed(parts[0])
        guard !id.isEmpty else { return nil }
        self.id = id
        let seconds = parts.count > 1 ? Text.parameters(parts[1])["timeout"].flatMap { Int($0) } : nil
        // Cameras say 0 or nonsense; a keep-alive every few seconds at most, every half hour at least.
        timeout = seconds.map { $0 > 0 ? max(4, min(3600, $0)) : 60 } ?? 60
    }
}

/// What the server answered about the transport (RFC 2326 section 12.39).
package struct RTSPTransportHeader: Equatable {
    package var isTCP = false
    package var channels: (rtp: UInt8, rtcp: UInt8)?
    package var serverPorts: (rtp: UInt16, rtcp: UInt16)?
    package var source: String?

    /// Field by field.
    package static func == (left: Self, right: Self) -> Bool {
        left.isTCP == right.isTCP && left.channels?.rtp == right.channels?.rtp && left.channels?.rtcp == right.channels?.rtcp
            && left.serverPorts?.rtp == right.serverPorts?.rtp && left.serverPorts?.rtcp == right.serverPorts?.rtcp
            && left.source == right.source
    }

    /// Parses the value of the field; nil when there is none.
    package init?(_ value: String?) {
        guard let value, !value.isEmpty else { return nil }
        let first = value.split(separator: ",").first.map(String.init) ?? value
        isTCP = first.uppercased().contains("/TCP")
        let parameters = Text.parameters(first)
        if let range = Self.range(parameters["interleaved"], UInt8.self) {
            channels = (range.0, range.1)
            isTCP = true
        }
        if let range = Self.range(parameters["server_port"], UInt16.self), range.0 > 0 { serverPorts = (range.0, range.1) }
        if let text = parameters["source"], !text.isEmpty { source = text }
    }

    /// "a-b", or "a" meaning a and the next.
    private static func range<Number: FixedWidthInteger>(_ text: String?, _: Number.Type) -> (Number, Number)? {
        guard let parts = text?.split(separator: "-").map({ Text.trimmed($0) }), let first = parts.first.flatMap({ Number($0) }) else {
            return nil
        }
        return (first, parts.count > 1 ? Number(parts[1]) ?? first &+ 1 : first &+ 1)
    }
}
