import CFFmpeg

/// One demuxed packet: compressed bytes and their times in ticks of the stream's time base. Owns one AVPacket.
///
/// @unchecked Sendable is safe: the packet is never changed after its creation, and libav counts references to its
/// buffer atomically.
package final class Packet: @unchecked Sendable {
    private let handle: UnsafeMutablePointer<AVPacket>

    package let streamIndex: Int
    package let pts: Int64?
    package let dts: Int64?
    /// 0 when unknown.
    package let duration: Int64
    package let isKey: Bool
    /// The demuxer believes that something is missing or wrong.
    package let isCorrupt: Bool
    /// Bytes.
    package let count: Int

    /// Takes ownership of `handle`.
    init(_ handle: UnsafeMutablePointer<AVPacket>) {
        self.handle = handle
        streamIndex = Int(handle.pointee.stream_index)
        pts = timestamp(handle.pointee.pts)
        dts = timestamp(handle.pointee.dts)
        duration = max(0, handle.pointee.duration)
        isKey = handle.pointee.flags & AV_PKT_FLAG_KEY != 0
        isCorrupt = handle.pointee.flags & AV_PKT_FLAG_CORRUPT != 0
        count = handle.pointee.data == nil ? 0 : max(0, Int(handle.pointee.size))
    }

    deinit {
        var pointer: UnsafeMutablePointer<AVPacket>? = handle
        av_packet_free(&pointer)
    }

    /// The bytes in place, valid only inside `body`.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(start: handle.pointee.data, count: count))
    }

    /// A copy of the bytes.
    package var bytes: [UInt8] {
        withBytes { [UInt8]($0) }
    }

    /// Parameter sets that the demuxer says are valid from this packet on (a stream that changed in the middle).
    package var newExtradata: [UInt8]? {
        var size = 0
        guard let pointer = av_packet_get_side_data(handle, AV_PKT_DATA_NEW_EXTRADATA, &size), size > 0 else { return nil }
        return [UInt8](UnsafeBufferPointer(start: pointer, count: size))
    }
}
