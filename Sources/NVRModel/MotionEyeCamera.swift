/// A camera of motionEye, read from its `camera-*.conf`: lines of motion's options (motion-project.github.io, "Configuration Options")
/// with motionEye's own as comments, `# @name value`. What has no counterpart here is left out. Pure.
package enum MotionEyeCamera {
    /// Whether a file of a backup holds a camera: `camera-1.conf`, in old versions `thread-1.conf`.
    package static func isCamera(_ path: String) -> Bool {
        let name = path.split(separator: "/").last ?? ""
        return name.hasSuffix(".conf") && (name.hasPrefix("camera-") || name.hasPrefix("camera_") || name.hasPrefix("thread-"))
    }

    /// The camera in the form of an export, for the same checks; without `rtsp_url` when it is none of the network.
    package static func exported(_ text: String) -> JSONValue {
        let options = options(of: text)
        func flag(_ name: String) -> Bool? { options[name].flatMap { ["on", "true", "yes", "1"].contains($0.lowercased()) } }
        func number(_ name: String) -> Double? { options[name].flatMap(Double.init).flatMap { $0.isFinite && abs($0) < 1e9 ? $0 : nil } }
        func first(_ names: String...) -> Double? { names.lazy.compactMap(number).first }
        var camera = JSONObject()
        func set(_ name: String, _ value: Double?, _ limits: ClosedRange<Double>) {
            if let value { camera[name] = JSONValue(Int(min(max(value, limits.lowerBound), limits.upperBound).rounded())) }
        }
        camera["name"] = .string(String((options["@name"] ?? options["camera_name"] ?? "motionEye").prefix(100)))
        camera["is_active"] = .bool(flag("@enabled") ?? true)
        let (main, sub) = urls(options)
        if let main { camera["rtsp_url"] = .string(main) }
        if let sub { camera["sub_rtsp_url"] = .string(sub) }
        if let isTCP = flag("netcam_use_tcp") ?? flag("rtsp_uses_tcp") { camera["rtsp_transport"] = isTCP ? "tcp" : "udp" }
        let size = (first("width") ?? 0, first("height") ?? 0)
        set("resolution_width", size.0 > 0 ? size.0 : nil, 1...16_384)
        set("resolution_height", size.1 > 0 ? size.1 : nil, 1...16_384)
        let rate = first("framerate").flatMap { $0 > 0 ? $0 : nil }
        set("framerate", rate, 1...240)
        if let angle = first("rotate"), [0, 90, 180, 270].contains(angle) { camera["rotation"] = JSONValue(Int(angle)) }

        // Changed pixels of the whole picture there; of 320×180 here.
        if let threshold = first("threshold"), size.0 * size.1 > 0 { set("threshold", threshold * 57_600 / (size.0 * size.1), 1...57_600) }
        set("motion_gap", first("event_gap"), 0...3600)
        set("min_motion_frames", first("minimum_motion_frames"), 1...1000)
        // Frames there, seconds here.
        set("captured_before", first("pre_capture").map { $0 / (rate ?? 15) }, 0...120)
        set("captured_after", first("post_capture").map { $0 / (rate ?? 15) }, 0...3600)
        set("light_switch_detection", first("lightswitch_percent", "lightswitch"), 0...100)
        if let tunes = flag("noise_tune") { camera["auto_noise_detection"] = .bool(tunes) }
        if let tunes = flag("threshold_tune") { camera["auto_threshold_tuning"] = .bool(tunes) }
        if let despeckle = options["despeckle_filter"] ?? options["despeckle"] { camera["despeckle_filter"] = .bool(!despeckle.isEmpty) }

        let makesMovies = flag("movie_output") ?? flag("ffmpeg_output_movies") ?? true
        let isContinuous = flag("emulate_motion") ?? false
        camera["recording_mode"] = .string((!makesMovies ? RecordingMode.off : isContinuous ? .continuous : .motionTriggered).rawValue)
        if let seconds = first("movie_max_time", "max_movie_time"), seconds > 0 { set("max_movie_length", seconds, 60...300) }
        set("movie_quality", first("movie_quality"), 1...100)
        set("picture_quality", first("picture_quality", "quality"), 1...100)
        for (field, names) in [("movie_file_name", ["movie_filename"]), ("picture_file_name", ["picture_filename", "snapshot_filename"])] {
            let pattern = names.lazy.compactMap { options[$0] }.first.map { String($0.drop { $0 == "/" }) }
            if let pattern, FilePattern.refusal(of: pattern) == nil { camera[field] = .string(pattern) }
        }
        for (field, name) in [("preserve_movies", "@preserve_movies"), ("preserve_pictures", "@preserve_pictures")] {
            if let days = first(name) { camera[field] = .string(KeepingTime.wording(ofAtLeast: Int(days))) }
        }
        for (field, name) in [("text_left", "text_left"), ("text_right", "text_right")] {
            if let text = options[name] { camera[field] = .string(String(text.prefix(200))) }
        }
        setSchedule(options, flag("@motion_detection") ?? true, &camera)
        return .object(camera)
    }

    /// The last of each option counts, as in motion.
    private static func options(of text: String) -> [String: String] {
        var options: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            var line = trimmed(String(line))[...]
            if line.hasPrefix("#") {
                line = line.dropFirst().drop { $0 == " " || $0 == "\t" }
                guard line.hasPrefix("@") else { continue }
            }
            guard !line.isEmpty, !line.hasPrefix(";") else { continue }
            let name = line.prefix { $0 != " " && $0 != "\t" && $0 != "=" }
            let value = line.dropFirst(name.count).drop { $0 == " " || $0 == "\t" || $0 == "=" }
            options[name.lowercased()] = trimmed(String(value))
        }
        return options
    }

    /// The full and the small stream, with the credentials that motion keeps apart.
    private static func urls(_ options: [String: String]) -> (main: String?, sub: String?) {
        func url(_ name: String) -> String? {
            guard var url = options[name], !url.isEmpty else { return nil }
            // Names of motion's own for ways of reading HTTP.
            for scheme in ["mjpeg", "mjpg", "jpeg"] where url.lowercased().hasPrefix(scheme + "://") { url = "http" + url.dropFirst(scheme.count) }
            guard let user = options["netcam_userpass"], !user.isEmpty, !url.contains("@"), let colon = url.firstIndex(of: ":") else { return url }
            let authority = url.index(colon, offsetBy: 3, limitedBy: url.endIndex) ?? url.endIndex
            return url[..<authority] + user + "@" + url[authority...]
        }
        let low = url("netcam_url") ?? url("@url")
        guard let high = url("netcam_high_url") ?? url("netcam_highres") else { return (low, nil) }
        return (high, low == high ? nil : low)
    }

    private static func setSchedule(_ options: [String: String], _ detects: Bool, _ camera: inout JSONObject) {
        camera["detect_motion_mode"] = detects ? "Always" : "Off"
        let days = (options["@working_schedule"] ?? "").split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        // Detection outside of the hours has no counterpart.
        guard detects, days.count == 7, options["@working_schedule_type"] != "outside" else { return }
        camera["detect_motion_mode"] = "Working Schedule"
        for (name, hours) in zip(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], days) {
            let bounds = hours.split(separator: "-").map(String.init)
            guard bounds.count == 2, TimeOfDay(bounds[0]) != nil, TimeOfDay(bounds[1]) != nil else {
                camera["schedule_" + name] = false
                continue
            }
            camera["schedule_" + name] = true
            camera["schedule_" + name + "_start"] = .string(bounds[0])
            camera["schedule_" + name + "_end"] = .string(bounds[1])
        }
    }
}
