import HTTPTypes
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct SettingsRouteTests {
    @Test("All settings have a value and a description; secrets go in and never come out")
    func list() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let all = try #require(try await web.send(.get, "/settings", admin).json.object)
        #expect(all.keys == Settings.all.map(\.name))
        #expect(all["smtp_port"] == ["value": "587", "description": "SMTP Port (e.g. 587 or 465) (kept, but this server does not act on it)"])
        for key in Settings.all where key.isSecret { #expect(all[key.name]?["value"] == "") }
        let put = try await web.send(.put, "/settings/smtp_password", admin, body: #"{"value":"Planted-Pw"}"#)
        #expect(try put.status == 200 && put.json["value"] == .string(SettingKey.mask) && !put.text.contains("Planted"))
        let answers = [
            try await web.send(.get, "/settings", admin), try await web.send(.get, "/settings/smtp_password", admin),
            // A form sends back what it was shown.
            try await web.send(.post, "/settings/bulk", admin, body: #"{"smtp_password":"\#(SettingKey.mask)","smtp_port":465}"#),
            try await web.send(.put, "/settings/smtp_password", admin, body: #""\#(SettingKey.mask)""#),
        ]
        for answer in answers { #expect(answer.status == 200 && !answer.text.contains("Planted")) }
        #expect(try await web.store.settings.values()[Settings.smtpPassword] == "Planted-Pw")
        #expect(try await web.store.settings.values()[Settings.smtpPort] == 465)
        #expect(try await web.send(.put, "/settings/smtp_password?value=", admin).json["value"] == "")
        #expect(try await web.store.settings.all().keys.sorted() == ["smtp_port"])
    }

    @Test("A value is taken from the query, from an object or as the whole body")
    func forms() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let path = "/settings/opt_live_view_quality"
        for (target, body, value) in [
            (path + "?value=61", nil, "61"), (path, #"{"value":"62"}"#, "62"), (path, #""63""#, "63"), (path, "64", "64"),
            (path, #"{"value":65}"#, "65"),
            (path + "?value=66", #"{"value":"1"}"#, "66"), ("/api" + path, #"{"value":67.0}"#, "67"),
        ] as [(String, String?, String)] {
            let answer = try await web.send(.put, target, admin, body: body)
            #expect(
                try answer.json == ["key": "opt_live_view_quality", "value": .string(value), "description": "JPEG Quality for live stream (1-100)"])
        }
        let refused = try await web.send(.put, path + "?value=500", admin)
        #expect(refused.status == 400)
        #expect(try refused.json["detail"] == "Invalid value for opt_live_view_quality: Quality must be between 1 and 100")
        for body in [#"{"value":null}"#, #"{"value":[1]}"#, "{}", "null", "[]", #""value": "30""#, #"{"other":"1"}"#] {
            #expect(try await web.send(.put, path, admin, body: body).status == 422, "\(body)")
        }
        let missing = try await web.send(.put, path, admin).json
        #expect(missing == ["detail": [["type": "missing", "loc": ["query", "value"], "msg": "Field required", "input": nil]]])
        #expect(try await web.send(.get, path, admin).json["value"] == "67")
        #expect(try await web.send(.put, "/settings/nosuch?value=1", admin).status == 404)
        #expect(try await web.send(.get, "/settings/nosuch", admin).json == ["key": "nosuch", "value": nil, "description": nil])
        #expect(try await web.send(.put, "/settings/instance_id?value=1", admin).status == 400)
    }

    @Test("Many settings are stored together or not at all")
    func bulk() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let good = try await web.send(
            .post, "/settings/bulk", admin, body: #"{"mqtt_enabled":true,"mqtt_port":"1884","nosuch":"1","instance_id":"x"}"#)
        #expect(try good.json == ["message": "Settings updated successfully", "count": 2])
        let bad = try await web.send(.post, "/settings/bulk", admin, body: #"{"mqtt_port":"1885","opt_live_view_quality":0}"#)
        #expect(bad.status == 400)
        #expect(try await web.send(.post, "/settings/bulk", admin, body: #"{"mqtt_port":"1885","smtp_port":{}}"#).status == 422)
        #expect(try await web.send(.post, "/settings/bulk", admin, body: "[]").status == 422)
        #expect(try await web.store.settings.all() == ["mqtt_enabled": "true", "mqtt_port": "1884"])
        #expect(try await web.send(.post, "/settings/init-defaults", admin).json == ["message": "Initialized 0 default settings"])
        #expect(try await web.store.settings.all().count == 2)
    }

    @Test("Administrators only, but for three settings that everybody may read")
    func rights() async throws {
        let web = try await WebFixture()
        _ = try await web.bearer()
        let viewer = try await web.bearer(.viewer)
        for key in Settings.all {
            let answer = try await web.send(.get, "/settings/\(key.name)", viewer)
            #expect(answer.status == (key.isPublic ? 200 : 403), "\(key.name)")
        }
        #expect(try await web.send(.get, "/settings/nosuch", viewer).status == 403)
        #expect(try await web.send(.get, "/settings", viewer).json == ["detail": "Admin privileges required"])
        #expect(try await web.send(.put, "/settings/default_landing_page?value=live", viewer).status == 403)
        for path in ["bulk", "init-defaults", "test-notify", "telemetry/report"] {
            #expect(try await web.send(.post, "/settings/\(path)", viewer, body: "{}").status == 403)
            #expect(try await web.send(.post, "/settings/\(path)", body: "{}").status == 401)
        }
        #expect(try await web.send(.get, "/settings/default_landing_page", try await web.apiKey()).status == 401)
    }

    @Test("Nothing is sent anywhere: the answers say so, after mistakes were named")
    func sending() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        #expect(try await web.send(.post, "/settings/telemetry/report", admin).json["status"] == "disabled")
        func test(_ body: String) async throws -> Int { try await web.send(.post, "/settings/test-notify", admin, body: body).status }
        #expect(try await test("{}") == 422)
        #expect(try await test(#"{"channel":"pigeon","settings":{}}"#) == 400)
        #expect(try await test(#"{"channel":"webhook","settings":{}}"#) == 400)
        for url in ["http://169.254.169.254/", "http://127.0.0.1/", "http://[fe80::1]/", "http://0xa9fea9fe/"] {
            #expect(try await test(#"{"channel":"webhook","settings":{"notify_webhook_url":"\#(url)"}}"#) == 400, "\(url)")
        }
        #expect(try await test(#"{"channel":"webhook","settings":{"notify_webhook_url":"https://hooks.example.com/x"}}"#) == 501)
        #expect(try await test(#"{"channel":"email","settings":{}}"#) == 501)
    }
}
