import CZlib

/// Compressed files (RFC 1952) in memory. Pure; time and memory are bounded by what the caller allows.
package enum Gzip {
    /// Why a file cannot be read.
    package enum Failure: Error, Sendable, Hashable {
        /// It is damaged, or ends too early.
        case damaged
        /// It unpacks to more than it may.
        case tooLarge
    }

    /// Bytes that are unpacked in one step.
    private static let step = 64 << 10
    /// `windowBits` of the largest window, with a header of gzip around it (zlib.h, inflateInit2).
    private static let gzipWindow: Int32 = 15 + 16

    /// Whether a file begins as compressed ones do.
    package static func isCompressed(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x1F, 0x8B, 0x08]) }

    /// What was compressed: one member, with nothing but zeros behind it.
    package static func decompress(_ bytes: [UInt8], atMost limit: Int) throws(Failure) -> [UInt8] {
        var stream = z_stream()
        guard inflateInit2_(&stream, gzipWindow, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK else { throw .damaged }
        defer { inflateEnd(&stream) }
        var input = bytes
        var output: [UInt8] = []
        let outcome = input.withUnsafeMutableBufferPointer { source -> Result<Void, Failure> in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            while true {
                var code = Z_OK
                let piece = [UInt8](unsafeUninitializedCapacity: step) { buffer, filled in
                    stream.next_out = buffer.baseAddress
                    stream.avail_out = UInt32(buffer.count)
                    code = inflate(&stream, Z_NO_FLUSH)
                    filled = buffer.count - Int(stream.avail_out)
                }
                guard output.count + piece.count <= limit else { return .failure(.tooLarge) }
                output += piece
                if code == Z_STREAM_END { return source.suffix(Int(stream.avail_in)).allSatisfy { $0 == 0 } ? .success(()) : .failure(.damaged) }
                // Without progress there never will be any.
                guard code == Z_OK, !piece.isEmpty || stream.avail_in > 0 else { return .failure(.damaged) }
            }
        }
        try outcome.get()
        return output
    }
}
