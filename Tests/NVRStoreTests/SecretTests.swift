import NVRBase
import NVRModel
import NVRStore
import Testing

#if canImport(Glibc)
    import Glibc
#endif

private let keyA = "8f0c5e1b7a9d4c3e2f6b8a0d1c9e7f5b"
private let keyB = "1a2b3c4d5e6f708192a3b4c5d6e7f809"

/// A file's bytes; none when it is not there.
private func bytes(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { all += chunk[..<count] }
    return all
}

private func contains(_ haystack: [UInt8], _ needle: [UInt8]) -> Bool {
    guard let first = needle.first, haystack.count >= needle.count else { return false }
    return haystack.indices.dropLast(needle.count - 1).contains { haystack[$0] == first && haystack[$0..<$0 + needle.count].elementsEqual(needle) }
}

@Suite("Secrets at rest")
struct SecretTests {
    @Test("Sealed text opens with its key and context only, and never looks the same twice")
    func sealing() throws {
        let box = SecretBox(bytes: Array(0..<32))
        for text in ["", "p", "rtsp://user:p@ss@10.0.0.1/é", String(repeating: "x", count: 10_000)] {
            let sealed = try box.seal(text, for: "camera:1:rtsp_url")
            #expect(sealed.hasPrefix("v1:"))
            #expect(try sealed != box.seal(text, for: "camera:1:rtsp_url"))
            #expect(try box.open(sealed, for: "camera:1:rtsp_url") == text)
            #expect(#expect(throws: NVRError.self) { try box.open(sealed, for: "camera:2:rtsp_url") }?.kind == .dataLoss)
            #expect(throws: NVRError.self) { try SecretBox(bytes: Array(1...32)).open(sealed, for: "camera:1:rtsp_url") }
        }
        let sealed = try box.seal("secret", for: "x")
        for place in sealed.indices where sealed[place] != "=" {
            var changed = sealed
            changed.replaceSubrange(place...place, with: changed[place] == "A" ? "B" : "A")
            #expect((try? box.open(changed, for: "x")) != "other")
            #expect(throws: NVRError.self, "\(changed)") {
                // The last digits of base 64 may carry bits that mean nothing.
                if try box.open(changed, for: "x") == "secret", sealed.distance(from: place, to: sealed.endIndex) <= 3 {
                    throw NVRError(.dataLoss, "same text")
                }
            }
        }
        for junk in ["", "v1:", "v1:AAAA", "v2:" + sealed.dropFirst(3), "secret", "v1:é"] {
            #expect(throws: NVRError.self) { try box.open(junk, for: "x") }
        }
        let derived = SecretBox(derivedFrom: Secret(keyA))
        #expect(try SecretBox(derivedFrom: Secret(keyA)).open(derived.seal("t", for: "x"), for: "x") == "t")
        #expect(throws: NVRError.self) { try SecretBox(derivedFrom: Secret(keyB)).open(derived.seal("t", for: "x"), for: "x") }
        #expect(throws: NVRError.self) { try SecretBox(bytes: Array(keyA.utf8)).open(derived.seal("t", for: "x"), for: "x") }
    }

    private func planted() -> Camera {
        var camera = Camera(id: ID(0), createdAt: at(0), name: "A", url: "rtsp://user:Planted-Url-Pw@10.0.0.1/a")
        camera.streams.subURL = "rtsp://10.0.0.1/b?password=Planted-Sub-Pw"
        camera.onvif.password = "Planted-Onvif-Pw"
        camera.alerts.telegramToken = "Planted-Telegram-Token"
        camera.alerts.healthTelegramToken = "Planted-Health-Token"
        camera.alerts.webhookURL = "https://hooks.example.com/Planted-Hook"
        camera.alerts.healthWebhookURL = "https://hooks.example.com/Planted-Health-Hook"
        return camera
    }

    @Test("The files of the database hold no secret of a camera, however it was changed and deleted, and the rows are read back whole")
    func files() async throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/nvr.db"
        let store = try Store.open(at: path)
        let camera = try await store.cameras.insert(planted())
        #expect(try await store.cameras.get(camera.id) == camera)
        _ = try await store.cameras.update(camera.id) { $0.onvif.password = "Planted-Second-Pw" }
        let other = try await store.cameras.insert(planted())
        _ = try await store.cameras.delete(other.id, at: at(1))
        let files = bytes(path) + bytes(path + "-wal") + bytes(path + "-shm")
        #expect(contains(files, Array("onvif_password".utf8)))
        #expect(!contains(files, Array("Planted".utf8)))
        #expect(!contains(files, "Planted".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }))
        try store.close()
        var status = stat()
        #expect(stat(folder.path + "/" + SecretKeys.fileName, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600 && status.st_size == 32)
        let again = try Store.open(at: path)
        #expect(try await again.cameras.get(camera.id)?.onvif.password == "Planted-Second-Pw")
        try again.close()
    }

    @Test("Without its key a database is not opened: the text names the file and the ways out, and nothing is changed or made")
    func missingKey() async throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/nvr.db"
        let file = folder.path + "/" + SecretKeys.fileName
        let store = try Store.open(at: path)
        let camera = try await store.cameras.insert(planted())
        try store.close()
        let key = bytes(file)
        unlink(file)
        let missing = #expect(throws: NVRError.self) { try Store.open(at: path) }
        #expect(missing?.kind == .invalid && missing?.message.contains(file) == true && missing?.message.contains("SECRET_KEY") == true)
        #expect(access(file, F_OK) != 0)
        try write(Array(repeating: 7, count: 32), to: file)
        #expect(#expect(throws: NVRError.self) { try Store.open(at: path) }?.message.contains("another key") == true)
        try write([1, 2, 3], to: file)
        #expect(#expect(throws: NVRError.self) { try Store.open(at: path) }?.message.contains("damaged") == true)
        #expect(throws: NVRError.self) { try Store.open(at: path, keys: SecretKeys(explicit: keyA)) }
        try write(key, to: file)
        let again = try Store.open(at: path)
        #expect(try await again.cameras.get(camera.id) == camera)
        try again.close()
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(fopen(path, "w"))
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    @Test("The key changes from the file to SECRET_KEY, from one SECRET_KEY to the next, and back, all secrets with it")
    func changingTheKey() async throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/nvr.db"
        func camera(_ keys: SecretKeys) async throws -> Camera? {
            let store = try Store.open(at: path, keys: keys)
            defer { #expect(throws: Never.self) { try store.close() } }
            return try await store.cameras.all().first
        }
        let store = try Store.open(at: path)
        let stored = try await store.cameras.insert(planted())
        try store.close()
        // A command beside the server opens what is there, and changes nothing.
        #expect(try await camera(SecretKeys(explicit: keyA)) == stored)
        #expect(try await camera(SecretKeys()) == stored)
        #expect(try await camera(SecretKeys(explicit: keyA, mayChangeKey: true)) == stored)
        #expect(throws: NVRError.self) { try Store.open(at: path) }
        let refusal = #expect(throws: NVRError.self) { try Store.open(at: path, keys: SecretKeys(explicit: keyB, mayChangeKey: true)) }
        #expect(refusal?.message.contains("SECRET_KEY_OLD") == true && refusal?.message.contains(keyB) == false)
        #expect(try await camera(SecretKeys(explicit: keyB, previous: keyA, mayChangeKey: true)) == stored)
        #expect(throws: NVRError.self) { try Store.open(at: path, keys: SecretKeys(explicit: keyA)) }
        #expect(try await camera(SecretKeys(explicit: keyB, previous: keyA, mayChangeKey: true)) == stored)
        #expect(try await camera(SecretKeys(previous: keyB, mayChangeKey: true)) == stored)
        #expect(try await camera(SecretKeys()) == stored)
    }

    @Test("Fields that hold credentials are encrypted; stored settings in plain text are sealed without touching the others")
    func fields() throws {
        let names = Set(CameraField.all.filter(\.isEncrypted).map(\.name))
        #expect(
            names == [
                "rtsp_url", "sub_rtsp_url", "onvif_password", "notify_webhook_url", "notify_telegram_token", "notify_health_webhook_url",
                "notify_health_telegram_token",
            ])
        let plain = #"{"name":"A","rtsp_url":"rtsp://u:p@h/","sub_rtsp_url":null,"onvif_password":"","later":{"x":1}}"#
        let sealed = try Camera.sealed(settingsText: plain) { "<\($0):\($1)>" }
        #expect(sealed == #"{"name":"A","rtsp_url":{"sealed":"<rtsp_url:rtsp://u:p@h/>"},"sub_rtsp_url":null,"onvif_password":"","later":{"x":1}}"#)
        #expect(try Camera.sealed(settingsText: sealed) { _, _ in "again" } == sealed)
        let camera = try Camera(id: ID(1), createdAt: at(0), settingsText: sealed) { String($1.dropFirst($0.count + 2).dropLast()) }
        #expect(camera.streams.url == "rtsp://u:p@h/")
    }
}
