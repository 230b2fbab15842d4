import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("Settings in the database")
struct SettingsStoreTests {
    @Test("Only what differs from its default is stored, in one step, and announced when it changed")
    func storing() async throws {
        let store = try Store.inMemory()
        var changes = store.changes.subscribe().makeAsyncIterator()
        try await store.settings.set(["opt_live_view_quality": "61", "mqtt_port": "1883", "smtp_password": "Planted"])
        #expect(try await store.settings.all() == ["opt_live_view_quality": "61", "smtp_password": "Planted"])
        #expect(await changes.next() == .setting("opt_live_view_quality"))
        #expect(await changes.next() == .setting("smtp_password"))
        try await store.settings.set(["opt_live_view_quality": "61"])
        try await store.settings.set(["opt_live_view_quality": "60", "smtp_password": "Planted"])
        #expect(await changes.next() == .setting("opt_live_view_quality"))
        let values = try await store.settings.values()
        #expect(values[Settings.optLiveViewQuality] == 60 && values[Settings.smtpPassword] == "Planted")
        try await store.settings.set(["smtp_password": ""])
        #expect(try await store.settings.all().isEmpty)
    }

    @Test("Each installation has a name of its own that nobody changes")
    func instance() async throws {
        let store = try Store.inMemory()
        let name = try await store.settings.values()[Settings.instanceID]
        #expect(name.utf8.count == 32)
        try await store.settings.set(["instance_id": "mine"])
        #expect(try await store.settings.values()[Settings.instanceID] == name)
        #expect(try await Store.inMemory().settings.values()[Settings.instanceID] != name)
    }
}
