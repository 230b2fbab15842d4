import Argon2
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Clocks that tests move.
final class TestClock: NVRClock {
    private let state = Mutex((monotonic: Int64(5_000_000), wall: Int64(1_700_000_000_000_000)))

    func monotonic() -> Int64 { state.withLock { $0.monotonic } }
    func wall() -> Int64 { state.withLock { $0.wall } }

    /// Seconds.
    func advance(_ seconds: Int64) {
        state.withLock {
            $0.monotonic += seconds * 1_000_000
            $0.wall += seconds * 1_000_000
        }
    }
}

let cheap = PasswordHash.Parameters(memory: 64, passes: 1)
let goodPassword = "Bench-Passw0rd!"

/// A store, accounts on it, and their clock.
struct Bench {
    let store: Store
    let accounts: Accounts
    let clock: TestClock

    init(key: SigningKey = SigningKey(bytes: Array(0..<64)), store: Store? = nil, parameters: PasswordHash.Parameters = cheap) async throws {
        self.store = try store ?? Store.inMemory()
        clock = TestClock()
        accounts = Accounts(store: self.store, key: key, clock: clock, parameters: parameters)
    }

    /// The first administrator, signed in.
    func signedIn() async throws -> SignIn? {
        _ = try await accounts.setUp(username: "admin", password: goodPassword, email: "admin@example.com")
        return try await accounts.sessions.signIn(username: "admin", password: goodPassword)
    }

    func identity(bearer: String? = nil, apiKey: String? = nil, cookie: String? = nil, media: String? = nil, isMediaRoute: Bool = false)
        async throws -> Identity?
    {
        try await accounts.authenticator.identity(
            of: PresentedCredentials(bearer: bearer, apiKey: apiKey, authCookie: cookie, mediaCookie: media), isMediaRoute: isMediaRoute)
    }
}

/// A folder of a database that is removed with it when the test ends.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/nvraccounts-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return "/tmp" }
            return String(cString: made)
        }
    }

    deinit {
        for name in ["nvr.db", "nvr.db-wal", "nvr.db-shm"] { unlink(path + "/" + name) }
        rmdir(path)
    }
}
