/// One allocation that is filled from the front and never rewritten behind what has been published.
///
/// `@unchecked Sendable`: the single writer (a `ChunkWriter`, confined to one event loop) only writes at offsets beyond
/// every published `MediaBytes`; readers only see offsets inside their published range. Publishing happens before the
/// slice is handed over, so readers never race with the writer.
final class MediaChunk: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(byteCount: max(capacity, 1), alignment: 16)
    }

    deinit {
        base.deallocate()
    }
}

/// Immutable bytes: a slice of an append-only, reference-counted chunk. Copying the value copies no bytes; the chunk lives
/// as long as any slice of it. Safe to share between threads because a published slice is never written again.
package struct MediaBytes: Sendable {
    let chunk: MediaChunk
    let offset: Int
    /// Number of bytes.
    package let count: Int

    init(chunk: MediaChunk, offset: Int, count: Int) {
        self.chunk = chunk
        self.offset = offset
        self.count = count
    }

    /// Copies `bytes` into a chunk of their own.
    package init(_ bytes: some Sequence<UInt8>) {
        let array = Array(bytes)
        self = array.withUnsafeBytes { MediaBytes(copying: $0) }
    }

    /// Copies `bytes` into a chunk of their own.
    package init(copying bytes: UnsafeRawBufferPointer) {
        chunk = MediaChunk(capacity: bytes.count)
        offset = 0
        count = bytes.count
        if let source = bytes.baseAddress, bytes.count > 0 {
            chunk.base.copyMemory(from: source, byteCount: bytes.count)
        }
    }

    /// Calls `body` with the bytes; the pointer must not outlive the call.
    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withExtendedLifetime(chunk) {
            try body(UnsafeRawBufferPointer(start: chunk.base + offset, count: count))
        }
    }
}

/// Assembles one unit after the other at the end of a chunk, moving to a fresh chunk when the current one is full.
/// Owned by one depacketizer; bytes of the unit in progress may be taken back, published ones may not.
package struct ChunkWriter {
    private var chunk: MediaChunk?
    private var start = 0
    private var end = 0
    private let preferredCapacity: Int
    private let unitLimit: Int

    /// `preferredCapacity`: bytes per chunk; `unitLimit`: the most bytes one unit may have.
    package init(preferredCapacity: Int, unitLimit: Int) {
        self.preferredCapacity = preferredCapacity
        self.unitLimit = unitLimit
    }

    /// Bytes of the unit in progress.
    package var count: Int { end - start }

    /// Makes room for `extra` more bytes of this unit; false when the unit would grow past its limit.
    @inline(__always)
    package mutating func reserve(_ extra: Int) -> Bool {
        if let chunk, extra <= chunk.capacity &- end, count &+ extra <= unitLimit { return true }
        return grow(extra)
    }

    @inline(never)
    private mutating func grow(_ extra: Int) -> Bool {
        let needed = count + extra
        guard needed <= unitLimit else { return false }
        if let chunk, extra <= chunk.capacity - end { return true }
        // A frame larger than half a chunk gets a chunk of its own with room to grow, so that it is moved seldom.
        let capacity = needed * 2 <= preferredCapacity ? preferredCapacity : needed * 2
        let fresh = MediaChunk(capacity: capacity)
        if let chunk, count > 0 {
            fresh.base.copyMemory(from: chunk.base + start, byteCount: count)
        }
        end = count
        start = 0
        chunk = fresh
        return true
    }

    /// Appends the bytes; false when the unit would grow past its limit (nothing is written then).
    @inline(__always)
    package mutating func append(_ view: ByteView) -> Bool {
        guard view.count > 0 else { return true }
        guard reserve(view.count), let chunk else { return false }
        (chunk.base + end).copyMemory(from: view.base, byteCount: view.count)
        end &+= view.count
        return true
    }

    /// Appends one byte; false when the unit would grow past its limit.
    package mutating func append(_ byte: UInt8) -> Bool {
        guard reserve(1), let chunk else { return false }
        chunk.base.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
        end += 1
        return true
    }

    /// Appends a 32-bit big-endian number; false when the unit would grow past its limit.
    package mutating func append(bigEndian value: UInt32) -> Bool {
        guard reserve(4), let chunk else { return false }
        (chunk.base + end).storeBytes(of: value.bigEndian, as: UInt32.self)
        end += 4
        return true
    }

    /// Writes a 32-bit big-endian number over four bytes of the unit in progress.
    package mutating func patch(bigEndian value: UInt32, at offset: Int) {
        guard let chunk, offset >= 0, offset + 4 <= count else { return }
        (chunk.base + start + offset).storeBytes(of: value.bigEndian, as: UInt32.self)
    }

    /// Takes bytes of the unit in progress back so that `count` bytes remain.
    package mutating func truncate(to count: Int) {
        if count >= 0, count < self.count { end = start + count }
    }

    /// The bytes of the unit in progress from `offset` on. Valid until the next mutation.
    package func view(from offset: Int) -> ByteView {
        guard let chunk, offset >= 0, offset <= count else { return .empty }
        return ByteView(base: UnsafeRawPointer(chunk.base + start + offset), count: count - offset)
    }

    /// Ends the unit and hands its bytes out; nil when it is empty.
    package mutating func publish() -> MediaBytes? {
        guard let chunk, count > 0 else { return nil }
        let bytes = MediaBytes(chunk: chunk, offset: start, count: count)
        start = end
        return bytes
    }
}
