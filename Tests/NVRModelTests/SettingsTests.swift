import NVRModel
import Testing

@Suite("Settings of the server")
struct SettingsTests {
    private func check(_ key: SettingKey, _ text: String, loopback: Bool = false) -> String? {
        switch key.check(text, rules: CameraURL.Rules(allowLoopback: loopback)) {
        case .success(let value): value
        case .failure: nil
        }
    }

    @Test("Every name is declared once, and every default is a value that could have been sent and is read as such")
    func defaults() {
        #expect(Set(Settings.all.map(\.name)).count == Settings.all.count)
        #expect(Settings.all.count == 61)
        for key in Settings.all where key.kind != .server {
            #expect(check(key, key.defaultText) == key.defaultText, "\(key.name)")
            #expect(!key.summary.isEmpty)
            #expect(Settings.named(key.name)?.name == key.name)
        }
        #expect(Settings.all.filter(\.isPublic).map(\.name) == ["default_landing_page", "telemetry_enabled", "instance_id"])
        #expect(
            Settings.all.filter(\.isSecret).map(\.name) == [
                "smtp_password", "telegram_bot_token", "telegram_proxy_url", "notify_webhook_url", "notify_webhook_secret",
                "mqtt_password", "oauth_client_secret",
            ])
        // What its name calls a secret is one.
        for key in Settings.all where JSONValue.namesSecret(key.name) { #expect(key.isSecret, "\(key.name)") }
        let values = SettingValues()
        #expect(values[Settings.backupAutoEnabled] == false && values[Settings.backupAutoRetention] == 7)
        #expect(values[Settings.maxGlobalStorageGB] == 0 && values[Settings.defaultLiveViewMode] == "auto")
    }

    @Test("Values are checked by type and limits, in words that clients know")
    func checking() {
        let quality = Settings.optLiveViewQuality.key
        for good in ["1", "100", " 61 ", "61.0"] { #expect(check(quality, good) != nil, "\(good)") }
        for bad in ["0", "101", "-1", "", "abc", "60.5", "1e2", "９", "NaN", String(repeating: "1", count: 100)] {
            #expect(check(quality, bad) == nil, "\(bad)")
        }
        guard case .failure(let refusal) = quality.check("500", rules: CameraURL.Rules()) else {
            Issue.record("500 was taken")
            return
        }
        #expect(refusal.message == "Invalid value for opt_live_view_quality: Quality must be between 1 and 100")
        #expect(check(Settings.backupAutoEnabled.key, "TRUE") == "true")
        for bad in ["1", "yes", "", "truefalse"] { #expect(check(Settings.backupAutoEnabled.key, bad) == nil) }
        #expect(check(Settings.maxGlobalStorageGB.key, "12.50") == "12.5")
        for bad in ["inf", "nan", "-1", "1e300", "0x"] { #expect(check(Settings.maxGlobalStorageGB.key, bad) == nil, "\(bad)") }
        #expect(check(Settings.defaultLandingPage.key, "live") == "live" && check(Settings.defaultLandingPage.key, "/evil") == nil)
        #expect(check(Settings.smtpServer.key, "mail\u{0}") == nil && check(Settings.smtpServer.key, String(repeating: "m", count: 254)) == nil)
        #expect(check(Settings.smtpPassword.key, " keep spaces ") == " keep spaces ")
        #expect(check(Settings.instanceID.key, "x") == nil)
    }

    @Test("URLs lead neither to this machine nor to link-local addresses, in whatever form they are written")
    func targets() {
        let webhook = Settings.notifyWebhookURL.key
        #expect(check(webhook, "") == "" && check(webhook, "https://hooks.example.com/x") == "https://hooks.example.com/x")
        #expect(check(webhook, "http://192.168.1.4:8123/api/webhook/x") != nil)
        for bad in [
            "ftp://example.com/", "http://", "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://017700000001/",
            "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://localhost:8080/", "http://0.0.0.0/", "http://169.254.169.254/latest/meta-data",
            "http://0xa9fea9fe/", "http://2852039166/", "http://0251.0376.0251.0376/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/", "http://example.com@127.0.0.1/",
        ] {
            #expect(check(webhook, bad) == nil, "\(bad)")
        }
        #expect(check(webhook, "http://127.0.0.1:9000/", loopback: true) != nil)
        #expect(check(webhook, "http://169.254.169.254/", loopback: true) == nil)
    }

    @Test("A secret that is set is shown as a mask; a stored value outside of its limits counts as the default")
    func shown() {
        let values = SettingValues(stored: ["smtp_password": "Planted", "opt_live_view_quality": "4000", "backup_auto_enabled": "true"])
        #expect(values.shown(Settings.smtpPassword.key) == SettingKey.mask)
        #expect(values.shown(Settings.mqttPassword.key) == "")
        #expect(values[Settings.smtpPassword] == "Planted")
        #expect(values[Settings.optLiveViewQuality] == 60)
        #expect(values[Settings.backupAutoEnabled])
    }
}
