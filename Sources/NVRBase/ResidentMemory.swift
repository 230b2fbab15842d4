#if canImport(Glibc)
    import Glibc
#endif

/// Gives memory back that only the start needed: pages of machine code. They come back from the file when they are run again, which
/// a clean private mapping allows at any time. Half of the server's resident memory otherwise is code of
/// libraries that ran once, and on a small machine that is memory for recordings.
package func releaseStartupPages() {
    guard let file = fopen("/proc/self/maps", "re") else { return }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 4096)
    var ranges: [(start: UInt, end: UInt)] = []
    while fgets(&line, Int32(line.count), file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let fields = text.split(separator: " ")
        // Only code: it is never written, so nothing is lost. Read-only data may hold relocations that exist nowhere else.
        guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
        let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        if bounds.count == 2, bounds[0] < bounds[1] { ranges.append((bounds[0], bounds[1])) }
    }
    for range in ranges {
        // A refusal leaves the pages where they are, which is harmless.
        madvise(UnsafeMutableRawPointer(bitPattern: range.start), Int(range.end - range.start), MADV_DONTNEED)
    }
}
