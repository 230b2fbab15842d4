import NVRAccounts
import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("Sign-ins of RTSP clients")
struct StreamSignInTests {
    private func identity(_ bench: Bench, _ name: String, _ password: String, address: String = "10.0.0.1") async throws -> Identity {
        try await bench.accounts.streamSignIns.signIn(username: name, password: password, address: address)
    }

    @Test("A password, an API key of whatever name, and a streaming secret are recognised; nothing else is")
    func recognised() async throws {
        let bench = try await Bench()
        let user = try #require(try await bench.signedIn()).user
        let key = try await bench.accounts.apiKeys.make(for: user.id, name: "k", expiresInDays: nil).plain
        let made = try await bench.accounts.streamingSecrets.make(for: user.id)
        #expect(made.secret.reveal().count == 24)
        #expect(try await bench.accounts.streamingSecrets.createdAt(of: user.id) == made.createdAt)
        #expect(try await identity(bench, "Admin", goodPassword).via == .password)
        #expect(try await identity(bench, "anybody", key).via == .apiKey)
        #expect(try await identity(bench, "admin", made.secret.reveal()).via == .streamingSecret)
        for (name, password) in [("admin", "wrong"), ("nobody", goodPassword), ("admin", ""), ("nobody", made.secret.reveal())] {
            await #expect(throws: StreamRefusal.wrong) { try await identity(bench, name, password) }
        }
        // They only look.
        let viewer = try await identity(bench, "admin", goodPassword)
        #expect(Access.allows(viewer, .view, camera: ID(1)) && !Access.allows(viewer, .administer) && !Access.allows(viewer, .control, camera: ID(1)))
    }

    @Test("A digest is recognised by the secret and by nothing else")
    func digests() async throws {
        let bench = try await Bench()
        let user = try #require(try await bench.signedIn()).user
        let sign = bench.accounts.streamSignIns
        await #expect(throws: StreamRefusal.wrong) { try await sign.signIn(username: "admin", address: "a") { _ in true } }
        let secret = try await bench.accounts.streamingSecrets.make(for: user.id).secret.reveal()
        #expect(try await sign.signIn(username: "admin", address: "a") { $0.reveal() == secret }.via == .streamingSecret)
        await #expect(throws: StreamRefusal.wrong) { try await sign.signIn(username: "admin", address: "a") { _ in false } }
        await #expect(throws: StreamRefusal.wrong) { try await sign.signIn(username: "nobody", address: "a") { _ in true } }
    }

    @Test("What was opened ends with its password, secret, key, or user, and with a second factor")
    func ending() async throws {
        let bench = try await Bench()
        let admin = try #require(try await bench.signedIn()).user
        let user = try await bench.accounts.create(username: "v", password: goodPassword, role: .viewer)
        let authenticator = bench.accounts.authenticator
        func isAllowed(_ identity: Identity) async -> Bool { await authenticator.stillAllowed(identity, .view) }

        var secret = try await bench.accounts.streamingSecrets.make(for: user.id).secret.reveal()
        var bySecret = try await identity(bench, "v", secret)
        let byPassword = try await identity(bench, "v", goodPassword)
        #expect(await isAllowed(bySecret))
        #expect(await isAllowed(byPassword))
        secret = try await bench.accounts.streamingSecrets.make(for: user.id).secret.reveal()
        #expect(await !isAllowed(bySecret))
        #expect(await isAllowed(byPassword))
        bySecret = try await identity(bench, "v", secret)
        _ = try await bench.accounts.setPassword(of: user.id, to: "Another-Passw0rd!")
        #expect(await !isAllowed(byPassword))
        #expect(await isAllowed(bySecret))
        await #expect(throws: StreamRefusal.wrong) { try await identity(bench, "v", goodPassword) }

        // With a second factor the password is no longer enough; the secret still is.
        let again = try await identity(bench, "v", "Another-Passw0rd!")
        try await bench.store.secondFactors.begin(user.id, secret: Secret("A"), recoveryHashes: [])
        #expect(try await bench.store.secondFactors.enable(user.id, step: 1))
        #expect(await !isAllowed(again))
        await #expect(throws: StreamRefusal.wrong) { try await identity(bench, "v", "Another-Passw0rd!") }
        #expect(try await identity(bench, "v", secret).via == .streamingSecret)

        _ = try await bench.accounts.update(user.id) { $0.isActive = false }
        #expect(await !isAllowed(bySecret))
        await #expect(throws: StreamRefusal.wrong) { try await identity(bench, "v", secret) }
        _ = try await bench.accounts.update(user.id) { $0.isActive = true }
        #expect(try await bench.accounts.streamingSecrets.delete(of: user.id))
        #expect(try await !bench.accounts.streamingSecrets.delete(of: user.id))
        #expect(await !isAllowed(bySecret))
        _ = try await bench.accounts.streamingSecrets.make(for: user.id)
        #expect(try await bench.accounts.delete(user.id))
        #expect(try await bench.store.streamingSecrets.get(user.id) == nil)
        await #expect(throws: NVRError.self) { try await bench.accounts.streamingSecrets.make(for: user.id) }
        #expect(admin.id != user.id)
    }

    @Test("Each of these changes is told to what stays open")
    func told() async throws {
        let bench = try await Bench()
        let user = try #require(try await bench.signedIn()).user
        var generation = bench.store.access.generation
        func isNews() -> Bool {
            defer { generation = bench.store.access.generation }
            return bench.store.access.generation != generation
        }
        _ = try await bench.accounts.streamingSecrets.make(for: user.id)
        #expect(isNews())
        _ = try await bench.accounts.streamingSecrets.make(for: user.id)
        #expect(isNews())
        _ = try await bench.accounts.streamingSecrets.delete(of: user.id)
        #expect(isNews())
        try await bench.store.users.setPasswordHash(user.id, "x")
        #expect(isNews())
    }

    @Test("Guessing is limited together with signing in; who is right is not kept waiting, and many at once are one attempt")
    func guessing() async throws {
        let bench = try await Bench()
        _ = try await bench.signedIn()
        for _ in 0..<3 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<40 { group.addTask { _ = try await identity(bench, "admin", goodPassword) } }
                try await group.waitForAll()
            }
        }
        for number in 0..<LoginThrottle.Limits.signIn.perAccount {
            await #expect(throws: StreamRefusal.wrong) { try await identity(bench, "admin", "wrong \(number)") }
        }
        let refusal = await #expect(throws: StreamRefusal.self) { try await identity(bench, "admin", "wrong again") }
        guard case .tooManyAttempts(let wait)? = refusal else { return #expect(Bool(false)) }
        #expect((1...60).contains(wait))
        #expect(bench.accounts.passwordAttempts.attempt(address: "10.0.0.1", account: "admin", at: bench.clock.monotonic()) != nil)
        // Found right before from there: no new guess.
        #expect(try await identity(bench, "admin", goodPassword).via == .password)
        await #expect(throws: StreamRefusal.wrong) { try await identity(bench, "admin", "wrong", address: "10.0.0.2") }
    }
}
