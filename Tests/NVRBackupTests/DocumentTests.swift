import NVRBackup
import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("The document of a backup")
struct DocumentTests {
    @Test("A configuration is written with the members that VibeNVR writes, and read back as it was")
    func roundTrip() async throws {
        let house = try await House()
        let document = try await house.document()
        for member in [
            "timestamp", "version", "settings", "cameras", "groups", "storage_profiles", "s3_profiles", "associations", "users", "api_tokens",
            "recovery_codes",
            "trusted_devices",
        ] {
            #expect(document[member] != nil, "\(member)")
        }
        #expect(document["version"] == "1.0")
        #expect(document["settings"]?.array?.contains(["key": "smtp_password", "value": "Planted-Smtp", "description": "SMTP Password"]) == true)
        #expect(document["associations"]?.array?.count == 2)
        let user = try #require(document["users"]?.array?.last)
        #expect(user["username"] == "viewer" && user["allowed_camera_ids"] == [1] && user["allowed_group_ids"] == [1])
        #expect(user["hashed_password"]?.string?.hasPrefix("$argon2id$") == true)
        #expect(document["api_tokens"]?.array?.first?["token_hash"]?.string == String(repeating: "07", count: 32))

        var expected = try await house.store.configuration()
        let (configuration, warnings) = try read(document)
        #expect(warnings.isEmpty)
        #expect(configuration.instance == expected.instance && expected.instance.count == 32)
        #expect(configuration.cameras == expected.cameras)
        #expect(
            configuration.groups
                == expected.groups.map { group in
                    var group = group
                    group.createdAt = at(10)
                    return group
                })
        #expect(configuration.storageProfiles.map(\.path) == ["/srv/ssd"] && configuration.storageProfiles.map(\.maxSize) == [100])
        let bucket = try #require(configuration.s3Profiles.first)
        #expect(document["s3_profiles"]?.array?.first?["secret_key"] == "Planted-Bucket")
        #expect(bucket.secretKey == "Planted-Bucket" && bucket.prefix == "home" && bucket.maxSize == 7 && bucket.id == ID(1))
        #expect(expected.settings.allSatisfy { configuration.settings[$0] == $1 })
        // Ids of users and what the database makes of grants are not part of a document.
        for index in expected.users.indices {
            expected.users[index].user.id = ID(0)
            expected.users[index].user.cameraRights = CameraRights()
            for grant in expected.users[index].user.cameraGrants.indices { expected.users[index].user.cameraGrants[grant].name = "" }
            for grant in expected.users[index].user.groupGrants.indices { expected.users[index].user.groupGrants[grant].name = "" }
            for token in expected.users[index].tokens.indices {
                expected.users[index].tokens[token].token.id = ID(0)
                expected.users[index].tokens[token].token.userID = ID(0)
            }
        }
        #expect(configuration.users == expected.users)
    }

    @Test("What is no backup is refused with the place and without the value")
    func refusals() async throws {
        let document = try await House().document()
        for (path, value, words) in [
            (["cameras"], nil, "Invalid backup file format"), (["cameras"], "x", "Invalid backup file format"),
            (["cameras", "0"], 5, "cameras[0] is no object"),
            (["cameras", "0", "id"], "1", "cameras[0].id"), (["cameras", "0", "id"], -1, "cameras[0].id"),
            (["cameras", "0", "id"], .integer(.max), "cameras[0].id"),
            (["cameras", "1", "id"], 1, "cameras has an id twice"),
            (["cameras", "0", "name"], "", "cameras[0].name"), (["cameras", "0", "rtsp_url"], nil, "cameras[0].rtsp_url"),
            (["cameras", "0", "onvif_password"], .string(String(repeating: "S3cret", count: 100)), "cameras[0].onvif_password"),
            (["users"], [:], "users is no list"), (["users", "0", "username"], nil, "users[0].username"),
            (["users", "1", "username"], "ADMIN", "users[1].username is there twice"),
            (["users", "0", "email"], 5, "users[0].email"), (["groups", "0", "name"], nil, "groups[0].name"),
            (["groups", "0", "id"], nil, "groups[0].id"),
            (["storage_profiles", "0", "name"], nil, "storage_profiles[0].name"),
            (["associations", "0", "group_id"], "x", "associations[0].group_id"),
            (["settings"], "x", "settings is no list"), (["settings", "0", "key"], 7, "settings[0].key"),
        ] as [([String], JSONValue?, String)] {
            let error = #expect(throws: NVRError.self, "\(path)") { try read(document.changing(path, to: value)) }
            #expect(error?.kind == .invalid && error?.message.contains(words) == true, "\(path): \(error?.message ?? "")")
            #expect(error?.message.contains("S3cret") == false)
        }
        for junk in [nil, "x", 5, [], [[:]]] as [JSONValue] { #expect(throws: NVRError.self) { try read(junk) } }
        #expect(throws: NVRError.self) { try read(["cameras": .array(Array(repeating: [:], count: 10_001))]) }
    }

    @Test(
        "URLs of a backup go through the rules of those that are typed",
        arguments: [
            "rtsp://127.0.0.1/x", "rtsp://localhost/x", "rtsp://169.254.169.254/", "http://2852039166/latest", "http://0xa9fea9fe/",
            "rtsp://0251.0376.0251.0376/",
            "rtsp://[::1]/", "rtsp://[fe80::1]/", "rtsp://[::ffff:169.254.169.254]/", "rtsp://[::ffff:7f00:1]/", "rtsp://0.0.0.0/", "rtsp://0/",
            "rtsp://127.1/",
            "rtsp://[64:ff9b::a9fe:a9fe]/", "rtsp://[2002:a9fe:a9fe::]/", "file:///etc/passwd", "rtsp://example.com@127.0.0.1/",
            "rtsp://user:pw@169.254.1.1/x",
        ])
    func targets(_ url: String) async throws {
        let document = try await House().document()
        for field in ["rtsp_url", "sub_rtsp_url", "notify_webhook_url", "notify_health_webhook_url"] {
            let error = #expect(throws: NVRError.self, "\(field)") { try read(document.changing(["cameras", "1", field], to: .string(url))) }
            #expect(error?.message.contains("cameras[1].\(field)") == true)
            #expect(error?.message.contains("pw@") == false)
        }
        let settings: JSONValue = [["key": "notify_webhook_url", "value": .string(url)]]
        let (configuration, warnings) = try read(document.changing(["settings"], to: settings))
        #expect(configuration.settings["notify_webhook_url"] == nil && warnings.count == 1)
    }

    @Test("Values outside of our limits are left at their defaults and told; a camera with privacy masks is switched off")
    func leniency() async throws {
        var document = try await House().document()
        document = document.changing(["cameras", "0", "max_movie_length"], to: 900).changing(["cameras", "0", "rotation"], to: 45)
        document = document.changing(["cameras", "0", "ai_object_types"], to: #"["person", "cat"]"#)
        document = document.changing(["cameras", "1", "privacy_masks"], to: #"[{"points": [[0,0],[1,0],[1,1]]}]"#)
        document = document.changing(["cameras", "1", "storage_profile_id"], to: 99)
        document = document.changing(
            ["settings"],
            to: [["key": "opt_live_view_quality", "value": "500"], ["key": "later", "value": "1"], ["key": "smtp_port", "value": 465]])
        let (configuration, warnings) = try read(document)
        #expect(configuration.cameras[0].recording.maxLength == 120 && configuration.cameras[0].streams.rotation == 0)
        #expect(configuration.cameras[0].ai.objectTypes == ["person", "cat"])
        #expect(!configuration.cameras[1].general.isActive && configuration.cameras[1].detection.privacyMasks.isEmpty)
        #expect(configuration.cameras[1].storage.profileID == nil)
        #expect(configuration.settings == ["smtp_port": "465"])
        for word in ["max_movie_length", "rotation", "privacy masks", "storage profile", "opt_live_view_quality", "not known here"] {
            #expect(warnings.contains { $0.contains(word) }, "\(word)")
        }
        #expect(warnings.count == 6 && warnings.allSatisfy { Reason($0) != nil }, "\(warnings)")
    }

    @Test("Names that only the database tells apart, and the longest that may be set, are read back")
    func names() async throws {
        let house = try await House()
        let names = ["Ärzte", "ärzte", "caf\u{E9}", "cafe\u{301}"]
        for name in names {
            _ = try await house.store.groups.insert(CameraGroup(id: ID(0), name: name, createdAt: at(0)))
            var user = User(id: ID(0), username: name, role: .viewer, createdAt: at(0))
            user.language = String(repeating: "x", count: User.longestLanguage)
            user = try await house.store.users.insert(user, passwordHash: try hash())
            _ = try await house.store.tokens.insert(
                APIToken(id: ID(0), userID: user.id, name: String(repeating: "n", count: 100), createdAt: at(6)),
                hash: Array(repeating: UInt8(user.id.rawValue), count: 32))
        }
        let (configuration, warnings) = try read(try await house.document())
        #expect(warnings.isEmpty)
        #expect(configuration.groups.map { Array($0.name.utf8) }.suffix(4) == names.map { Array($0.utf8) }[...])
        #expect(configuration.users.suffix(4).map(\.tokens.count) == [1, 1, 1, 1])
        #expect(try await house.store.restore(configuration, passwordless: "none") == RestoreReport())
    }

    @Test("A backup of VibeNVR imports: cameras, settings, groups, profiles, users with Argon2 hashes, keys")
    func vibeNVR() throws {
        let argon = "$argon2id$v=19$m=65536,t=3,p=4$wXhPCcFYa601JoRQ6t07Zw$HBqk8pqnKnMKnnyA5vYhFhBVjsHGAF0TSYKFNHUNkKw"
        let camera: JSONValue = [
            "name": "Front Door", "rtsp_url": "rtsp://admin:pw@192.168.1.20:554/ch1", "sub_rtsp_url": nil, "location": nil, "is_active": true,
            "rtsp_transport": "tcp", "storage_profile_id": 4, "status": "CONNECTED", "last_seen": "2026-11-22T21:16:49.380965", "sort_order": 0,
            "onvif_port": 80, "max_movie_length": 120, "captured_before": 30, "recording_mode": "Motion Triggered", "privacy_masks": "[]",
            "motion_masks": "[]", "ai_object_types": ["person", "vehicle"], "id": 7, "created_at": "2026-11-22T21:16:49.380965", "groups": [],
            "storage_profile": ["name": "NAS", "path": "/mnt/nas", "description": nil, "max_size_gb": 0, "id": 4],
        ]
        func user(_ name: String, _ role: String, _ hash: JSONValue, _ more: JSONObject = [:]) -> JSONValue {
            var object: JSONObject = [
                "username": .string(name), "email": .string(name + "@example.com"), "hashed_password": hash, "role": .string(role),
                "is_2fa_enabled": false,
                "totp_secret": nil, "avatar_path": nil, "restrict_camera_access": false, "allowed_camera_ids": [], "allowed_group_ids": [],
                "auth_source": "local", "oauth_subject_id": nil, "oauth_enabled": true,
            ]
            more.forEach { object[$0] = $1 }
            return .object(object)
        }
        let document: JSONValue = [
            "timestamp": "2026-11-22T21:17:00.123456", "version": "1.0",
            "settings": [
                ["id": 1, "key": "opt_live_view_quality", "value": "70", "description": "JPEG"],
                ["id": 2, "key": "instance_id", "value": "theirs", "description": nil],
                ["id": 3, "key": "smtp_password", "value": "pw", "description": nil],
                ["id": 4, "key": "default_live_view_mode", "value": "mse", "description": nil],
            ],
            "cameras": [camera], "groups": [["name": "Outside", "description": nil, "id": 3, "cameras": [camera]]],
            "storage_profiles": [
                ["id": 4, "name": "NAS", "path": "/mnt/nas", "description": nil, "max_size_gb": 0, "storage_type": "local", "sftp_host": nil],
                ["id": 5, "name": "Bad", "path": "/etc", "description": nil, "max_size_gb": 0],
                ["id": 6, "name": "Gone", "path": "/nowhere/x", "max_size_gb": nil],
            ],
            "associations": [["camera_id": 7, "group_id": 3]],
            "users": [
                user("admin", "admin", .string(argon)),
                user("old", "viewer", "$2b$12$abcdefghijklmnopqrstuv", ["restrict_camera_access": true, "allowed_camera_ids": [7]]),
                user("two", "viewer", .string(argon), ["is_2fa_enabled": true, "totp_secret": "JBSWY3DPEHPK3PXP", "allowed_group_ids": [3]]),
            ],
            "api_tokens": [
                [
                    "name": "ha", "token_hash": .string(String(repeating: "ab", count: 32)), "created_at": "2026-11-22T21:17:00", "last_used_at": nil,
                    "expires_at": nil, "is_active": true, "username": "admin",
                ],
                ["name": "off", "token_hash": .string(String(repeating: "cd", count: 32)), "is_active": false, "username": "admin"],
                [
                    "name": "over", "token_hash": .string(String(repeating: "ef", count: 32)), "expires_at": "2020-01-01T00:00:00", "is_active": true,
                    "username": "admin",
                ],
                ["name": "odd", "token_hash": "xyz", "is_active": true, "username": "nobody"],
            ],
            "recovery_codes": [["username": "two", "code_hash": "$argon2id$whatever", "created_at": nil]],
            "trusted_devices": [["username": "two", "token": "x", "name": "phone"]],
            "federated_nodes": [["id": 1, "name": "x", "url": "http://x", "api_token": "y"]],
        ]
        let (configuration, warnings) = try read(document)
        #expect(configuration.instance.isEmpty)
        #expect(configuration.cameras.map(\.streams.url) == ["rtsp://admin:pw@192.168.1.20:554/ch1"])
        #expect(configuration.cameras[0].storage.profileID == 4 && configuration.cameras[0].recording.capturedBefore == 30)
        #expect(configuration.cameras[0].createdAt.iso8601 == "2026-11-22T21:16:49.380965Z")
        #expect(configuration.groups.map(\.cameras) == [[ID(7)]])
        // Whether these are here already is not known before it is restored.
        #expect(configuration.storageProfiles.map(\.name) == ["NAS", "Bad", "Gone"])
        #expect(configuration.unusableFolders.keys.sorted() == [ID(5), ID(6)])
        #expect(configuration.settings == ["opt_live_view_quality": "70", "smtp_password": "pw"])
        #expect(configuration.users.map(\.passwordHash) == [argon, nil, argon])
        #expect(configuration.users[0].user.role == .admin && configuration.users[0].tokens.map(\.token.name) == ["ha"])
        #expect(configuration.users[1].user.cameraGrants == [Grant(id: ID(7))] && configuration.users[1].user.restrictCameraAccess)
        #expect(configuration.users[2].secondFactor == StoredSecondFactor(secret: "JBSWY3DPEHPK3PXP", isEnabled: true))
        #expect(configuration.users[2].user.groupGrants == [Grant(id: ID(3))])
        #expect(warnings.count == 1 && warnings.allSatisfy { Reason($0) != nil }, "\(warnings)")
    }

    @Test("No change of a single byte of a document crashes the reader")
    func mutations() async throws {
        let text = Array(try await House().document().serialized().utf8)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var changed = text
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                changed[Int.random(in: changed.indices, using: &generator)] = UInt8.random(in: .min ... .max, using: &generator)
            }
            // Whether it is taken depends on the byte; both are fine.
            guard let document = try? JSONValue(parsing: changed) else { continue }
            do { _ = try read(document) } catch { #expect(error is NVRError) }
        }
    }
}
