import Argon2
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Accounts")
struct AccountsTests {
    @Test("The first administrator is made once, also when many try at once")
    func setUp() async throws {
        let bench = try await Bench()
        #expect(try await bench.accounts.isSetupRequired())
        let made = await withTaskGroup(of: Bool.self, returning: Int.self) { group in
            for number in 0..<8 {
                group.addTask { (try? await bench.accounts.setUp(username: "admin\(number)", password: goodPassword)) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(made == 1)
        #expect(try await !bench.accounts.isSetupRequired())
        let error = await #expect(throws: NVRError.self) { try await bench.accounts.setUp(username: "x", password: goodPassword) }
        #expect(error?.kind == .forbidden)
        #expect(error?.message == "Setup already completed. Users exist.")
    }

    @Test("Bad names, passwords and addresses are refused")
    func badInput() async throws {
        let bench = try await Bench()
        for (name, password, email) in [
            ("", goodPassword, nil), (" a", goodPassword, nil), ("a\u{0}", goodPassword, nil), (String(repeating: "x", count: 65), goodPassword, nil),
            ("admin", "short", nil), ("administrator", "administrator", nil), ("a", goodPassword, "no address"), ("a", goodPassword, "a@b@c"),
        ] as [(String, String, String?)] {
            let error = await #expect(throws: NVRError.self) {
                try await bench.accounts.create(username: name, password: password, email: email, role: .viewer)
            }
            #expect(error?.kind == .invalid)
        }
        #expect(try await bench.accounts.isSetupRequired())
    }

    @Test("Right credentials sign in; wrong ones, unknown names and inactive users look alike")
    func signIn() async throws {
        let bench = try await Bench()
        let signIn = try #require(try await bench.signedIn())
        #expect(signIn.user.json["email"] == "admin@example.com")
        #expect(try await bench.accounts.sessions.signIn(username: "ADMIN", password: goodPassword) != nil)
        #expect(try await bench.accounts.sessions.signIn(username: "admin", password: "wrong") == nil)
        #expect(try await bench.accounts.sessions.signIn(username: "nobody", password: goodPassword) == nil)
        #expect(try await bench.accounts.sessions.signIn(username: "admin", password: String(repeating: "x", count: 100_000)) == nil)
        let viewer = try await bench.accounts.create(username: "v", password: goodPassword, role: .viewer)
        _ = try await bench.accounts.update(viewer.id) { $0.isActive = false }
        #expect(try await bench.accounts.sessions.signIn(username: "v", password: goodPassword) == nil)
        let hash = try #require(try await bench.store.users.credentials(username: "admin")?.passwordHash)
        #expect(hash.hasPrefix("$argon2id$v=19$m=64,t=1,p=1$"))
    }

    @Test("A token is good for seven days, in a header or the cookie, and names its way")
    func tokens() async throws {
        let bench = try await Bench()
        let signIn = try #require(try await bench.signedIn())
        #expect(try await bench.identity(bearer: signIn.accessToken)?.via == .jwt)
        #expect(try await bench.identity(cookie: signIn.accessToken)?.via == .cookie)
        #expect(try await bench.identity() == nil)
        bench.clock.advance(7 * 86_400 - 1)
        #expect(try await bench.identity(bearer: signIn.accessToken)?.user.username == "admin")
        bench.clock.advance(1)
        await #expect(throws: NVRError.self) { try await bench.identity(bearer: signIn.accessToken) }
        #expect(try await bench.identity(cookie: signIn.accessToken) == nil)
    }

    @Test("The media token opens media routes only")
    func mediaToken() async throws {
        let bench = try await Bench()
        let signIn = try #require(try await bench.signedIn())
        let identity = try #require(try await bench.identity(media: signIn.mediaToken, isMediaRoute: true))
        #expect(identity.via == .mediaCookie)
        #expect(identity.cameraForm == .withoutSecrets)
        #expect(!Access.allows(identity, .administer) && Access.allows(identity, .replay, camera: ID(1)))
        #expect(try await bench.identity(media: signIn.mediaToken) == nil)
        #expect(try await bench.identity(cookie: signIn.mediaToken) == nil)
        await #expect(throws: NVRError.self) { try await bench.identity(bearer: signIn.mediaToken) }
        #expect(try await bench.identity(bearer: signIn.mediaToken, isMediaRoute: true)?.via == .mediaCookie)
        await #expect(throws: NVRError.self) { try await bench.identity(bearer: signIn.mediaToken) }
    }

    @Test("Signing out, a new password and deactivation end tokens at once; other sessions go on after signing out")
    func revocation() async throws {
        let bench = try await Bench()
        let first = try #require(try await bench.signedIn())
        let second = try #require(try await bench.accounts.sessions.signIn(username: "admin", password: goodPassword))
        let identity = try #require(try await bench.identity(bearer: first.accessToken))
        #expect(try await bench.identity(media: first.mediaToken, isMediaRoute: true) != nil)
        try await bench.accounts.sessions.signOut(identity)
        await #expect(throws: NVRError.self) { try await bench.identity(bearer: first.accessToken) }
        #expect(try await bench.identity(media: first.mediaToken, isMediaRoute: true) == nil)
        #expect(try await bench.accounts.sessions.renew(identity) == nil)
        #expect(try await bench.identity(bearer: second.accessToken) != nil)
        let renewed = try #require(try await bench.identity(cookie: second.accessToken))
        let token = try #require(try await bench.accounts.sessions.renew(renewed)?.accessToken)
        #expect(try await bench.identity(bearer: token) != nil)
        _ = try await bench.accounts.setPassword(of: identity.user.id, to: "Another-Passw0rd!")
        await #expect(throws: NVRError.self) { try await bench.identity(bearer: second.accessToken) }
        await #expect(throws: NVRError.self) { try await bench.identity(bearer: token) }
        #expect(try await bench.accounts.sessions.signIn(username: "admin", password: goodPassword) == nil)
        #expect(try await bench.accounts.isPassword("Another-Passw0rd!", of: identity.user.id))
        let viewer = try await bench.accounts.create(username: "v", password: goodPassword, role: .viewer)
        let third = try #require(try await bench.accounts.sessions.signIn(username: "v", password: goodPassword))
        #expect(try await bench.identity(bearer: third.accessToken)?.isAdmin == false)
        _ = try await bench.accounts.update(viewer.id) { $0.language = "de" }
        #expect(try await bench.identity(bearer: third.accessToken)?.user.language == "de")
        _ = try await bench.accounts.update(viewer.id) { $0.role = .admin }
        await #expect(throws: NVRError.self) { try await bench.identity(bearer: third.accessToken) }
        let fourth = try #require(try await bench.accounts.sessions.signIn(username: "v", password: goodPassword))
        #expect(try await bench.identity(bearer: fourth.accessToken)?.isAdmin == true)
        _ = try await bench.accounts.update(viewer.id) { $0.isActive = false }
        await #expect(throws: NVRError.self) { try await bench.identity(bearer: fourth.accessToken) }
        #expect(try await bench.accounts.delete(viewer.id))
        #expect(try await !bench.accounts.delete(viewer.id))
    }

    @Test("What another process revokes is seen within ten seconds")
    func otherProcess() async throws {
        let folder = TemporaryFolder()
        let bench = try await Bench(store: try Store.open(at: folder.path + "/nvr.db"))
        let signIn = try #require(try await bench.signedIn())
        #expect(try await bench.identity(bearer: signIn.accessToken) != nil)
        let other = try Store.open(at: folder.path + "/nvr.db")
        try await other.sessions.end(signIn.session.id)
        try other.close()
        #expect(try await bench.identity(bearer: signIn.accessToken) != nil)
        bench.clock.advance(10)
        await #expect(throws: NVRError.self) { try await bench.identity(bearer: signIn.accessToken) }
    }

    @Test("Tokens of another key, another algorithm, a named key or changed bytes are refused")
    func forgedTokens() async throws {
        let bench = try await Bench()
        let signIn = try #require(try await bench.signedIn())
        let other = try await Bench(key: SigningKey(bytes: Array(1...64)), store: bench.store)
        await #expect(throws: NVRError.self) { try await other.identity(bearer: signIn.accessToken) }
        let parts = signIn.accessToken.split(separator: ".").map(String.init)
        // {"alg":"none","typ":"JWT"}, {"alg":"HS512","typ":"JWT"}, {"alg":"RS256","typ":"JWT"}, {"alg":"HS256","kid":"../x"}
        let headers = [
            "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9", "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
            "eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uL3gifQ",
        ]
        var forged = ["", ".", "..", "a.b.c", parts[1], parts[0] + "." + parts[1] + ".", String(repeating: "a", count: 10_000), "a.b.c.d", "ü.ü.ü"]
        for header in headers {
            forged.append(header + "." + parts[1] + "." + parts[2])
            forged.append(header + "." + parts[1] + ".")
        }
        forged.append(parts[0] + "." + String(parts[1].reversed()) + "." + parts[2])
        for token in forged {
            let error = await #expect(throws: NVRError.self, "\(token)") { try await bench.identity(bearer: token) }
            #expect(error?.message == "Could not validate credentials")
            #expect(try await bench.identity(cookie: token, media: token, isMediaRoute: true) == nil)
        }
    }

    @Test("API keys are 43 URL-safe characters, read only, listed without the key, revoked at once")
    func apiKeys() async throws {
        let bench = try await Bench()
        let user = try #require(try await bench.signedIn()).user
        let (token, plain) = try await bench.accounts.apiKeys.make(for: user.id, name: "ha", expiresInDays: 1)
        #expect(plain.utf8.count == 43)
        #expect(plain.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        #expect(token.json(plain: plain)["token"] == .string(plain))
        #expect(token.json()["token"] == .null)
        let identity = try #require(try await bench.identity(apiKey: plain))
        #expect(identity.via == .apiKey && identity.cameraForm == .summary)
        #expect(Access.allows(identity, .view) && Access.allows(identity, .replay) && !Access.allows(identity, .administer))
        #expect(#expect(throws: NVRError.self) { try Access.demand(identity, .administer) }?.kind == .unauthenticated)
        #expect(try await bench.accounts.apiKeys.list(of: user.id).first?.lastUsedAt == WallTime(microseconds: bench.clock.wall()))
        for wrong in ["", "wrong", String(plain.dropLast()) + "!", String(repeating: "a", count: 43)] {
            let error = await #expect(throws: NVRError.self) { try await bench.identity(apiKey: wrong) }
            #expect(error?.message == "Not authenticated")
        }
        bench.clock.advance(86_400)
        await #expect(throws: NVRError.self) { try await bench.identity(apiKey: plain) }
        let (second, again) = try await bench.accounts.apiKeys.make(for: user.id, name: "x", expiresInDays: nil)
        #expect(try await bench.identity(apiKey: again) != nil)
        #expect(try await bench.accounts.apiKeys.delete(second.id, of: user.id))
        await #expect(throws: NVRError.self) { try await bench.identity(apiKey: again) }
        #expect(try await !bench.accounts.apiKeys.delete(second.id, of: user.id))
        for (name, days) in [("", 1), ("x", 0), ("x", 100_000), (String(repeating: "x", count: 101), 1)] {
            await #expect(throws: NVRError.self) { try await bench.accounts.apiKeys.make(for: user.id, name: name, expiresInDays: days) }
        }
    }

    @Test("Viewers see and replay; administrators do the rest; restricted users what they were given")
    func access() throws {
        var user = User(id: ID(1), username: "v", role: .viewer, createdAt: WallTime(microseconds: 0))
        let viewer = Identity(user: user, via: .jwt)
        #expect(Permission.allCases.filter { Access.allows(viewer, $0, camera: ID(1)) } == [.view, .replay])
        #expect(viewer.cameraForm == .withoutSecrets)
        let error = #expect(throws: NVRError.self) { try Access.demand(viewer, .administer) }
        #expect(error?.kind == .forbidden && error?.message == "Admin privileges required")
        #expect(#expect(throws: NVRError.self) { try Access.demand(nil, .view) }?.kind == .unauthenticated)
        #expect(Access.visibleCameras(viewer) == nil)
        user.restrictCameraAccess = true
        #expect(!Access.allows(Identity(user: user, via: .jwt), .view, camera: ID(1)))
        #expect(Access.visibleCameras(Identity(user: user, via: .jwt)) == [])
        user.cameraRights = CameraRights(view: [ID(1)], replay: [ID(2)], control: [ID(3)])
        let given = Identity(user: user, via: .jwt)
        #expect(Permission.allCases.map { permission in (1...4).filter { Access.allows(given, permission, camera: ID($0)) } } == [[1], [2], [3], []])
        #expect(Access.visibleCameras(given) == [ID(1)] && Access.visibleCameras(given, .replay) == [ID(2)])
        #expect(!Access.allows(Identity(user: user, via: .apiKey), .control, camera: ID(3)))
        #expect(!Access.allows(Identity(user: user, via: .mediaCookie), .control, camera: ID(3)))
        user.role = .admin
        #expect(Permission.allCases.allSatisfy { Access.allows(Identity(user: user, via: .cookie), $0, camera: ID(1)) })
        user.isActive = false
        #expect(!Permission.allCases.contains { Access.allows(Identity(user: user, via: .cookie), $0) })
    }

    @Test("A hash of weaker parameters is made anew at the next sign-in, and the session goes on")
    func rehash() async throws {
        let bench = try await Bench()
        let signIn = try #require(try await bench.signedIn())
        let stronger = try await Bench(store: bench.store, parameters: PasswordHash.Parameters(memory: 128, passes: 1))
        #expect(try await stronger.accounts.sessions.signIn(username: "admin", password: goodPassword) != nil)
        #expect(try await bench.store.users.credentials(username: "admin")?.passwordHash.contains("m=128,") == true)
        #expect(try await bench.identity(bearer: signIn.accessToken) != nil)
    }
}

@Suite("Secrets of the server")
struct SecretTests {
    @Test("Password hashes verify, differ by salt, and hostile hashes are refused without effort")
    func argon2() throws {
        let hash = try PasswordHash.make("pässword", parameters: cheap)
        #expect(try PasswordHash.verify("pässword", hash))
        #expect(try !PasswordHash.verify("password", hash))
        #expect(try PasswordHash.make("pässword", parameters: cheap) != hash)
        #expect(PasswordHash.parameters(of: hash) == cheap)
        #expect(PasswordHash.isWeaker(hash, than: .standard))
        for hostile in [
            "", "x", "$argon2id$", "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA", "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA",
            "$argon2id$v=19$m=64,t=4294967295,p=1$AAAAAAAAAAA$AAAAAAAAAAA", "$argon2id$v=19$m=64,t=1$AAAA$AAAA",
            "$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$", hash.replacingFirst("v=19", with: "v=16"),
        ] {
            #expect(throws: Argon2Error.self, "\(hostile)") { try PasswordHash.verify("x", hostile) }
        }
        #expect(try PasswordHash.verify("", PasswordHash.make("", parameters: cheap)))
    }

    @Test("The standard parameters hash and verify")
    func standardParameters() throws {
        let hash = try PasswordHash.make(goodPassword)
        #expect(hash.hasPrefix("$argon2id$v=19$m=65536,t=2,p=1$"))
        #expect(try PasswordHash.verify(goodPassword, hash))
    }

    @Test("A weak SECRET_KEY is refused with a clear text")
    func weakKey() {
        for weak in ["short", String(repeating: "a", count: 64), "0101010101010101010101010101010101010101"] {
            let error = #expect(throws: NVRError.self) { try SigningKey.load(environment: weak, dataDirectory: "/nonexistent") }
            #expect(error?.kind == .invalid && error?.message.contains("SECRET_KEY") == true && error?.message.contains(weak) == false)
        }
        #expect(throws: Never.self) {
            try SigningKey.load(environment: "8f0c5e1b7a9d4c3e2f6b8a0d1c9e7f5b", dataDirectory: "/nonexistent")
        }
    }

    @Test("Without one, a key file of 64 bytes and mode 0600 is made and used again")
    func keyFile() async throws {
        var template = Array("/tmp/nvrkey-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        let path = folder + "/" + SigningKey.fileName
        defer {
            unlink(path)
            rmdir(folder)
        }
        let bench = try await Bench(key: try SigningKey.load(environment: nil, dataDirectory: folder))
        let signIn = try #require(try await bench.signedIn())
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_size == 64 && status.st_mode & 0o777 == 0o600)
        chmod(path, 0o644)
        let again = try await Bench(key: try SigningKey.load(environment: "", dataDirectory: folder), store: bench.store)
        #expect(try await again.identity(bearer: signIn.accessToken) != nil)
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        truncate(path, 5)
        #expect(throws: NVRError.self) { try SigningKey.load(environment: nil, dataDirectory: folder) }
        #expect(#expect(throws: NVRError.self) { try SigningKey.load(environment: nil, dataDirectory: folder + "/none") }?.kind == .unavailable)
    }

    @Test("The set-up code is matched in any case, and nothing else is")
    func setupCode() {
        let code = SetupCode()
        #expect(code.text.count == 9)
        #expect(code.matches(code.text) && code.matches(code.text.lowercased()) && code.matches(code.text.filter { $0 != "-" }))
        for wrong in [nil, "", "-", "AAAA-AAAA", code.text + "A", String(code.text.dropLast())] as [String?] { #expect(!code.matches(wrong)) }
        #expect(SetupCode().text != code.text)
    }

    @Test("Ten sign-ins a minute per address and account, thirty per address, then a wait; memory stays bounded")
    func throttle() {
        var throttle = LoginThrottle()
        for step in 0..<10 { #expect(throttle.attempt(address: "1.1.1.1", account: "Admin", at: Int64(step) * 1_000_000) == nil) }
        #expect(throttle.attempt(address: "1.1.1.1", account: "admin", at: 10_000_000) == 50)
        #expect(throttle.attempt(address: "1.1.1.1", account: "other", at: 10_000_000) == nil)
        #expect(throttle.attempt(address: "2.2.2.2", account: "admin", at: 10_000_000) == nil)
        #expect(throttle.attempt(address: "1.1.1.1", account: "admin", at: 60_000_000) == nil)
        #expect(throttle.attempt(address: "1.1.1.1", account: "admin", at: 60_000_001) == 1)
        throttle.succeeded(address: "1.1.1.1", account: "ADMIN", at: 60_000_001)
        #expect(throttle.attempt(address: "1.1.1.1", account: "admin", at: 60_000_002) == nil)
        for account in 0..<30 { _ = throttle.attempt(address: "3.3.3.3", account: "\(account)", at: 0) }
        #expect(throttle.attempt(address: "3.3.3.3", account: "new", at: 1) == 60)
        for host in 0..<10 { #expect(throttle.attempt(address: "2001:db8:1:2::\(host)", account: "admin", at: 0) == nil) }
        #expect(throttle.attempt(address: "2001:db8:1:2:ffff::1", account: "admin", at: 0) == 60)
        #expect(throttle.attempt(address: "2001:db8:1:3::1", account: "admin", at: 0) == nil)
        for host in 0..<20_000 { _ = throttle.attempt(address: "h\(host)", account: "a", at: 100_000_000) }
        #expect(throttle.remembered < 10_000)
    }

    @Test("Who signed in from an address before is not kept out by others who guess there, nor lets them guess more")
    func neighbours() {
        var throttle = LoginThrottle()
        #expect(throttle.attempt(address: "1.1.1.1", account: "kept", at: 0) == nil)
        throttle.succeeded(address: "1.1.1.1", account: "kept", at: 0)
        for guess in 0..<30 { #expect(throttle.attempt(address: "1.1.1.1", account: "\(guess)", at: 1) == nil) }
        #expect(throttle.attempt(address: "1.1.1.1", account: "guess", at: 2) != nil)
        for _ in 0..<10 { #expect(throttle.attempt(address: "1.1.1.1", account: "kept", at: 3) == nil) }
        #expect(throttle.attempt(address: "1.1.1.1", account: "kept", at: 4) != nil)
        #expect(throttle.attempt(address: "1.1.1.1", account: "guess", at: 60_000_000) != nil)
        #expect(throttle.attempt(address: "1.1.1.1", account: "guess", at: 60_000_001) == nil)
    }

    @Test("Codes are tried five times a minute from one place, and thirty times an hour from all")
    func codeThrottle() {
        var throttle = LoginThrottle(.secondFactor)
        for _ in 0..<5 { #expect(throttle.attempt(address: "1.1.1.1", account: "a", at: 0) == nil) }
        #expect(throttle.attempt(address: "1.1.1.1", account: "a", at: 0) == 60)
        for host in 0..<25 { #expect(throttle.attempt(address: "10.0.0.\(host)", account: "a", at: 0) == nil) }
        #expect(throttle.attempt(address: "10.0.1.1", account: "a", at: 0) == 3600)
        #expect(throttle.attempt(address: "10.0.1.1", account: "b", at: 0) == nil)
        throttle.succeeded(address: "10.0.0.1", account: "a", at: 1)
        #expect(throttle.attempt(address: "10.0.1.1", account: "a", at: 1) == nil)
    }

    @Test("Names are told apart in limits as the database tells them apart, and homes by their /64 however it is written")
    func places() {
        var throttle = LoginThrottle()
        for _ in 0..<10 { #expect(throttle.attempt(address: "1.1.1.1", account: "müller", at: 0) == nil) }
        #expect(throttle.attempt(address: "1.1.1.1", account: "MüLLER", at: 0) != nil)
        // Another user to the database: signing in as him gives no new guesses at the first.
        #expect(throttle.attempt(address: "1.1.1.1", account: "MÜLLER", at: 0) == nil)
        throttle.succeeded(address: "1.1.1.1", account: "MÜLLER", at: 0)
        #expect(throttle.attempt(address: "1.1.1.1", account: "müller", at: 0) != nil)
        #expect(throttle.attempt(address: "1.1.1.1", account: "mu\u{308}ller", at: 0) == nil)
        for (address, name) in [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2::", "2001:db8:1:2::/64"), ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
            ("2a01:0:0:5::9", "2a01:0:0:5::/64"), ("2a01::5:1:2:3:4", "2a01:0:0:5::/64"), ("2a01:0:0:0005:1:2:3:4", "2a01:0:0:5::/64"),
            ("2a01::1", "2a01:0:0:0::/64"), ("::1", "0:0:0:0::/64"), ("::", "0:0:0:0::/64"), ("::ffff:192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"), ("unknown", "unknown"), ("", ""),
        ] { #expect(AddressNetwork.name(of: address) == name) }
    }

    @Test("Whoever signs in with a password that is being changed does not stay")
    func changedMeanwhile() async throws {
        let bench = try await Bench(parameters: PasswordHash.Parameters(memory: 4096, passes: 1))
        let user = try #require(try await bench.signedIn()).user
        for round in 0..<3 {
            let (old, new) = (round == 0 ? goodPassword : "Number-\(round - 1)-Passw0rd!", "Number-\(round)-Passw0rd!")
            let tokens = try await withThrowingTaskGroup(of: String?.self, returning: [String].self) { group in
                group.addTask {
                    _ = try await bench.accounts.setPassword(of: user.id, to: new)
                    return nil
                }
                for _ in 0..<10 {
                    group.addTask { try await bench.accounts.sessions.signIn(username: "admin", password: old)?.accessToken }
                }
                return try await group.reduce(into: []) { if let token = $1 { $0.append(token) } }
            }
            for token in tokens { await #expect(throws: NVRError.self) { try await bench.identity(bearer: token) } }
        }
    }

    @Test("Many may sign in at once while a hash is made stronger")
    func strengthened() async throws {
        let bench = try await Bench()
        let user = try #require(try await bench.signedIn()).user
        try await bench.store.users.setPasswordHash(
            user.id, try PasswordHash.make(goodPassword, parameters: PasswordHash.Parameters(memory: 8, passes: 1)))
        let tokens = try await withThrowingTaskGroup(of: String?.self, returning: [String].self) { group in
            for _ in 0..<8 {
                group.addTask { try await bench.accounts.sessions.signIn(username: "admin", password: goodPassword)?.accessToken }
            }
            return try await group.reduce(into: []) { if let token = $1 { $0.append(token) } }
        }
        #expect(tokens.count == 8)
        for token in tokens { #expect(try await bench.identity(bearer: token) != nil) }
    }

    @Test("One's own change of a password needs the old one of this moment")
    func ownChange() async throws {
        let bench = try await Bench()
        let user = try #require(try await bench.signedIn()).user
        #expect(try await bench.accounts.changePassword(of: user.id, from: "wrong", to: "Another-Passw0rd!") == nil)
        #expect(try await bench.accounts.changePassword(of: user.id, from: goodPassword, to: "Another-Passw0rd!")?.id == user.id)
        #expect(try await bench.accounts.changePassword(of: user.id, from: goodPassword, to: "Third-Passw0rd!") == nil)
        #expect(try await bench.accounts.isPassword("Another-Passw0rd!", of: user.id))
    }

    @Test("A flood of sign-ins is refused at once instead of queueing")
    func flood() async throws {
        let bench = try await Bench(parameters: PasswordHash.Parameters(memory: 8192, passes: 1))
        _ = try await bench.signedIn()
        let outcomes = await withTaskGroup(of: NVRError.Kind?.self, returning: [NVRError.Kind?].self) { group in
            for _ in 0..<200 {
                group.addTask {
                    do {
                        _ = try await bench.accounts.sessions.signIn(username: "admin", password: "wrong")
                        return nil
                    } catch { return (error as? NVRError)?.kind }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(outcomes) == [nil, .unavailable])
        #expect(try await bench.accounts.sessions.signIn(username: "admin", password: goodPassword) != nil)
    }
}

extension String {
    fileprivate func replacingFirst(_ text: String, with other: String) -> String {
        split(separator: text, maxSplits: 1).joined(separator: other)
    }
}
