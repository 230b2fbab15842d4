import Synchronization

/// The records that were decrypted last, of all files together: players read a record in many small pieces. Any thread may use it.
final class RecordCache: Sendable {
    struct Key: Sendable, Hashable {
        /// Of the open file.
        var file: UInt64
        var record: Int
    }

    private struct State {
        var records: [Key: (bytes: [UInt8], lastUse: UInt64)] = [:]
        var bytes = 0
        var uses: UInt64 = 0
        var files: UInt64 = 0
    }

    /// Bytes that are kept at most.
    private let budget: Int
    private let state = Mutex(State())

    init(budget: Int) { self.budget = budget }

    /// A number for a file that is opened.
    func nextFile() -> UInt64 {
        state.withLock { state in
            state.files += 1
            return state.files
        }
    }

    func record(_ key: Key) -> [UInt8]? {
        state.withLock { state in
            guard let bytes = state.records[key]?.bytes else { return nil }
            state.uses += 1
            state.records[key]?.lastUse = state.uses
            return bytes
        }
    }

    func keep(_ bytes: [UInt8], as key: Key) {
        guard bytes.count <= budget else { return }
        state.withLock { state in
            state.uses += 1
            if let old = state.records.updateValue((bytes, state.uses), forKey: key) { state.bytes -= old.bytes.count }
            state.bytes += bytes.count
            guard state.bytes > budget else { return }
            // A quarter at a time, so that not every record looks for the oldest.
            for (key, record) in state.records.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
                guard state.bytes > budget / 4 * 3 else { break }
                state.records.removeValue(forKey: key)
                state.bytes -= record.bytes.count
            }
        }
    }
}
