package import NVRCameras
package import NVRMedia
package import NVRModel

/// The JSON that goes along with live pictures. Pure.
package enum LiveMessages {
    /// What the following frames are. `requested`: the stream that was asked for, which may not run.
    package static func run(_ run: LiveRun, requested: StreamRole, withAudio: Bool, format: LiveFormat) -> JSONValue {
        let description = run.description
        let rate = run.framesPerSecond ?? description.claimedFrameRate
        var object: JSONObject = [
            "type": "info", "stream": .string(run.role.rawValue), "requested": .string(requested.rawValue),
            "codec": .string(description.videoCodecString), "codec_name": .string(description.videoCodecName),
            "width": JSONValue(description.width), "height": JSONValue(description.height),
            "fps": JSONValue(rate.map { ($0 * 100).rounded() / 100 }),
            // Second 0 of the times in front of frames.
            "started_at": .string(description.origin.iso8601), "run": .integer(description.run), "transcoded": .bool(run.isTranscoded),
            "audio": withAudio ? description.audio.map(audio) ?? .null : .null,
        ]
        if format == .fragments { object["mime_type"] = JSONValue(LiveFragments.mimeType(of: description, withAudio: withAudio)) }
        return .object(object)
    }

    private static func audio(_ audio: StreamDescription.AudioTrack) -> JSONValue {
        var object: JSONObject = [
            "codec": .string(audio.codecString), "codec_name": .string(audio.name), "sample_rate": JSONValue(audio.timescale),
            "channels": JSONValue(audio.channels),
        ]
        // AudioSpecificConfig, which decoders of raw AAC want beforehand.
        if case .aac(let configuration) = audio.codec { object["description"] = .string(hexadecimal(configuration)) }
        return .object(object)
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
    }

    /// The camera sends a codec that the player does not take, and nothing else can be had.
    package static func unplayable(_ role: StreamRole, codec: String?, reason: String) -> JSONValue {
        var object: JSONObject = ["type": "unplayable", "stream": .string(role.rawValue), "codec_name": JSONValue(codec)]
        object.say("reason", reason)
        return .object(object)
    }

    /// How many pictures the viewer missed since the last such message.
    package static func lost(_ frames: Int, total: Int) -> JSONValue {
        ["type": "lost", "frames": JSONValue(frames), "total": JSONValue(total)]
    }

    /// The state of the camera.
    package static func state(_ health: CameraHealth?) -> JSONValue {
        var object: JSONObject = ["type": "state", "status": .string((health?.status ?? .disabled).rawValue)]
        object.say("reason", health?.reason)
        return .object(object)
    }

    /// Motion that goes on, or its end.
    package static func motion(_ motion: LiveMotion?) -> JSONValue {
        guard let motion else { return ["type": "motion", "active": false, "boxes": []] }
        // The detector's own text; where it is none that can be read, there are no boxes.
        let boxes = motion.metadata.flatMap { try? JSONValue(parsing: Array($0.utf8)) }?.object?["boxes"]
        return [
            "type": "motion", "active": true, "since": .string(motion.since.iso8601), "source": .string(motion.source), "boxes": boxes ?? [],
        ]
    }
}
