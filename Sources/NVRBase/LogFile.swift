import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The log on disk: `vibenvr.log`, and older ones as `vibenvr.log.1`, `.2`, … It is written on a thread of its own, so that nobody who
/// logs waits for a disk; lines that come faster than it takes them are counted and left out. Any thread may use it.
package final class LogFile: Sendable {
    /// When a file is full, and how many old ones are kept.
    package struct Limits: Sendable, Equatable {
        package var bytes: Int64
        package var backups: Int

        package init(bytes: Int64, backups: Int) {
            self.bytes = bytes
            self.backups = backups
        }
    }

    package static let name = "vibenvr.log"

    private struct State {
        var lines = BoundedQueue<String>(maxCount: 4096, maxBytes: 1 << 20)
        var told = 0
        /// Whether the thread will look at the lines.
        var isAwaited = false
        var folder: String?
        var limits = Limits(bytes: 50 << 20, backups: 5)
        var isClosed = false
    }

    /// Touched only on the thread.
    private final class Output: @unchecked Sendable {
        var descriptor: Int32 = -1
        var length: Int64 = 0
    }

    private let state = Mutex(State())
    private let output = Output()
    private let thread = BlockingThread(name: "log", stackBytes: 256 * 1024)

    package init() {}

    /// Begins to write into a folder, which is made with mode 0700; lines that came before go there, too.
    package func open(folder: String) throws {
        if mkdir(folder, 0o700) != 0, errno != EEXIST {
            throw NVRError(.unavailable, "the log folder \(folder) cannot be made: \(String(cString: strerror(errno)))")
        }
        state.withLock { $0.folder = folder }
        awaken()
    }

    /// Takes effect with the next line.
    package func setLimits(_ limits: Limits) { state.withLock { $0.limits = limits } }

    /// Adds a line, which is given without its end.
    package func write(_ line: String) {
        let isTaken = state.withLock { state in !state.isClosed && state.lines.append(line, bytes: line.utf8.count + 1) }
        if isTaken { awaken() }
    }

    /// Writes what is left. Waits for the disk.
    package func close() async {
        state.withLock { $0.isClosed = true }
        // Thrown when the thread could never be made; then nothing was written.
        try? await thread.run { [self] in
            drain()
            if output.descriptor >= 0 { Glibc.close(output.descriptor) }
            output.descriptor = -1
        }
        thread.stop()
    }

    private func awaken() {
        let isNeeded = state.withLock { state in
            guard state.folder != nil, !state.isAwaited else { return false }
            state.isAwaited = true
            return true
        }
        if isNeeded { thread.enqueue { [self] in drain() } }
    }

    // MARK: On the thread

    private func drain() {
        let (lines, folder, limits, lost) = state.withLock { state in
            state.isAwaited = false
            let lost = state.lines.dropped - state.told
            state.told = state.lines.dropped
            return (state.lines.removeAll(), state.folder, state.limits, lost)
        }
        guard let folder else { return }
        let path = folder + "/" + Self.name
        var text: [UInt8] = []
        for line in lines + (lost > 0 ? ["level=warning source=NVRBase msg=\"\(lost) lines of the log were left out\""] : []) {
            let bytes = Array(line.utf8) + [UInt8(ascii: "\n")]
            openIfNeeded(path)
            if output.length + Int64(text.count + bytes.count) > limits.bytes, output.length + Int64(text.count) > 0 {
                append(text)
                text = []
                rotate(folder, keeping: limits.backups)
                openIfNeeded(path)
            }
            text += bytes
        }
        append(text)
    }

    /// Opens the file, also anew when somebody took it away.
    private func openIfNeeded(_ path: String) {
        var status = stat()
        if output.descriptor >= 0, fstat(output.descriptor, &status) == 0, status.st_nlink > 0 { return }
        if output.descriptor >= 0 { Glibc.close(output.descriptor) }
        output.descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        output.length = output.descriptor >= 0 && fstat(output.descriptor, &status) == 0 ? Int64(status.st_size) : 0
    }

    /// A disk that is full loses lines; standard error has them.
    private func append(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while output.descriptor >= 0, !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(output.descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            output.length += Int64(count)
            rest = rest.dropFirst(count)
        }
    }

    private func rotate(_ folder: String, keeping backups: Int) {
        if output.descriptor >= 0 { Glibc.close(output.descriptor) }
        output.descriptor = -1
        let numbers = Self.backups(in: folder)
        for number in numbers where number >= max(1, backups) { unlink(Self.path(folder, number)) }
        for number in numbers.sorted(by: >) where number < backups { rename(Self.path(folder, number), Self.path(folder, number + 1)) }
        if backups > 0 {
            rename(Self.path(folder, 0), Self.path(folder, 1))
        } else {
            unlink(Self.path(folder, 0))
        }
    }

    // MARK: Names

    /// Number 0 is the file that is being written.
    static func path(_ folder: String, _ number: Int) -> String { number == 0 ? "\(folder)/\(name)" : "\(folder)/\(name).\(number)" }

    /// The numbers of the old files in a folder.
    static func backups(in folder: String) -> [Int] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var numbers: [Int] = []
        while let entry = readdir(directory) {
            let file = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard file.hasPrefix(name + "."), let number = Int(file.dropFirst(name.count + 1)), number > 0, number <= 100_000 else { continue }
            numbers.append(number)
        }
        return numbers
    }
}
