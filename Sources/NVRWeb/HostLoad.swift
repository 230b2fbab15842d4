import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// What the process and its machine are doing, read from /proc: the true numbers behind `/stats` and `/metrics`.
package final class HostLoad: Sendable {
    /// One reading. Rates are since the reading before, nil at the first; a value the system does not give is nil.
    package struct Reading: Sendable, Equatable {
        /// CPU of this process in percent of one core.
        package var cpuPercent: Double?
        /// CPU seconds of this process since its start.
        package var cpuSeconds: Double?
        /// Resident bytes of this process.
        package var residentBytes: Int64?
        /// Resident bytes that belong to this process alone (RssAnon).
        package var privateBytes: Int64?
        package var openFiles: Int?
        /// Megabits a second over all interfaces of the machine but loopback.
        package var receivedMbps: Double?
        package var sentMbps: Double?
        /// CPU of the whole machine in percent of all its cores.
        package var hostCPUPercent: Double?
        /// Memory of the machine that is not to be had, and all of it.
        package var hostUsedBytes: Int64?
        package var hostTotalBytes: Int64?

        package init() {}
    }

    private struct Sample {
        var at: Int64
        var cpuSeconds: Double?
        var received: Int64?
        var sent: Int64?
        var hostCPU: (busy: Int64, all: Int64)?
    }

    private struct State {
        var last: Sample?
        var reading: Reading?
        var readAt: Int64 = .min
    }

    private let state = Mutex(State())
    private let root: String

    /// Rates need two readings some time apart: closer ones answer with the last.
    package static let shortestInterval: Int64 = 1_000_000

    /// `root`: where /proc is mounted.
    package init(root: String = "/proc") { self.root = root }

    /// Reads a few small files of the kernel's memory, microseconds of work. `now`: monotonic microseconds.
    package func reading(at now: Int64) -> Reading {
        state.withLock { state in
            if let reading = state.reading, now - state.readAt < Self.shortestInterval { return reading }
            let network = networkBytes()
            let sample = Sample(at: now, cpuSeconds: cpuSeconds(), received: network?.received, sent: network?.sent, hostCPU: hostCPU())
            var reading = Reading()
            reading.cpuSeconds = sample.cpuSeconds
            if let last = state.last, now > last.at {
                let seconds = Double(now - last.at) / 1_000_000
                if let new = sample.cpuSeconds, let old = last.cpuSeconds { reading.cpuPercent = max(0, (new - old) / seconds * 100) }
                if let new = sample.received, let old = last.received {
                    reading.receivedMbps = Double(max(0, new - old)) * 8 / seconds / 1e6
                }
                if let new = sample.sent, let old = last.sent { reading.sentMbps = Double(max(0, new - old)) * 8 / seconds / 1e6 }
            }
            if let new = sample.hostCPU, let old = state.last?.hostCPU, new.all > old.all {
                reading.hostCPUPercent = min(100, max(0, Double(new.busy - old.busy) / Double(new.all - old.all) * 100))
            }
            (reading.hostUsedBytes, reading.hostTotalBytes) = hostMemory()
            let memory = memoryBytes()
            reading.residentBytes = memory.resident
            reading.privateBytes = memory.anonymous
            reading.openFiles = openFiles()
            state = State(last: sample, reading: reading, readAt: now)
            return reading
        }
    }

    private func cpuSeconds() -> Double? {
        // The second field is the program's name in parentheses and may hold anything; fields are counted behind the last one.
        guard let text = Self.text(of: "\(root)/self/stat"), let close = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Ticks of all cores together (proc_stat(5)): those that worked, and all.
    private func hostCPU() -> (busy: Int64, all: Int64)? {
        guard let line = Self.text(of: "\(root)/stat")?.split(separator: "\n").first, line.hasPrefix("cpu ") else { return nil }
        // user nice system idle iowait irq softirq steal; what guests take is in user already.
        let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int64($0) }
        guard ticks.count >= 4 else { return nil }
        let all = ticks.reduce(0, &+)
        return (all - ticks[3] - (ticks.count > 4 ? ticks[4] : 0), all)
    }

    private func hostMemory() -> (used: Int64?, total: Int64?) {
        guard let text = Self.text(of: "\(root)/meminfo") else { return (nil, nil) }
        func bytes(_ key: String) -> Int64? {
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return nil }
            let words = line.split(separator: " ")
            return words.count > 1 ? Int64(words[1]).map { $0 &* 1024 } : nil
        }
        guard let total = bytes("MemTotal:") else { return (nil, nil) }
        return (bytes("MemAvailable:").map { total - $0 }, total)
    }

    private func memoryBytes() -> (resident: Int64?, anonymous: Int64?) {
        guard let text = Self.text(of: "\(root)/self/status") else { return (nil, nil) }
        func kilobytes(_ key: String) -> Int64? {
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return nil }
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            return words.count > 1 ? Int64(words[1]).map { $0 &* 1024 } : nil
        }
        return (kilobytes("VmRSS:"), kilobytes("RssAnon:"))
    }

    private func openFiles() -> Int? {
        guard let directory = opendir("\(root)/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = -3  // ".", ".." and the directory itself
        while readdir(directory) != nil { count += 1 }
        return max(0, count)
    }

    private func networkBytes() -> (received: Int64, sent: Int64)? {
        guard let text = Self.text(of: "\(root)/net/dev") else { return nil }
        var received: Int64 = 0
        var sent: Int64 = 0
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            if line[..<colon].drop(while: { $0 == " " }) == "lo" { continue }
            let fields = line[line.index(after: colon)...].split(separator: " ")
            guard fields.count > 8, let down = Int64(fields[0]), let up = Int64(fields[8]) else { continue }
            received &+= down
            sent &+= up
        }
        return (received, sent)
    }

    /// The first 64 KiB of a file; nil when it cannot be read.
    private static func text(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                read(descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
            }
            if count <= 0 { break }
            filled += count
        }
        return String(decoding: bytes[..<filled], as: UTF8.self)
    }
}
