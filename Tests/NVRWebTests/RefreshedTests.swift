import NVRWeb
import Testing

@Suite("Values that are made anew every few seconds")
struct RefreshedTests {
    @Test("One makes a value that is due, and the others get the one before meanwhile, but none that is old")
    func refresh() async {
        let value = Refreshed<Int>(every: 1_000_000)
        #expect(await value.value(at: 0) { 1 } == 1)
        #expect(await value.value(at: 999_999) { 2 } == 1)
        // Due: while it is made, others are not kept waiting.
        let made = await value.value(at: 1_000_000) {
            #expect(await value.value(at: 1_500_000) { 9 } == 1)
            #expect(await value.value(at: 9_000_000) { 7 } == 7)
            return 3
        }
        #expect(made == 3)
        #expect(await value.value(at: 1_500_000) { 4 } == 3)
        #expect(await value.value(at: 1_500_000, if: { $0 > 3 }) { 5 } == 5)
    }

    @Test("Who fails leaves it to the next")
    func failure() async throws {
        struct Broken: Error {}
        let value = Refreshed<Int>(every: 1_000_000)
        _ = await value.value(at: 0) { 1 }
        await #expect(throws: Broken.self) { try await value.value(at: 2_000_000) { throw Broken() } }
        #expect(await value.value(at: 2_000_000) { 2 } == 2)
    }
}
