/// How the units of an AAC track are packed.
package enum AACPacking: Equatable, Sendable {
    /// RFC 3640.
    case generic(AUHeaderFields)
    /// RFC 6416 with the configuration out of band; units per element.
    case latm(subframes: Int)
}

/// What the description says about a track that can be depacketized.
package struct SDPFormat: Equatable, Sendable {
    package var codec: RTSPCodec
    package var payloadType: UInt8
    package var clockRate: Int
    package var channels = 0
    package var parameterSets = ParameterSets()
    package var hasDecodingOrder = false
    package var audioSpecificConfig: [UInt8] = []
    package var aacPacking = AACPacking.generic(AUHeaderFields())
    package var samplesPerFrame = 1024
    package var framerate: Double?
    private var width = 0
    private var height = 0

    /// A format without parameters; those are set afterwards.
    package init(codec: RTSPCodec, payloadType: UInt8, clockRate: Int, channels: Int = 0) {
        self.codec = codec
        self.payloadType = payloadType
        self.clockRate = clockRate
        self.channels = channels
    }

    /// Pixels, when the description gives them.
    package var pictureSize: (width: Int, height: Int)? {
        get { width > 0 && height > 0 ? (width, height) : nil }
        set { (width, height) = newValue ?? (0, 0) }
    }
}

/// A session description (RFC 4566), read as tolerantly as cameras need.
package struct SDPDescription: Equatable {
    /// One `m=` line with what follows it.
    package struct Media: Equatable {
        /// "video", "audio", "application", …; lower case.
        package var kind: String
        package var payloadTypes: [UInt8] = []
        /// `a=` lines as name and value; names in lower case.
        package var attributes: [(name: String, value: String)] = []

        /// Kind, payload types and attributes in order.
        package static func == (left: Media, right: Media) -> Bool {
            left.kind == right.kind && left.payloadTypes == right.payloadTypes
                && left.attributes.elementsEqual(right.attributes) { $0.name == $1.name && $0.value == $1.value }
        }

        /// The first attribute of that name.
        package func attribute(_ name: String) -> String? { attributes.first { $0.name == name }?.value }

        package var control: String? { attribute("control") }
    }

    /// Session-level `a=control`.
    package var control: String?
    package var media: [Media] = []

    package static let maximumBytes = 256 << 10
    package static let maximumMedia = 32
    package static let maximumAttributes = 256

    /// Parses a description; lines that make no sense are stepped over. Nil when there is no media line at all.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count <= Self.maximumBytes else { return nil }
        for line in Text.lines(bytes) {
            let trimmed = Text.trimmed(line)
            let parts = trimmed.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            let value = Text.trimmed(parts[1])
            switch Text.trimmed(parts[0]).lowercased() {
            case "m":
                guard media.count < Self.maximumMedia else { continue }
                let words = value.split(whereSeparator: { $0 == " " || $0 == "\t" })
                guard let kind = words.first else { continue }
                let types = words.dropFirst(3).prefix(32).compactMap { UInt8($0) }.filter { $0 < 128 }
                media.append(Media(kind: kind.lowercased(), payloadTypes: types))
            case "a":
                let pair = value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                let name = Text.trimmed(pair[0]).lowercased()
                let content = pair.count > 1 ? Text.trimmed(pair[1]) : ""
                if media.isEmpty {
                    if name == "control", control == nil { control = content }
                } else if media[media.count - 1].attributes.count < Self.maximumAttributes {
                    media[media.count - 1].attributes.append((name, content))
                }
            default:
                continue
            }
        }
        guard !media.isEmpty else { return nil }
    }
}

extension SDPDescription.Media {
    /// The format of this track, nil when it cannot be depacketized.
    package var format: SDPFormat? {
        guard kind == "video" || kind == "audio" else { return nil }
        for payloadType in payloadTypes {
            if let format = format(of: payloadType, mapping(of: payloadType)) { return format }
        }
        // A mapping for another payload type than the media line names, or a media line without any: one mapping is
        // meant for the track all the same.
        let mappings = attributes.filter { $0.name == "rtpmap" }.compactMap { Self.splitMapping($0.value) }
        for mapping in mappings {
            if let format = format(of: mapping.payloadType, mapping.text) { return format }
        }
        return nil
    }

    private static func splitMapping(_ value: String) -> (payloadType: UInt8, text: String)? {
        let words = value.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" })
        guard words.count == 2, let type = UInt8(words[0]), type < 128 else { return nil }
        return (type, Text.trimmed(words[1]))
    }

    private func mapping(of payloadType: UInt8) -> String? {
        attributes.lazy.filter { $0.name == "rtpmap" }.compactMap { Self.splitMapping($0.value) }.first { $0.payloadType == payloadType }?.text
    }

    /// The parameters for a payload type; those of another one when there are no others.
    private func formatParameters(_ payloadType: UInt8) -> [String: String] {
        let all = attributes.filter { $0.name == "fmtp" }.compactMap { Self.splitMapping($0.value) }
        guard let text = all.first(where: { $0.payloadType == payloadType })?.text ?? (all.count == 1 ? all[0].text : nil) else {
            return [:]
        }
        return Text.parameters(text)
    }

    private func format(of payloadType: UInt8, _ mapping: String?) -> SDPFormat? {
        let parts = (mapping ?? "").split(separator: "/", omittingEmptySubsequences: false).map { Text.trimmed($0) }
        let parameters = formatParameters(payloadType)
        let name = parts[0].isEmpty ? Self.assumedName(kind, payloadType, parameters) : parts[0].uppercased()
        let rate = parts.count > 1 ? Int(parts[1].prefix(7)) ?? 0 : 0
        let channels = parts.count > 2 ? max(1, min(8, Int(parts[2].prefix(2)) ?? 1)) : 1
        switch (kind, name) {
        case ("video", "H264"), ("video", "AVC"), ("video", "H.264"):
            return video(.h264, payloadType, rate, parameters)
        case ("video", "H265"), ("video", "HEVC"), ("video", "H.265"):
            return video(.h265, payloadType, rate, parameters)
        case ("video", "JPEG"), ("video", "MJPEG"):
            return video(.mjpeg, payloadType, rate, parameters)
        case ("audio", "PCMU"), ("audio", "G711U"):
            return SDPFormat(codec: .pcmu, payloadType: payloadType, clockRate: rate > 0 ? rate : 8000, channels: channels)
        case ("audio", "PCMA"), ("audio", "G711A"):
            return SDPFormat(codec: .pcma, payloadType: payloadType, clockRate: rate > 0 ? rate : 8000, channels: channels)
        case ("audio", "OPUS"):
            return SDPFormat(codec: .opus, payloadType: payloadType, clockRate: 48000, channels: parts.count > 2 ? channels : 2)
        case ("audio", "MPEG4-GENERIC"), ("audio", "AAC"):
            return genericAAC(payloadType, rate, channels, parameters)
        case ("audio", "MP4A-LATM"):
            return latm(payloadType, rate, parameters)
        default:
            return nil
        }
    }

    /// The encoding when there is no mapping: static payload types (RFC 3551), or what the parameters give away.
    private static func assumedName(_ kind: String, _ payloadType: UInt8, _ parameters: [String: String]) -> String {
        switch payloadType {
        case 0: return "PCMU"
        case 8: return "PCMA"
        case 26: return "JPEG"
        default: break
        }
        if kind == "video" {
            if parameters["sprop-vps"] != nil || parameters["sprop-sps"] != nil { return "H265" }
            if parameters["sprop-parameter-sets"] != nil || parameters["packetization-mode"] != nil || parameters["profile-level-id"] != nil {
                return "H264"
            }
        } else if parameters["config"] != nil {
            return parameters["sizelength"] != nil ? "MPEG4-GENERIC" : "MP4A-LATM"
        }
        return ""
    }

    private func video(_ codec: RTSPCodec, _ payloadType: UInt8, _ rate: Int, _ parameters: [String: String]) -> SDPFormat {
        var format = SDPFormat(codec: codec, payloadType: payloadType, clockRate: rate >= 1000 ? rate : 90000)
        switch codec {
        case .h264:
            format.parameterSets = Self.parameterSets([parameters["sprop-parameter-sets"]], isH265: false)
        case .h265:
            format.parameterSets = Self.parameterSets([parameters["sprop-vps"], parameters["sprop-sps"], parameters["sprop-pps"]], isH265: true)
            format.hasDecodingOrder = (parameters["sprop-max-don-diff"].flatMap { Int($0) } ?? 0) > 0
        default:
            break
        }
        let rateText = attribute("framerate") ?? attribute("x-framerate")
        if let rateText, let value = Double(rateText), value > 0, value <= 1000 { format.framerate = value }
        format.pictureSize =
            Self.size(attribute("x-dimensions"), ",") ?? Self.size(attribute("framesize")?.split(separator: " ").last.map(String.init), "-")
        return format
    }

    private static func size(_ text: String?, _ separator: Character) -> (width: Int, height: Int)? {
        guard let parts = text?.split(separator: separator), parts.count == 2, let width = Int(Text.trimmed(parts[0])),
            let height = Int(Text.trimmed(parts[1])), (1...65535).contains(width), (1...65535).contains(height)
        else { return nil }
        return (width, height)
    }

    /// Sorts the sets by what they are rather than by where they stand; start codes in front are stripped.
    private static func parameterSets(_ texts: [String?], isH265: Bool) -> ParameterSets {
        var sets = ParameterSets()
        for item in texts.compactMap({ $0 }).flatMap({ $0.split(separator: ",").prefix(16) }) {
            guard item.utf8.count <= 8192 else { continue }
            let bytes = Text.base64(item)
            bytes.withUnsafeBytes { buffer in
                AnnexB.forEach(ByteView(buffer)) { nal in
                    guard nal.count > (isH265 ? 2 : 1) else { return }
                    switch (isH265, isH265 ? (nal[0] >> 1) & 0x3f : nal[0] & 0x1f) {
                    case (true, 32) where sets.vps.count < 16: sets.vps.append(nal.array)
                    case (true, 33) where sets.sps.count < 16, (false, 7) where sets.sps.count < 16: sets.sps.append(nal.array)
                    case (true, 34) where sets.pps.count < 16, (false, 8) where sets.pps.count < 16: sets.pps.append(nal.array)
                    default: break
                    }
                }
            }
        }
        return sets
    }

    private func genericAAC(_ payloadType: UInt8, _ rate: Int, _ channels: Int, _ parameters: [String: String]) -> SDPFormat? {
        func number(_ name: String, _ otherwise: Int, _ limit: Int = 32) -> Int {
            parameters[name].flatMap { Int($0) }.map { max(0, min(limit, $0)) } ?? otherwise
        }
        let isLowBitRate = Text.same(parameters["mode"] ?? "", "AAC-lbr")
        var fields = AUHeaderFields()
        fields.constantSize = number("constantsize", 0, 65535)
        fields.size = number("sizelength", fields.constantSize > 0 ? 0 : isLowBitRate ? 6 : 13)
        fields.index = number("indexlength", fields.constantSize > 0 ? 0 : isLowBitRate ? 2 : 3)
        fields.indexDelta = number("indexdeltalength", fields.constantSize > 0 ? 0 : isLowBitRate ? 2 : 3)
        fields.compositionDelta = number("ctsdeltalength", 0)
        fields.decodingDelta = number("dtsdeltalength", 0)
        fields.hasRandomAccess = number("randomaccessindication", 0) > 0
        fields.streamState = number("streamstateindication", 0)
        fields.auxiliarySize = number("auxiliarydatasizelength", 0)
        var config = Text.hex(parameters["config"] ?? "")
        var parsed = AudioSpecificConfig(config)
        if parsed == nil {
            guard let made = AudioSpecificConfig.encode(objectType: 2, sampleRate: rate, channels: channels) else { return nil }
            config = made
            parsed = AudioSpecificConfig(made)
        }
        guard let parsed, config.count <= 64 else { return nil }
        let clockRate = rate > 0 ? rate : parsed.sampleRate
        guard clockRate > 0 else { return nil }
        var format = SDPFormat(
            codec: .aac, payloadType: payloadType, clockRate: clockRate, channels: parsed.channels > 0 ? parsed.channels : channels)
        format.audioSpecificConfig = config
        format.aacPacking = .generic(fields)
        format.samplesPerFrame = parsed.ticksPerFrame(clockRate: clockRate)
        return format
    }

    private func latm(_ payloadType: UInt8, _ rate: Int, _ parameters: [String: String]) -> SDPFormat? {
        // With the configuration in band (cpresent=1) the elements are not aligned to bytes; cameras do not send it.
        guard (parameters["cpresent"] ?? "0") == "0", let mux = StreamMuxConfig(Text.hex(parameters["config"] ?? "")) else { return nil }
        let clockRate = rate > 0 ? rate : mux.audio.sampleRate
        guard clockRate > 0, mux.audio.channels > 0 else { return nil }
        var format = SDPFormat(codec: .aac, payloadType: payloadType, clockRate: clockRate, channels: mux.audio.channels)
        format.audioSpecificConfig = mux.audioBytes
        format.aacPacking = .latm(subframes: mux.subframes)
        format.samplesPerFrame = mux.audio.ticksPerFrame(clockRate: clockRate)
        return format
    }
}

/// Control URLs (RFC 2326 appendix C.1.1), resolved as cameras mean them rather than by RFC 3986: a relative URL is
/// appended to the base.
package enum ControlURL {
    /// The URL for a control attribute; `nil`, empty and "*" mean the base itself. User info is taken out.
    package static func resolve(_ control: String?, base: String) -> String {
        guard let control, !control.isEmpty, control != "*" else { return base }
        if isAbsolute(control) { return withoutUserInfo(control) }
        if control.hasPrefix("?") { return base + control }
        if control.hasPrefix("/") {
            let (origin, path) = split(base)
            let directory = path.hasSuffix("/") ? String(path.dropLast()) : path
            // An absolute path that repeats the base is one; otherwise the slash is a habit of the camera.
            if !directory.isEmpty, control.hasPrefix(directory + "/") || control == directory { return origin + control }
            return origin + directory + control
        }
        return base.hasSuffix("/") ? base + control : base + "/" + control
    }

    /// Whether the text is a URL with a scheme of RTSP.
    package static func isAbsolute(_ text: String) -> Bool {
        let lower = text.prefix(8).lowercased()
        return lower.hasPrefix("rtsp://") || lower.hasPrefix("rtsps://") || lower.hasPrefix("rtspu://")
    }

    /// The URL without anything before "@" in its authority: credentials never go into a request line.
    package static func withoutUserInfo(_ url: String) -> String {
        let bytes = Array(url.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8) else { return url }
        let begin = colon + 3
        let end = bytes[begin...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
        guard let at = bytes[begin..<end].lastIndex(of: UInt8(ascii: "@")) else { return url }
        return String(decoding: bytes[..<begin] + bytes[(at + 1)...], as: UTF8.self)
    }

    /// scheme://authority, and the rest.
    private static func split(_ url: String) -> (origin: String, path: String) {
        let bytes = Array(url.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8) else { return (url, "") }
        let end = bytes[(colon + 3)...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
        return (String(decoding: bytes[..<end], as: UTF8.self), String(decoding: bytes[end...], as: UTF8.self))
    }
}
