import HTTPTypes
import NVRBackup
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct BackupRouteTests {
    private func form(_ file: String, passphrase: String? = nil) -> (body: String, fields: HTTPFields) {
        var body =
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../b.json\"\r\nContent-Type: application/json\r\n\r\n\(file)\r\n"
        if let passphrase { body += "--XX\r\nContent-Disposition: form-data; name=\"passphrase\"\r\n\r\n\(passphrase)\r\n" }
        return (body + "--XX--\r\n", [.contentType: "multipart/form-data; boundary=XX"])
    }

    private func merged(_ left: HTTPFields, _ right: HTTPFields) -> HTTPFields {
        var fields = left
        for field in right { fields.append(field) }
        return fields
    }

    @Test("An export downloads as a file, is imported as a form or as JSON, and says what was done")
    func transfer() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let camera = try await web.camera()
        let export = try await web.send(.get, "/settings/backup/export", admin)
        #expect(export[.contentType] == "application/json" && export[.cacheControl] == "no-store")
        #expect(export[.contentDisposition]?.hasPrefix("attachment; filename=vibenvr_backup_2026") == true)
        #expect(export.text.contains("p%40ss"))
        _ = try await web.store.cameras.update(camera.id) { $0.general.name = "Changed" }
        let (body, fields) = form(export.text)
        let answer = try await web.send(.post, "/settings/backup/import", merged(admin, fields), body: body)
        #expect(answer.status == 200, "\(answer.text)")
        #expect(try answer.json["message"] == "Configuration restored successfully" && answer.json["restored"]?["cameras"] == 1)
        #expect(try await web.store.cameras.get(camera.id)?.general.name == "Front Door")
        let list = try await web.send(.get, "/settings/backup/list", admin).json
        #expect(try list.array?.count == 1 && list.array?.first?["filename"] == answer.json["safety_backup"])
        let direct = try await web.send(.post, "/settings/backup/import", admin, body: export.text)
        #expect(try direct.json["restored"]?["cameras"] == 0)
    }

    @Test("With a passphrase the export is encrypted; the passphrase is needed, and never answered")
    func passphrases() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        _ = try await web.camera()
        let export = try await web.send(.post, "/settings/backup/export", admin, body: #"{"passphrase":"correct hörse"}"#)
        #expect(export.status == 200 && !export.text.contains("Front Door"))
        for (passphrase, status) in [(nil, 400), ("wrong horse", 400), ("correct hörse", 200)] as [(String?, Int)] {
            let (body, fields) = form(export.text, passphrase: passphrase)
            let answer = try await web.send(.post, "/settings/backup/import", merged(admin, fields), body: body)
            #expect(answer.status == status, "\(answer.text)")
            #expect(!answer.text.contains("horse"))
        }
        #expect(try await web.send(.post, "/settings/backup/export", admin, body: #"{"passphrase":"short"}"#).status == 400)
        let echoed = try await web.send(.post, "/settings/backup/export", admin, body: #"{"passphrase":["planted"]}"#)
        #expect(echoed.status == 422 && !echoed.text.contains("planted"))
    }

    @Test("Backups are made, listed, restored and deleted by name; names that are none are refused")
    func files() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        #expect(try await web.send(.get, "/settings/backup/list", admin).json == [])
        let made = try await web.send(.post, "/settings/backup/run", admin).json
        #expect(made["message"] == "Manual backup completed successfully")
        let name = try #require(made["filename"]?.string)
        #expect(try await web.send(.get, "/settings/backup/list", admin).json.array?.first?.object?.keys == ["filename", "size", "created_at"])
        let camera = try await web.camera()
        #expect(try await web.send(.post, "/settings/backup/restore-file/\(name)", admin).status == 200)
        #expect(try await web.store.cameras.get(camera.id) != nil, "what the backup does not know stays")
        for bad in ["..", "..%2f..%2fvibenvr.db", "%2e%2e", "x.json%00", ".hidden.json", "a%5cb.json", "nvr.db", "x..json"] {
            for answer in [
                try await web.send(.delete, "/settings/backup/\(bad)", admin),
                try await web.send(.post, "/settings/backup/restore-file/\(bad)", admin),
            ] { #expect([400, 404, 405].contains(answer.status), "\(bad): \(answer.status)") }
        }
        #expect(try await web.send(.delete, "/settings/backup/nosuch.json", admin).status == 404)
        #expect(try await web.send(.post, "/settings/backup/restore-file/nosuch.json", admin).status == 404)
        #expect(try await web.send(.delete, "/settings/backup/\(name)", admin).json == ["message": .string("Backup \(name) deleted")])
    }

    @Test("Bad uploads are refused and change nothing")
    func badUploads() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let before = try await web.store.configuration()
        for (text, status) in [
            ("", 400), ("{", 400), ("[]", 400), ("{}", 400), (#"{"cameras":{}}"#, 400), (#"{"cameras":[{}]}"#, 400),
            (#"{"cameras":[{"id":1,"name":"x","rtsp_url":"rtsp://169.254.169.254/"}]}"#, 400),
        ] {
            let (body, fields) = form(text)
            #expect(try await web.send(.post, "/settings/backup/import", merged(admin, fields), body: body).status == status, "\(text)")
        }
        #expect(try await web.send(.post, "/settings/backup/import", admin, body: "file=x", form: true).status == 422)
        #expect(
            try await web.send(
                .post, "/settings/backup/import", merged(admin, [.contentType: "multipart/form-data; boundary=XX"]), body: "--XX--\r\n"
            ).status == 422)
        #expect(try await web.send(.post, "/settings/backup/import", admin).status == 422)
        var huge = admin
        huge[.contentLength] = String(BackupFolder.largestFile * 2)
        #expect(try await web.send(.post, "/settings/backup/import", huge).status == 413)
        #expect(try await web.store.configuration() == before)
        let viewer = try await web.bearer(.viewer)
        for (method, path) in [
            (.get, "export"), (.post, "export"), (.get, "list"), (.post, "run"), (.post, "import"), (.post, "restore-file/x.json"),
            (.delete, "x.json"),
        ] as [(HTTPRequest.Method, String)] {
            #expect(try await web.send(method, "/settings/backup/\(path)", viewer).status == 403, "\(path)")
            #expect(try await web.send(method, "/settings/backup/\(path)", try await web.apiKey()).status == 401, "\(path)")
        }
    }
}
