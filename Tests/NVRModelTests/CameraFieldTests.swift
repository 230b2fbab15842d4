import NVRModel
import Testing

@Suite("Camera fields")
struct CameraFieldTests {
    @Test("The table is the wire's 119 keys in its order with its defaults")
    func tableEqualsWire() throws {
        let wire = try #require(JSONValue(parsing: wireDefaults).object)
        #expect(wire.count == 119)
        let camera = Camera(id: ID(0), createdAt: WallTime(microseconds: 0))
        let ours = try #require(camera.json(.full).object)
        #expect(ours.keys == wire.keys)
        wire.forEach { key, value in #expect(ours[key] == value, "default of \(key)") }
        #expect(Set(CameraField.all.map(\.name)).count == 119)
    }

    @Test("Answers keep the number types of the wire when written")
    func numberTypes() {
        let text = Camera(id: ID(3), createdAt: someTime).json(.full).serialized()
        #expect(text.contains(#""text_scale":1.0"#))
        #expect(text.contains(#""max_storage_gb":0.0"#))
        #expect(text.contains(#""privacy_masks":"[]""#))
        #expect(text.contains(#""created_at":"2023-11-14T22:13:20Z""#))
    }

    @Test("A new camera needs a name and a URL and takes the rest from the defaults")
    func create() throws {
        let camera = try patch(["name": " Front/Door. ", "rtsp_url": "rtsp://10.0.0.9/cam0"], creating: true).newCamera(at: someTime)
        #expect(camera.general.name == "Front/Door.")
        #expect(camera.streams.url == "rtsp://10.0.0.9/cam0")
        #expect(camera.recording.mode == .motionTriggered)
        #expect(camera.createdAt == someTime)
    }

    @Test("A change of some fields keeps the others")
    func partialUpdate() throws {
        var camera = try patch(
            ["name": "A", "rtsp_url": "rtsp://10.0.0.9/a", "location": "Porch", "framerate": 7], creating: true
        ).newCamera(at: someTime)
        let before = camera
        let change = try patch(["framerate": "25", "unknown": 1, "id": 99, "status": "CONNECTED", "last_seen": 5, "created_at": "x"])
        #expect(change.names == ["framerate"])
        change.apply(to: &camera)
        #expect(camera.streams.framerate == 25)
        camera.streams.framerate = 7
        #expect(camera == before)
        try patch([:]).apply(to: &camera)
        #expect(camera == before)
    }

    @Test("Null means the default, or nothing where nothing is a value")
    func nulls() throws {
        var camera = try patch(
            ["name": "A", "rtsp_url": "rtsp://10.0.0.9/a", "location": "x", "framerate": 7, "motion_masks": "[]"], creating: true
        ).newCamera(at: someTime)
        try patch(["location": nil, "framerate": nil, "sub_rtsp_url": "", "motion_masks": nil, "recording_mode": nil]).apply(to: &camera)
        #expect(camera.general.location == nil)
        #expect(camera.streams.framerate == 15)
        #expect(camera.streams.subURL == nil)
        #expect(problems(["name": nil]).first?.type == "string_type")
        #expect(problems(["is_active": nil]).first?.type == "bool_type")
        #expect(problems(["ai_object_types": nil]).first?.type == "list_type")
    }

    @Test(
        "Values are read as laxly as the reference reads them",
        arguments: [
            ("framerate", .integer(5), .integer(5)), ("framerate", "5", .integer(5)), ("framerate", " 5 ", .integer(5)),
            ("framerate", "5.0", .integer(5)), ("framerate", .number(5), .integer(5)), ("framerate", true, .integer(1)),
            ("is_active", "off", false), ("is_active", .integer(1), true), ("is_active", "True", true), ("is_active", .number(0), false),
            ("ai_threshold", "0.25", .number(0.25)), ("ai_threshold", .integer(1), .number(1)), ("text_scale", "2", .number(2)),
            ("schedule_monday_start", "07:30", "07:30"), ("ai_object_types", ["cat"], ["cat"]),
            ("rtsp_transport", "udp", "udp"), ("recording_mode", "Off", "Off"), ("rotation", "90", .integer(90)),
        ] as [(String, JSONValue, JSONValue)])
    func laxTyping(name: String, sent: JSONValue, answered: JSONValue) throws {
        var camera = Camera(id: ID(1), createdAt: someTime)
        try patch(.object([name: sent])).apply(to: &camera)
        #expect(camera.json(.full)[name] == answered)
    }

    @Test(
        "Values beyond their type or limits are refused in pydantic's words",
        arguments: [
            ("name", .integer(5), "string_type", "Input should be a valid string"),
            ("name", "", "string_too_short", "String should have at least 1 character"),
            ("name", "   ", "string_too_short", "String should have at least 1 character"),
            ("name", .string(String(repeating: "x", count: 101)), "string_too_long", "String should have at most 100 characters"),
            ("name", .string(String(repeating: "x", count: 10_000)), "string_too_long", "String should have at most 100 characters"),
            ("name", "a\u{0}b", "value_error", "Value error, control characters are not allowed"),
            ("name", "a\u{202E}b", "value_error", "Value error, control characters are not allowed"),
            ("framerate", "abc", "int_parsing", "Input should be a valid integer, unable to parse string as an integer"),
            ("framerate", "5.5", "int_parsing", "Input should be a valid integer, unable to parse string as an integer"),
            ("framerate", .number(5.5), "int_from_float", "Input should be a valid integer, got a number with a fractional part"),
            ("framerate", [], "int_type", "Input should be a valid integer"),
            ("framerate", .integer(0), "greater_than_equal", "Input should be greater than or equal to 1"),
            ("max_movie_length", .integer(59), "greater_than_equal", "Input should be greater than or equal to 60"),
            ("max_movie_length", .integer(301), "less_than_equal", "Input should be less than or equal to 300"),
            ("threshold", .number(1e300), "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size"),
            ("is_active", "maybe", "bool_parsing", "Input should be a valid boolean, unable to interpret input"),
            ("is_active", .integer(2), "bool_parsing", "Input should be a valid boolean, unable to interpret input"),
            ("is_active", [:], "bool_type", "Input should be a valid boolean"),
            ("ai_threshold", "0x0p1", "float_parsing", "Input should be a valid number, unable to parse string as a number"),
            ("ai_threshold", "x", "float_parsing", "Input should be a valid number, unable to parse string as a number"),
            ("ai_threshold", "nan", "finite_number", "Input should be a finite number"),
            ("ai_threshold", .number(1.5), "less_than_equal", "Input should be less than or equal to 1"),
            ("ai_object_types", "person", "list_type", "Input should be a valid list"),
            ("ai_object_types", [.integer(1)], "string_type", "Input should be a valid string"),
            ("rtsp_transport", "sctp", "literal_error", "Input should be 'tcp' or 'udp'"),
            ("recording_mode", "Always", "literal_error", "Input should be 'Off', 'Continuous' or 'Motion Triggered'"),
            ("rotation", .integer(45), "literal_error", "Input should be 0, 90, 180 or 270"),
            ("schedule_monday_start", "24:00", "value_error", "Value error, time must be written HH:MM"),
            ("schedule_monday_start", "7:30", "value_error", "Value error, time must be written HH:MM"),
            ("schedule_sunday_end", "0x:30", "value_error", "Value error, time must be written HH:MM"),
            ("captured_before", .integer(-1), "greater_than_equal", "Input should be greater than or equal to 0"),
            ("sort_order", .integer(-1), "greater_than_equal", "Input should be greater than or equal to 0"),
            ("onvif_port", .integer(70_000), "less_than_equal", "Input should be less than or equal to 65535"),
        ] as [(String, JSONValue, String, String)])
    func refusals(name: String, sent: JSONValue, type: String, message: String) throws {
        let found = problems(.object([name: sent]))
        #expect(found.count == 1)
        #expect(found.first?.type == type)
        #expect(found.first?.msg == message)
        #expect(found.first?.loc.prefix(2) == [.key("body"), .key(name)])
    }

    @Test("The reference's own 422 bodies come out equal")
    func wireBodies() throws {
        /// Without what we say beside.
        func detail(_ body: JSONValue) throws -> JSONValue {
            let problems = FieldProblems(problems(body, creating: true)).json["detail"]?.array ?? []
            return [
                "detail": .array(
                    problems.map { problem in
                        guard case .object(var object) = problem else { return problem }
                        object["msg_code"] = nil
                        object["msg_parameters"] = nil
                        return .object(object)
                    })
            ]
        }
        #expect(
            try detail(["location": "x"])
                == JSONValue(
                    parsing:
                        #"{"detail":[{"type":"missing","loc":["body","name"],"msg":"Field required","input":{"location":"x"}},{"type":"missing","loc":["body","rtsp_url"],"msg":"Field required","input":{"location":"x"}}]}"#
                ))
        #expect(
            try detail(["name": "x", "rtsp_url": "file:///etc/passwd"])
                == JSONValue(
                    parsing:
                        #"{"detail":[{"type":"value_error","loc":["body","rtsp_url"],"msg":"Value error, URL must start with rtsp://, rtsps://, http://, https://, rtmp://, or rtmps://","input":"file:///etc/passwd","ctx":{"error":{}}}]}"#
                ))
        #expect(
            try detail(["name": "x", "rtsp_url": "rtsp://localhost:554/a"])
                == JSONValue(
                    parsing:
                        #"{"detail":[{"type":"value_error","loc":["body","rtsp_url"],"msg":"Value error, Localhost access is not allowed","input":"rtsp://localhost:554/a","ctx":{"error":{}}}]}"#
                ))
        #expect(
            try detail(["name": 5, "rtsp_url": "rtsp://10.0.0.9/cam0", "framerate": "abc"])
                == JSONValue(
                    parsing:
                        #"{"detail":[{"type":"string_type","loc":["body","name"],"msg":"Input should be a valid string","input":5},{"type":"int_parsing","loc":["body","framerate"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"abc"}]}"#
                ))
        let error = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: #"{"name":"#) }
        #expect(
            try FieldProblem.syntax(#require(error)).json
                == JSONValue(
                    parsing: #"{"type":"json_invalid","loc":["body",8],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting value"}}"#
                ))
        #expect(problems([]).first?.type == "model_attributes_type")
    }

    @Test("Non-empty privacy masks are refused with a reason, empty ones are not")
    func privacyMasks() {
        let mask: JSONValue = #"[{"points":[[0,0],[1,0],[1,1]]}]"#
        #expect(problems(["privacy_masks": mask]).first?.msg.contains("privacy masks are not available yet") == true)
        for empty in ["[]", "", nil, []] as [JSONValue] { #expect(problems(["privacy_masks": empty]).isEmpty) }
    }

    @Test("Problems never echo passwords, tokens or credentials of URLs")
    func noSecretsInProblems() {
        let body: JSONValue = [
            "rtsp_url": "rtsp://admin:hunter2@10.0.0.1:99999/x?password=hunter2&channel=1", "onvif_password": ["hunter2"],
            "notify_telegram_token": 5, "notify_webhook_url": "ftp://hunter2", "name": "",
            "sub_rtsp_url": "http://10.0.0.1 /user=admin_password=hunter2_stream=0",
        ]
        let found = FieldProblems(problems(body, creating: true)).json.serialized()
        #expect(found.contains("onvif_password"))
        #expect(!found.contains("hunter2"))
        // A missing field echoes the whole body.
        let missing = FieldProblems(problems(["rtsp_url": "rtsp://admin:hunter2@10.0.0.1/x", "onvif_password": "hunter2"], creating: true))
        #expect(missing.problems.first?.type == "missing")
        #expect(!missing.json.serialized().contains("hunter2"))
        let token = FieldProblem.missing([.key("body"), .key("password")], body: ["username": "me", "new_password": "hunter2"])
        #expect(!token.json.serialized().contains("hunter2"))
        #expect(token.json.serialized().contains(#""username":"me""#))
    }

    @Test("API keys get the short form, viewers no secrets")
    func forms() throws {
        var camera = Camera(id: ID(1), createdAt: someTime, name: "A", url: "rtsp://u:hunter2@10.0.0.1/x?user=a&pwd=hunter2")
        camera.onvif.password = "hunter2"
        camera.alerts.telegramToken = "hunter2"
        camera.alerts.webhookURL = "https://example.org/hunter2"
        let summary = try #require(camera.json(.summary).object)
        #expect(summary.keys == CameraField.summaryNames)
        #expect(summary["ai_model"] == .null)
        #expect(summary["ai_object_types"] == ["person", "vehicle"])
        #expect(!camera.json(.summary).serialized().contains("hunter2"))
        let viewer = camera.json(.withoutSecrets)
        #expect(viewer.object?.count == 119)
        #expect(viewer["rtsp_url"] == "rtsp://10.0.0.1/x?user=a&pwd=•••")
        #expect(!viewer.serialized().contains("hunter2"))
        #expect(camera.json(.full)["onvif_password"] == "hunter2")
        let health = CameraHealth(status: .connected, since: someTime, lastSeen: someTime)
        #expect(camera.json(.summary, health: health)["status"] == "CONNECTED")
        #expect(camera.json(.full, health: health)["last_seen"] == "2023-11-14T22:13:20Z")
    }

    @Test("Stored settings read back equal, whatever was set")
    func storedRoundTrip() throws {
        let samples: [String: JSONValue] = [
            "name": "Ünï ☃", "rtsp_url": "rtsp://u:p%40@10.0.0.1/x", "sub_rtsp_url": "http://cam.example/y", "location": "here",
            "rtsp_transport": "udp", "sub_rtsp_transport": "udp", "recording_mode": "Off", "previous_recording_mode": "Continuous",
            "motion_masks": #"[{"points":[[0,0],[0.5,0],[0.25,1]]}]"#, "movie_file_name": "%Y/%m/%d", "picture_file_name": "p/%q",
            "ai_object_types": ["cat"], "rotation": 270, "max_movie_length": 61, "notify_webhook_url": "https://example.org/a",
            "notify_health_webhook_url": "https://example.org/b", "text_scale": 2.5, "ai_threshold": 0.75,
        ]
        var camera = Camera(id: ID(9), createdAt: someTime)
        var body = JSONObject()
        for field in CameraField.all where field.isStored && field.kind != .unavailableMasks {
            if let sample = samples[field.name] {
                body[field.name] = sample
                continue
            }
            switch field.defaultValue {
            case .bool(let flag): body[field.name] = .bool(!flag)
            case .integer: body[field.name] = 3
            case .number: body[field.name] = 3.5
            case .string: body[field.name] = field.kind == .timeOfDay ? "12:34" : "text"
            default: if case .integer = field.kind { body[field.name] = 3 } else { body[field.name] = "text" }
            }
        }
        try patch(.object(body)).apply(to: &camera)
        for field in CameraField.all where field.isStored && field.kind != .unavailableMasks {
            #expect(camera.json(.full)[field.name] != field.defaultValue, "\(field.name) was written")
        }
        func stored(_ text: String) throws -> Camera {
            try Camera(id: ID(9), createdAt: someTime, settingsText: text) { String($1.dropFirst($0.count)) }
        }
        #expect(try stored(camera.settingsText { $0 + $1 }) == camera)
        #expect(try stored("{}") == Camera(id: ID(9), createdAt: someTime))
        #expect(throws: JSONSyntaxError.self) { try stored("[]") }
    }

    @Test("Copied settings never include identity, URLs, ONVIF or resolution")
    func copying() throws {
        var source = Camera(id: ID(1), createdAt: someTime, name: "A", url: "rtsp://10.0.0.1/x")
        source.streams.width = 1
        source.onvif.host = "h"
        source.recording.mode = .continuous
        source.detection.threshold = 7
        source.schedule.monday.isEnabled = false
        let target = Camera(id: ID(2), createdAt: someTime, name: "B", url: "rtsp://10.0.0.2/x")
        var copy = target
        copy.copySettings(of: source, categories: Set(CameraField.Category.allCases))
        #expect(copy.general == target.general)
        #expect(copy.streams == target.streams)
        #expect(copy.onvif == target.onvif)
        #expect(copy.recording.mode == .continuous)
        #expect(copy.detection.threshold == 7)
        copy = target
        copy.copySettings(of: source, categories: [.schedule])
        #expect(copy.schedule.monday.isEnabled == false)
        #expect(copy.recording == target.recording)
    }
}
