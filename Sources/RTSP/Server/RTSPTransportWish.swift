/// What a client asks for in `Transport` (RFC 2326 section 12.39): the first of its wishes that can be met.
package struct RTSPTransportWish: Equatable, Sendable {
    /// The two ways for media.
    package enum Way: Equatable, Sendable {
        /// On RTSP's own connection; nil when the client leaves the channels to the server.
        case interleaved(rtp: UInt8, rtcp: UInt8)
        case interleavedAnywhere
        case udp(rtp: UInt16, rtcp: UInt16)
    }

    package var way: Way

    /// Nil when nothing in the field can be met. `allowsUDP`: not on connections that are encrypted, since the media would not be.
    package init?(_ value: String?, allowsUDP: Bool) {
        guard let value, value.utf8.count <= 2048 else { return nil }
        for wish in value.split(separator: ",").prefix(16) {
            if let way = Self.way(wish, allowsUDP) {
                self.way = way
                return
            }
        }
        return nil
    }

    private static func way(_ wish: Substring, _ allowsUDP: Bool) -> Way? {
        let parts = wish.split(separator: ";").map { Text.trimmed($0) }
        let parameters = Text.parameters(wish)
        if let mode = parameters["mode"], !Text.same(mode.filter { $0 != "\"" }, "PLAY") { return nil }
        guard let profile = parts.first?.uppercased(), parameters["multicast"] == nil else { return nil }
        switch profile {
        case "RTP/AVP/TCP":
            guard let text = parameters["interleaved"] else { return .interleavedAnywhere }
            guard let (first, second) = pair(text, UInt8.self) else { return nil }
            return .interleaved(rtp: first, rtcp: second)
        case "RTP/AVP", "RTP/AVP/UDP":
            guard allowsUDP, let text = parameters["client_port"], let (first, second) = pair(text, UInt16.self), first > 0, second > 0 else {
                return nil
            }
            return .udp(rtp: first, rtcp: second)
        default: return nil
        }
    }

    /// "a-b", or "a" meaning a and the next.
    private static func pair<Number: FixedWidthInteger>(_ text: String, _: Number.Type) -> (Number, Number)? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Text.trimmed($0) }
        guard parts.count <= 2, let first = parts.first.flatMap({ Number($0) }) else { return nil }
        guard parts.count == 2 else { return first < .max ? (first, first + 1) : nil }
        return Number(parts[1]).flatMap { $0 == first ? nil : (first, $0) }
    }
}
