import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("Second factors in the database")
struct SecondFactorStoreTests {
    private let keyA = "8f0c5e1b7a9d4c3e2f6b8a0d1c9e7f5b"
    private let keyB = "0d1c9e7f5b8f0c5e1b7a9d4c3e2f6b8a"

    private func user(_ store: Store, _ name: String = "admin") async throws -> ID<User> {
        try await store.users.insert(User(id: ID(0), username: name, role: .admin, createdAt: at(0)), passwordHash: "h").id
    }

    @Test("Secrets are sealed for their user, and go along when the key changes")
    func sealing() async throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/nvr.db"
        var store = try Store.open(at: path, keys: SecretKeys(explicit: keyA, mayChangeKey: true))
        let first = try await user(store)
        let second = try await user(store, "other")
        try await store.secondFactors.begin(first, secret: Secret("PLANTEDSECRET"), recoveryHashes: [[1], [2]])
        try await store.secondFactors.begin(second, secret: Secret("OTHERSECRET"), recoveryHashes: [])
        try await store.streamingSecrets.put(first, Secret("STREAMSECRET"), at: at(5))
        try store.close()
        store = try Store.open(at: path, keys: SecretKeys(explicit: keyB, previous: keyA, mayChangeKey: true))
        #expect(try await store.secondFactors.get(first)?.secret == Secret("PLANTEDSECRET"))
        #expect(try await store.secondFactors.get(second)?.secret == Secret("OTHERSECRET"))
        #expect(try await store.streamingSecrets.get(first)?.secret == Secret("STREAMSECRET"))
        #expect(try await store.streamingSecrets.get(first)?.createdAt == at(5))
        #expect(try await store.streamingSecrets.get(second) == nil)
        try store.close()
    }

    @Test("A set-up replaces an unfinished one and no other; what is taken once is gone")
    func taking() async throws {
        let store = try Store.inMemory()
        let id = try await user(store)
        let factors = store.secondFactors
        try await factors.begin(id, secret: Secret("A"), recoveryHashes: [[1]])
        try await factors.begin(id, secret: Secret("B"), recoveryHashes: [[2]])
        let pending = try #require(try await factors.get(id))
        #expect(pending.secret == Secret("B") && !pending.isEnabled)
        #expect(try await !factors.takeRecovery(id, hash: [2]))
        #expect(try await !factors.take(id, step: 5))
        #expect(try await factors.enable(id, step: 5))
        #expect(try await !factors.enable(id, step: 6))
        #expect(await #expect(throws: NVRError.self) { try await factors.begin(id, secret: Secret("C"), recoveryHashes: []) }?.kind == .conflict)
        #expect(try await !factors.take(id, step: 5))
        #expect(try await factors.take(id, step: 6))
        #expect(try await !factors.take(id, step: 6))
        #expect(try await !factors.takeRecovery(id, hash: [1]))
        #expect(try await factors.takeRecovery(id, hash: [2]))
        #expect(try await !factors.takeRecovery(id, hash: [2]))
        #expect(try await factors.remove(id))
        #expect(try await factors.get(id) == nil)
        #expect(try await !factors.setRecovery(id, hashes: [[3]]))
    }

    @Test("Of too many trusted devices the one used longest ago makes room, and all go with the second factor")
    func devices() async throws {
        let store = try Store.inMemory()
        let id = try await user(store)
        let factors = store.secondFactors
        try await factors.begin(id, secret: Secret("A"), recoveryHashes: [])
        func add(_ number: Int) async throws {
            let time = at(Double(number))
            let device = TrustedDevice(id: ID(0), userID: id, name: "\(number)", createdAt: time, lastUsedAt: time, expiresAt: at(1000))
            _ = try await factors.insertDevice(device, hash: [UInt8(number)])
        }
        for number in 0..<SecondFactorStore.mostDevices { try await add(number) }
        #expect(try await factors.useDevice(of: id, hash: [0], at: at(500)))
        try await add(SecondFactorStore.mostDevices)
        let names = try await factors.devices(of: id, at: at(500)).map(\.name)
        #expect(names.count == SecondFactorStore.mostDevices && names.contains("0") && !names.contains("1"))
        #expect(try await !factors.useDevice(of: id, hash: [0], at: at(1000)))
        #expect(try await factors.devices(of: id, at: at(1000)).isEmpty)
        #expect(try await factors.remove(id))
        #expect(try await factors.devices(of: id, at: at(500)).isEmpty)
    }
}
