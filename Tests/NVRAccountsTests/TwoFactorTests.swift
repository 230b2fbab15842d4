import NVRAccounts
import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("Codes of authenticator apps")
struct TOTPTests {
    private let totp = TOTP(secret: Array("12345678901234567890".utf8))

    @Test(
        "Codes are those of RFC 6238, appendix B",
        arguments: [
            (Int64(59), "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"), (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ])
    func vectors(second: Int64, code: String) {
        let step = TOTP.step(at: second * 1_000_000)
        #expect(totp.code(step: step) == code)
        #expect(totp.step(of: code, at: second * 1_000_000, after: 0) == step)
        #expect(TOTP(base32: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")?.code(step: step) == code)
    }

    @Test("A code is taken one step early and one late, never twice, and never in another form")
    func window() {
        let time: Int64 = 1_700_000_000_000_000
        let now = TOTP.step(at: time)
        for offset in Int64(-3)...3 {
            #expect(totp.step(of: totp.code(step: now + offset), at: time, after: 0) == (abs(offset) <= 1 ? now + offset : nil))
        }
        let code = totp.code(step: now)
        #expect(totp.step(of: code, at: time, after: now) == nil)
        #expect(totp.step(of: code, at: time, after: now - 1) == now)
        #expect(totp.step(of: " \(code.prefix(3)) \(code.suffix(3)) ", at: time, after: 0) == now)
        for wrong in ["", "0", code + "0", String(code.dropLast()), "абвгде", String(repeating: "0", count: 5000)] {
            #expect(totp.step(of: wrong, at: time, after: 0) == nil)
        }
        #expect(TOTP.step(at: -5) == 0 && totp.step(of: totp.code(step: 0), at: -5, after: -1) == 0)
    }

    @Test("Base 32 is that of RFC 4648, section 10, without padding")
    func base32() {
        for (plain, text) in [
            ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI"),
        ] {
            #expect(Base32.encoded(Array(plain.utf8)) == text)
            #expect(Base32.decoded(text) == Array(plain.utf8) && Base32.decoded(text.lowercased() + "==") == Array(plain.utf8))
        }
        #expect(Base32.decoded("MZ1W") == nil && Base32.decoded("ä") == nil)
        #expect(TOTP.newSecret().utf8.count == 32 && TOTP.newSecret() != TOTP.newSecret())
    }

    @Test("The URL of an app names the account, and fits a QR code whatever the name")
    func url() {
        #expect(
            TOTP.url(secret: "ABC", account: "a b@ü")
                == "otpauth://totp/VibeNVR:a%20b%40%C3%BC?secret=ABC&issuer=VibeNVR&algorithm=SHA1&digits=6&period=30")
        for name in [String(repeating: "x", count: 64), String(repeating: "😀", count: 64), String(repeating: "e\u{301}", count: 64)] {
            #expect(QRCode(TOTP.url(secret: TOTP.newSecret(), account: name)) != nil)
        }
    }

    @Test("QR codes take the smallest size that holds the text, with finder patterns in three corners")
    func qrSizes() throws {
        for (count, size) in [(0, 21), (14, 21), (15, 25), (26, 25), (27, 29), (180, 53), (181, 57), (213, 57)] {
            let code = try #require(QRCode(String(repeating: "a", count: count)))
            #expect(code.size == size)
            for (x, y) in [(0, 0), (size - 7, 0), (0, size - 7)] {
                let ring = (0..<7).allSatisfy { code[x + $0, y] && code[x, y + $0] && code[x + $0, y + 6] }
                #expect(ring && code[x + 3, y + 3] && !code[x + 1, y + 1])
            }
            #expect(code.svg.hasPrefix("<svg ") && code.svg.contains("viewBox=\"0 0 \(size + 8) \(size + 8)\""))
        }
        #expect(QRCode(String(repeating: "a", count: 214)) == nil)
    }
}

@Suite("Second factors")
struct TwoFactorTests {
    private let bench: Bench
    private let user: User

    init() async throws {
        bench = try await Bench()
        user = try #require(try await bench.signedIn()).user
    }

    /// Sets up and enables; the secret and the recovery codes.
    private func enabled() async throws -> (totp: TOTP, recovery: [String]) {
        let made = try await bench.accounts.twoFactor.setUp(user)
        let totp = try #require(TOTP(base32: made.secret.reveal()))
        #expect(try await bench.accounts.twoFactor.enable(user.id, code: code(totp)))
        bench.clock.advance(30)
        return (totp, made.recoveryCodes.map { $0.reveal() })
    }

    private func code(_ totp: TOTP, _ offset: Int64 = 0) -> String { totp.code(step: TOTP.step(at: bench.clock.wall()) + offset) }

    private func proof(_ change: (inout SecondFactorProof) -> Void) -> SecondFactorProof {
        var proof = SecondFactorProof()
        change(&proof)
        return proof
    }

    private func signIn(_ proof: SecondFactorProof = SecondFactorProof(), password: String = goodPassword) async throws -> SignIn? {
        try await bench.accounts.sessions.signIn(username: "admin", password: password, factor: proof)
    }

    private func expectRefusal(_ refusal: SecondFactorRefusal, _ proof: SecondFactorProof, _ place: SourceLocation = #_sourceLocation) async {
        await #expect(throws: refusal, sourceLocation: place) { try await self.signIn(proof) }
    }

    @Test("Nothing is asked until a first code proves that the app works")
    func setUp() async throws {
        let two = bench.accounts.twoFactor
        let error = await #expect(throws: NVRError.self) { try await two.enable(user.id, code: "000000") }
        #expect(error?.kind == .conflict)
        let first = try await two.setUp(user)
        #expect(first.recoveryCodes.count == 10 && Set(first.recoveryCodes).count == 10)
        #expect(first.url.reveal().contains(first.secret.reveal()) && first.svg.hasPrefix("<svg"))
        #expect("\(first)".contains(first.secret.reveal()) == false)
        #expect(try await signIn() != nil)
        let second = try await two.setUp(user)
        let old = try #require(TOTP(base32: first.secret.reveal()))
        let new = try #require(TOTP(base32: second.secret.reveal()))
        #expect(try await !two.enable(user.id, code: code(old)))
        #expect(try await bench.store.users.get(user.id)?.isTwoFactorEnabled == false)
        #expect(try await two.enable(user.id, code: code(new)))
        #expect(try await bench.store.users.get(user.id)?.isTwoFactorEnabled == true)
        #expect(await #expect(throws: NVRError.self) { try await two.setUp(user) }?.kind == .conflict)
        #expect(await #expect(throws: NVRError.self) { try await two.enable(user.id, code: "1") }?.kind == .conflict)
        await expectRefusal(.needed, SecondFactorProof())
        #expect(try await signIn(password: "wrong") == nil)
        #expect(try await two.disable(user.id))
        #expect(try await !two.disable(user.id))
        #expect(try await signIn() != nil)
    }

    @Test("Each code is good once, also the one that enabled, and also for two at a time")
    func once() async throws {
        let made = try await bench.accounts.twoFactor.setUp(user)
        let totp = try #require(TOTP(base32: made.secret.reveal()))
        let first = code(totp)
        #expect(try await bench.accounts.twoFactor.enable(user.id, code: first))
        await expectRefusal(.badCode, proof { $0.code = first })
        let next = proof { $0.code = code(totp, 1) }
        let signedIn = await withTaskGroup(of: Bool.self, returning: Int.self) { group in
            for _ in 0..<8 { group.addTask { (try? await self.signIn(next)) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(signedIn == 1)
        bench.clock.advance(60)
        await expectRefusal(.badCode, proof { $0.code = code(totp, -1) })
        #expect(try await signIn(proof { $0.code = code(totp) }) != nil)
        await expectRefusal(.badCode, proof { $0.code = "" + "12345" })
    }

    @Test("Ten recovery codes are good once each, in any case, until new ones are made")
    func recovery() async throws {
        let (_, codes) = try await enabled()
        #expect(try await signIn(proof { $0.recoveryCode = codes[0].lowercased().filter { $0 != "-" } }) != nil)
        await expectRefusal(.badRecoveryCode, proof { $0.recoveryCode = codes[0] })
        await expectRefusal(.badRecoveryCode, proof { $0.recoveryCode = "AAAA-AAAA-AAAA-AAAA" })
        let renewed = try await bench.accounts.twoFactor.renewRecoveryCodes(user.id).map { $0.reveal() }
        #expect(renewed.count == 10 && Set(renewed).isDisjoint(with: codes))
        await expectRefusal(.badRecoveryCode, proof { $0.recoveryCode = codes[1] })
        for code in renewed { #expect(try await signIn(proof { $0.recoveryCode = code }) != nil) }
        let other = try await bench.accounts.create(username: "other", password: goodPassword, role: .viewer)
        #expect(await #expect(throws: NVRError.self) { try await bench.accounts.twoFactor.renewRecoveryCodes(other.id) }?.kind == .conflict)
    }

    @Test("A trusted device needs no code for thirty days, until it or the password is changed")
    func devices() async throws {
        let (totp, codes) = try await enabled()
        let two = bench.accounts.twoFactor
        let trusted = try #require(
            try await signIn(
                proof {
                    $0.code = code(totp)
                    $0.isDeviceTrusted = true
                    $0.deviceName = "My\u{0} phone"
                }))
        let token = try #require(trusted.deviceToken)
        #expect(token.utf8.count == 43)
        let device = try #require(try await two.devices(of: user.id).first)
        #expect(device.name == "My phone" && device.lastUsedAt == device.createdAt)
        bench.clock.advance(100)
        let again = try #require(try await signIn(proof { $0.deviceToken = token }))
        #expect(again.deviceToken == nil)
        #expect(try await two.devices(of: user.id).first?.lastUsedAt.microseconds(since: device.createdAt) == 100_000_000)
        await expectRefusal(.needed, proof { $0.deviceToken = token + "x" })
        let other = try await bench.accounts.create(username: "other", password: goodPassword, role: .viewer)
        #expect(try await !two.forget(device.id, of: other.id))
        #expect(try await two.forget(device.id, of: user.id))
        #expect(try await !two.forget(device.id, of: user.id))
        await expectRefusal(.needed, proof { $0.deviceToken = token })

        func trust(_ recovery: String) async throws -> String? {
            try await signIn(
                proof {
                    $0.recoveryCode = recovery
                    $0.isDeviceTrusted = true
                })?.deviceToken
        }
        let second = try await trust(codes[0])
        bench.clock.advance(30 * 86_400)
        await expectRefusal(.needed, proof { $0.deviceToken = second })
        #expect(try await two.devices(of: user.id).isEmpty)
        let third = try await trust(codes[1])
        #expect(try await signIn(proof { $0.deviceToken = third }) != nil)
        _ = try await bench.accounts.setPassword(of: user.id, to: goodPassword + "2")
        await #expect(throws: SecondFactorRefusal.needed) { try await self.signIn(proof { $0.deviceToken = third }, password: goodPassword + "2") }
    }

    @Test("Codes are throttled by whoever calls, before any is looked at")
    func throttled() async throws {
        let (totp, codes) = try await enabled()
        struct Wait: Error {}
        for given in [proof { $0.code = code(totp) }, proof { $0.recoveryCode = codes[0] }] {
            await #expect(throws: Wait.self) {
                try await bench.accounts.sessions.signIn(username: "admin", password: goodPassword, factor: given) { throw Wait() }
            }
        }
        #expect(try await signIn(proof { $0.code = code(totp) }) != nil)
        #expect(try await signIn(proof { $0.recoveryCode = codes[0] }) != nil)
    }

    @Test("A copy of the database gives no secret, code, token or key away")
    func atRest() async throws {
        let folder = TemporaryFolder()
        let bench = try await Bench(store: try Store.open(at: folder.path + "/nvr.db"))
        let user = try #require(try await bench.signedIn()).user
        let made = try await bench.accounts.twoFactor.setUp(user)
        let totp = try #require(TOTP(base32: made.secret.reveal()))
        #expect(try await bench.accounts.twoFactor.enable(user.id, code: totp.code(step: TOTP.step(at: bench.clock.wall()))))
        var proof = SecondFactorProof()
        proof.recoveryCode = made.recoveryCodes[0].reveal()
        proof.isDeviceTrusted = true
        let signIn = try #require(try await bench.accounts.sessions.signIn(username: "admin", password: goodPassword, factor: proof))
        let key = try await bench.accounts.apiKeys.make(for: user.id, name: "k", expiresInDays: nil).plain
        let stored = folder.contents()
        #expect(stored.contains("admin@example.com"))
        let secrets =
            [made.secret.reveal(), key, try #require(signIn.deviceToken), goodPassword, signIn.accessToken] + made.recoveryCodes.map { $0.reveal() }
        for secret in secrets { #expect(!stored.contains(secret) && !stored.contains(secret.filter { $0 != "-" })) }
    }
}
