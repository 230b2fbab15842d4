#if canImport(Glibc)
    import Glibc
#endif
package import Logging
import ServiceLifecycle

/// Memory that is free within this process, which the C library keeps: its heaps shrink at their ends only, so that one small piece at the
/// end of a heap holds all that was free before it, for instance what waited for a disk that hung for half a minute.
package enum AllocatorMemory {
    /// Has the C library keep less, before threads are made: as many heaps as threads can run at once and some more, not eight times as many, and
    /// of each no more than a MB at its end. By itself the latter grows to twice the largest piece that was ever freed. Pieces of 4 MB and
    /// more come from the system and go back to it. Does nothing where there is no such call (mallopt(3)), and when somebody set any of
    /// these for the program.
    package static func keepLess(cores: Int) {
        let names: [String] = ["MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"]
        guard !names.contains(where: { getenv($0) != nil }), let program = dlopen(nil, RTLD_NOW) else { return }
        defer { dlclose(program) }
        guard let symbol = dlsym(program, "mallopt") else { return }
        let set = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)
        // M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX of <malloc.h>.
        _ = set(-1, 1 << 20)
        _ = set(-3, 4 << 20)
        _ = set(-8, Int32(clamping: cores + 2))
    }

    /// Gives whole free pages back to the system (malloc_trim(3)); they come back as they are needed. Takes milliseconds, in which other
    /// threads may wait for memory. Does nothing where the C library has no such call.
    package static func giveBack() {
        guard let program = dlopen(nil, RTLD_NOW) else { return }
        defer { dlclose(program) }
        guard let symbol = dlsym(program, "malloc_trim") else { return }
        _ = unsafeBitCast(symbol, to: (@convention(c) (Int) -> Int32).self)(0)
    }

    /// Bytes of memory of this process that no file holds (`RssAnon` of proc(5)); nil when the system does not say.
    package static var bytes: Int64? {
        guard let file = fopen("/proc/self/status", "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split { " \t\n".contains($0) }
            if words.first == "RssAnon:", words.count > 1 { return Int64(words[1]).map { $0 * 1024 } }
        }
        return nil
    }
}

/// When memory is worth giving back: what is given back and taken again at once costs time. What is in use while it is tried may be free
/// soon after, so it is tried again for a while before the process counts as one that needs more. Pure.
package struct MemoryPace: Sendable, Equatable {
    /// Bytes that the process has to have grown by since it was smallest.
    package static let leastGrowth: Int64 = 8 << 20
    /// Tries in a row that leave the process larger by that, after which it needs what it has.
    package static let mostTries = 20

    private var settled: Int64?
    private var tries = 0

    package init() {}

    /// `bytes`: of the process now.
    package func isDue(_ bytes: Int64) -> Bool { bytes >= (settled ?? 0) + Self.leastGrowth }

    /// `bytes`: of the process after memory was given back.
    package mutating func gaveBack(_ bytes: Int64) {
        tries += 1
        guard let settled, bytes >= settled + Self.leastGrowth, tries < Self.mostTries else {
            settled = bytes
            tries = 0
            return
        }
    }

    /// The process may have shrunk by itself.
    package mutating func saw(_ bytes: Int64) { settled = settled.map { min($0, bytes) } }
}

/// Looks twice a minute whether the process holds more than it needs, and gives that back.
package struct MemoryKeeping: Service {
    private let logger: Logger

    package init(logger: Logger) { self.logger = logger }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var pace = MemoryPace()
            // Thrown by the end of the program.
            while (try? await Task.sleep(for: .seconds(30), tolerance: .seconds(5))) != nil {
                guard let before = AllocatorMemory.bytes else { return }
                pace.saw(before)
                guard pace.isDue(before) else { continue }
                AllocatorMemory.giveBack()
                let after = AllocatorMemory.bytes ?? before
                pace.gaveBack(after)
                logger.debug("free memory was given back", metadata: ["bytes": "\(before - after)"])
            }
        }
    }
}
