// What belongs here: a bucket in memory that does what real ones do, and what broken ones do.
import NVRBase
import NVRModel
import NVRRecording
import Synchronization

final class MemoryVolume: RemoteVolume {
    struct State: Sendable {
        var files: [String: [UInt8]] = [:]
        var uploads: [String: (path: String, parts: [Int: [UInt8]])] = [:]
        var isMarked = false
        /// It cannot be reached.
        var isAway = false
        /// Another bucket under the same address.
        var isSwapped = false
        /// Deletes nothing, and does not say so.
        var keepsAll = false
        /// Stores other bytes than it was given.
        var garbles = false
        /// Bytes that were sent to it.
        var sent = 0
        var abandoned: [String] = []
    }

    static let partBytes = 8000

    let name = "bucket"
    let state = Mutex(State())

    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
    subscript<Value: Sendable>(path: KeyPath<State, Value>) -> Value { state.withLock { $0[keyPath: path] } }
    var paths: [String] { state.withLock { $0.files.keys.sorted() } }

    private func reached<Value: Sendable>(_ body: (inout State) throws -> Value) throws -> Value {
        try state.withLock { state in
            if state.isAway { throw NVRError(.unavailable, "the bucket cannot be reached") }
            return try body(&state)
        }
    }

    private struct File: FootageFile {
        let volume: MemoryVolume
        let path: String
        let bytes: [UInt8]
        func length() throws -> Int64 { Int64(bytes.count) }
        func read(at offset: Int64, count: Int) throws -> [UInt8] {
            try volume.reached { _ in offset < bytes.count ? Array(bytes[Int(offset)..<min(bytes.count, Int(offset) + count)]) : [] }
        }
    }

    func open(_ path: String) throws -> any FootageFile {
        try reached { state in
            guard let bytes = state.isSwapped ? nil : state.files[path] else { throw NVRError(.notFound, "File not found") }
            return File(volume: self, path: path, bytes: bytes)
        }
    }

    var loss: VolumeLoss? {
        state.withLock { state in
            guard state.isMarked, state.isAway || state.isSwapped else { return nil }
            return VolumeLoss(state.isAway ? .unreachable : .notMounted, "gone", since: wallZero)
        }
    }

    func isRightOne() async -> Bool { state.withLock { $0.isMarked && !$0.isAway && !$0.isSwapped } }
    func mark() async throws {
        try reached { state in
            if state.isSwapped { throw NVRError(.unavailable, "it is another bucket") }
            state.isMarked = true
        }
    }

    func size(of path: String) async throws -> Int64? {
        try reached { $0.isSwapped ? nil : $0.files[path].map { Int64($0.count) } }
    }

    func read(_ path: String, _ range: Range<Int64>) async throws -> [UInt8] {
        try open(path).read(at: range.lowerBound, count: range.count)
    }

    func remove(_ paths: [String]) async throws {
        try reached { state in
            if !state.keepsAll { for path in paths { state.files.removeValue(forKey: path) } }
        }
    }

    /// Two at a time, in the order of their ends: lists need not be sorted by keys.
    func list(after: String?) async throws -> RemotePage {
        try reached { state in
            let sorted = state.isSwapped ? [] : state.files.keys.sorted { $0.reversed().lexicographicallyPrecedes($1.reversed()) }
            let first = after.flatMap { Int($0) } ?? 0
            let page = sorted.dropFirst(first).prefix(2)
            return RemotePage(page.map { ($0, Int64(state.files[$0]?.count ?? 0)) }, next: first + 2 < sorted.count ? String(first + 2) : nil)
        }
    }

    private final class Upload: RemoteUpload {
        let volume: MemoryVolume
        let path: String
        let length: Int64
        let token: String

        init(_ volume: MemoryVolume, _ path: String, _ length: Int64, _ token: String) {
            (self.volume, self.path, self.length, self.token) = (volume, path, length, token)
        }

        var next: Range<Int64>? {
            volume.state.withLock { state in
                let there = state.uploads[token]?.parts ?? [:]
                let size = Int64(MemoryVolume.partBytes)
                return (0..<Int((length + size - 1) / size)).first { there[$0] == nil }.map { Int64($0) * size..<min(length, Int64($0 + 1) * size) }
            }
        }

        func send(_ bytes: [UInt8]) async throws {
            guard let range = next else { return }
            try volume.reached { state in
                state.uploads[token]?.parts[Int(range.lowerBound) / MemoryVolume.partBytes] = bytes
                state.sent += bytes.count
            }
        }

        func finish() async throws {
            try volume.reached { state in
                guard let upload = state.uploads.removeValue(forKey: token) else { throw NVRError(.notFound, "no such upload") }
                var bytes = upload.parts.sorted { $0.key < $1.key }.flatMap(\.value)
                if state.garbles { bytes[bytes.count / 2] ^= 1 }
                state.files[path] = bytes
            }
        }
    }

    func upload(_ path: String, length: Int64, goingOnWith token: String?) async throws -> any RemoteUpload {
        try reached { state in
            if let token, state.uploads[token] != nil { return Upload(self, path, length, token) }
            let new = "u\(state.uploads.count + state.abandoned.count + state.files.count)-\(state.sent)"
            state.uploads[new] = (path, [:])
            return Upload(self, path, length, new)
        }
    }

    func abandon(_ path: String, token: String) async throws {
        try reached { state in
            if state.uploads.removeValue(forKey: token) != nil { state.abandoned.append(token) }
        }
    }

    func abandonUploads(but kept: [(path: String, token: String)]) async throws -> Int {
        try reached { state in
            let gone = state.uploads.filter { upload in !kept.contains { $0.token == upload.key && $0.path == upload.value.path } }.keys
            for token in gone { state.uploads.removeValue(forKey: token) }
            state.abandoned += gone
            return gone.count
        }
    }
}
