// What belongs here: secrets must not be readable in anything that is printed.
import NVRBase
import Testing

@Suite("Secrets")
struct SecretTests {
    private struct Settings {
        var name = "door"
        var password = Secret("hunter2")
        var more: [Secret?] = [Secret("hunter2"), nil]
    }

    @Test("no way of printing shows the text")
    func printing() {
        let secret = Secret("hunter2")
        let settings = Settings()
        var dumped = ""
        dump(secret, to: &dumped)
        dump(settings, to: &dumped)
        let texts = [
            "\(secret)", String(describing: secret), String(reflecting: secret), secret.debugDescription, "\(settings)", String(reflecting: settings),
            "\([secret])", "\(["key": secret])", "\(Optional(secret) as Any)", String(describing: Mirror(reflecting: secret).children.map(\.value)),
            "\(NVRError(.invalid, "no \(secret)"))", dumped,
        ]
        for text in texts { #expect(!text.contains("hunter2"), "\(text.count) characters show it") }
        #expect(secret.reveal() == "hunter2")
        #expect(secret == Secret("hunter2") && secret != Secret("hunter3"))
    }

    @Test(
        "URLs are logged without user and password",
        arguments: [
            ("rtsp://user:pass@host/x", "rtsp://•••@host/x"),
            ("rtsp://user:pass@host:554/x?y=1#z", "rtsp://•••@host:554/x?y=1#z"),
            ("rtsp://user@host", "rtsp://•••@host"),
            ("rtsp://:pass@host", "rtsp://•••@host"),
            ("rtsp://user:p@ss@host/x", "rtsp://•••@host/x"),
            ("rtsp://user:p/a/ss@host/x", "rtsp://•••@host/x"),
            ("rtsp://user:p?a#ss@host/x", "rtsp://•••@host/x"),
            ("rtsp://us%40er:p%3Ass@[fe80::1]:554/", "rtsp://•••@[fe80::1]:554/"),
            ("rtsp://ü:пароль@host/x", "rtsp://•••@host/x"),
            ("rtsp://host/x", "rtsp://host/x"),
            ("http://host:80/a?b=c", "http://host:80/a?b=c"),
            ("not a url", "not a url"),
            ("", ""),
            ("://", "://"),
            ("rtsp://", "rtsp://"),
            ("rtsp://@", "rtsp://•••@"),
        ])
    func redaction(url: String, expected: String) { #expect(redactedURL(url) == expected) }

    @Test("no random password survives redaction")
    func randomPasswords() {
        var random = SeededGenerator(state: 7)
        let odd = Array("ab:@/?#%[]!$&'()*+,;= é\"\\")
        for _ in 0..<2000 {
            let password =
                "se" + String((0..<Int.random(in: 0...12, using: &random)).map { _ in odd[Int.random(in: 0..<odd.count, using: &random)] }) + "cret"
            let text = redactedURL("rtsp://admin:\(password)@10.0.0.5:554/stream?channel=1")
            #expect(text == "rtsp://•••@10.0.0.5:554/stream?channel=1")
        }
    }

    @Test("an error tells its message and its cause")
    func errors() {
        #expect("\(NVRError(.notFound, "gone"))" == "gone")
        #expect("\(NVRError(.timeout, "too slow", underlying: NVRError(.internalFault, "stuck")))" == "too slow (stuck)")
    }
}
