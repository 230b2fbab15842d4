/// Writes session descriptions (RFC 4566) for what a server plays: the other half of `SDPDescription`.
package enum SDPWriter {
    /// `title`: one line of text; `id`: the number of the session; `isIPv6`: of the connection. Track n has the control `trackID=n`.
    package static func text(_ tracks: [SDPFormat], title: String, id: UInt64, isIPv6: Bool = false) -> String {
        let family = isIPv6 ? "IP6" : "IP4"
        let nowhere = isIPv6 ? "::" : "0.0.0.0"
        var lines = [
            "v=0", "o=- \(id) 1 IN \(family) \(isIPv6 ? "::1" : "127.0.0.1")", "s=\(plain(title))", "c=IN \(family) \(nowhere)", "t=0 0",
            "a=control:*", "a=range:npt=now-",
        ]
        for (index, format) in tracks.enumerated() {
            lines.append("m=\(format.codec.isVideo ? "video" : "audio") 0 RTP/AVP \(format.payloadType)")
            lines.append("a=rtpmap:\(format.payloadType) \(mapping(format))")
            let parameters = parameters(format)
            if !parameters.isEmpty { lines.append("a=fmtp:\(format.payloadType) " + parameters.joined(separator: ";")) }
            if let rate = format.framerate { lines.append("a=framerate:\(rate)") }
            if let size = format.pictureSize, format.codec == .mjpeg { lines.append("a=x-dimensions:\(size.width),\(size.height)") }
            lines.append("a=control:trackID=\(index)")
        }
        return lines.joined(separator: "\r\n") + "\r\n"
    }

    /// A title without what would end its line.
    private static func plain(_ title: String) -> String {
        let text = String(String.UnicodeScalarView(title.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f }.prefix(200)))
        return text.isEmpty ? "-" : text
    }

    private static func mapping(_ format: SDPFormat) -> String {
        let channels = format.channels > 1 ? "/\(format.channels)" : ""
        switch format.codec {
        case .h264: return "H264/90000"
        case .h265: return "H265/90000"
        case .mjpeg: return "JPEG/90000"
        case .aac: return "mpeg4-generic/\(format.clockRate)/\(max(1, format.channels))"
        case .pcmu: return "PCMU/\(format.clockRate)\(channels)"
        case .pcma: return "PCMA/\(format.clockRate)\(channels)"
        // RFC 7587 section 7: always these numbers, whatever is inside.
        case .opus: return "opus/48000/2"
        }
    }

    private static func parameters(_ format: SDPFormat) -> [String] {
        func encoded(_ sets: [[UInt8]]) -> String { sets.map { Text.base64Encoded($0) }.joined(separator: ",") }
        let sets = format.parameterSets
        switch format.codec {
        case .h264:
            var parameters = ["packetization-mode=1"]
            // RFC 6184 section 8.1: profile, constraints and level as they stand in the SPS.
            if let sps = sets.sps.first, sps.count >= 4 { parameters.append("profile-level-id=\(Text.hexEncoded(sps[1...3]).uppercased())") }
            if !sets.sps.isEmpty { parameters.append("sprop-parameter-sets=\(encoded(sets.sps + sets.pps))") }
            return parameters
        case .h265:
            return [("sprop-vps", sets.vps), ("sprop-sps", sets.sps), ("sprop-pps", sets.pps)].filter { !$0.1.isEmpty }.map {
                "\($0.0)=\(encoded($0.1))"
            }
        case .aac:
            return [
                "streamtype=5", "profile-level-id=1", "mode=AAC-hbr", "sizelength=13", "indexlength=3", "indexdeltalength=3",
                "config=\(Text.hexEncoded(format.audioSpecificConfig))",
            ]
        case .opus: return format.channels > 1 ? ["sprop-stereo=1"] : []
        case .mjpeg, .pcmu, .pcma: return []
        }
    }
}
