import Files
import Synchronization

/// Space of volumes that the files being written have taken before they fill it, bytes. Whoever compares free space with what was written
/// adds it. Any thread may ask.
package final class SpaceAhead: Sendable {
    private let total = Mutex<Int64>(0)

    package init() {}

    package var bytes: Int64 { total.withLock { $0 } }

    fileprivate func change(by bytes: Int64) { total.withLock { $0 += bytes } }
}

/// The space behind the end of one file. Confined to a lock of the file.
struct Reservation {
    /// Bytes that are taken at once.
    static let step: Int64 = 8 << 20
    /// Bytes that have to be free for it: on a small or nearly full volume every block is for footage.
    static let leastFree: Int64 = 1 << 30

    /// Where it ends; 0 when there is none.
    private(set) var end: Int64 = 0
    /// What is not filled yet.
    private var rest: Int64 = 0
    private var isOff = false
    private var total: SpaceAhead?

    /// Before bytes up to `length` are written. A file system that has no such thing is asked once.
    mutating func extend(to length: Int64, of descriptor: Int32, path: String, counting total: SpaceAhead) {
        guard !isOff else { return }
        self.total = total
        if length > end {
            guard FileSpace.isExt4(descriptor) else {
                isOff = true
                return
            }
            // Where the volume cannot be asked, the write itself says what is wrong.
            guard let space = try? POSIXFile.space(at: path), space.free >= Self.leastFree else { return }
            let wanted = length + Self.step
            guard FileSpace.reserve(descriptor, from: end, length: wanted - end) else {
                isOff = true
                return
            }
            end = wanted
        }
        note(max(0, end - length))
    }

    /// It is given back, or was never there.
    mutating func clear() {
        end = 0
        note(0)
    }

    /// No more of it from now on.
    mutating func finish() { isOff = true }

    private mutating func note(_ rest: Int64) {
        total?.change(by: rest - self.rest)
        self.rest = rest
    }
}
