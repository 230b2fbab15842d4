import NVRBase
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Memory of the allocator", .serialized)
struct AllocatorMemoryTests {
    @Test("what was taken in small pieces and freed is given back, also when the last piece stays")
    func givesBack() throws {
        var pieces: [UnsafeMutableRawPointer] = []
        for _ in 0..<16_000 {
            let piece = try #require(malloc(4000))
            memset(piece, 1, 4000)
            pieces.append(piece)
        }
        let last = try #require(malloc(4000))
        defer { free(last) }
        let pages = Set(pieces.map { UInt(bitPattern: $0) & ~4095 })
        #expect(Self.resident(pages) == pages.count)
        for piece in pieces { free(piece) }
        AllocatorMemory.giveBack()
        // Other tests may have taken some of it again.
        #expect(Self.resident(pages) < pages.count / 2)
        #expect(try #require(AllocatorMemory.bytes) > 0)
    }

    /// How many of some pages are in memory (mincore(2)); the whole process cannot be asked, since other tests run in it.
    private static func resident(_ pages: Set<UInt>) -> Int {
        pages.count { page in
            var state: UInt8 = 0
            return mincore(UnsafeMutableRawPointer(bitPattern: page), 4096, &state) == 0 && state & 1 == 1
        }
    }

    @Test("memory is given back after growth, not again and again while as much is in use")
    func pace() {
        var pace = MemoryPace()
        let step = MemoryPace.leastGrowth
        #expect(pace.isDue(60 << 20))
        pace.gaveBack(50 << 20)
        pace.saw(57 << 20)
        #expect(!pace.isDue(57 << 20))
        #expect(pace.isDue((50 << 20) + step))
        // All of it is in use, and may be free soon: it is tried again, but not for ever.
        for _ in 1..<MemoryPace.mostTries {
            pace.gaveBack(70 << 20)
            #expect(pace.isDue(70 << 20))
        }
        pace.gaveBack(70 << 20)
        #expect(!pace.isDue(72 << 20) && pace.isDue((70 << 20) + step))
        // It went by itself, and comes again.
        pace.saw(52 << 20)
        #expect(!pace.isDue(52 << 20) && pace.isDue(62 << 20))
    }

    @Test("what was in use when it was tried is given back once it is free")
    func later() {
        var pace = MemoryPace()
        pace.gaveBack(24 << 20)
        #expect(pace.isDue(60 << 20))
        pace.gaveBack(60 << 20)
        pace.saw(54 << 20)
        #expect(pace.isDue(54 << 20))
        pace.gaveBack(26 << 20)
        #expect(!pace.isDue(26 << 20))
    }
}
