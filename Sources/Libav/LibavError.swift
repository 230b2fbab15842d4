import CFFmpeg

/// A failed libav call: its code, what was being done, and libav's own words. Never holds a URL or other input text,
/// so it may be logged and shown.
package struct LibavError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What a caller may want to react to; everything else is `.other`.
    package enum Reason: Hashable, Sendable {
        case endOfStream
        /// `Interrupt.cancel()` was called.
        case cancelled
        /// The interrupt's deadline passed, or the network timed out.
        case timedOut
        case refused
        case unauthorized
        case forbidden
        case notFound
        case serverError
        /// The bytes are not what they should be.
        case invalidInput
        /// No such decoder, encoder, stream or (allowed) protocol.
        case unsupported
        /// An RTSP server sends us elsewhere.
        case redirected
        case outOfMemory
        case other
    }

    /// libav's negative error code (an AVERROR).
    package let code: Int32
    /// What was being done, e.g. "open input".
    package let operation: String
    /// libav's text for the code.
    package let text: String
    package let reason: Reason

    package var description: String { "\(operation): \(text)" }

    /// `reason`: when the code alone does not tell.
    init(code: Int32, operation: String, reason: Reason? = nil) {
        self.code = code
        self.operation = operation
        var buffer = [CChar](repeating: 0, count: 128)
        // A code that libav does not know still fills the buffer with "Error number …".
        _ = av_strerror(code, &buffer, buffer.count)
        text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.reason = reason ?? Self.reason(of: code)
    }

    init(outOfMemoryIn operation: String) {
        self.init(code: cffmpeg_error_no_memory, operation: operation)
    }

    private static func reason(of code: Int32) -> Reason {
        switch code {
        case cffmpeg_error_eof: .endOfStream
        case cffmpeg_error_exit: .cancelled
        case cffmpeg_error_timed_out: .timedOut
        case cffmpeg_error_connection_refused: .refused
        case cffmpeg_error_http_unauthorized: .unauthorized
        case cffmpeg_error_http_forbidden: .forbidden
        case cffmpeg_error_http_not_found, cffmpeg_error_not_found: .notFound
        case cffmpeg_error_http_server_error: .serverError
        case cffmpeg_error_invalid_input, cffmpeg_error_http_bad_request, cffmpeg_error_http_other_4xx: .invalidInput
        case cffmpeg_error_decoder_not_found, cffmpeg_error_encoder_not_found, cffmpeg_error_stream_not_found,
            cffmpeg_error_protocol_not_found:
            .unsupported
        case cffmpeg_error_no_memory: .outOfMemory
        default: .other
        }
    }
}

/// The one place where a libav return code becomes an error; returns the code when it is not negative.
@discardableResult
func check(_ code: Int32, _ operation: @autoclosure () -> String) throws(LibavError) -> Int32 {
    guard code < 0 else { return code }
    throw LibavError(code: code, operation: operation())
}

/// The same for a call that returns nil when memory is out.
func check<T>(_ pointer: T?, _ operation: @autoclosure () -> String) throws(LibavError) -> T {
    guard let pointer else { throw LibavError(outOfMemoryIn: operation()) }
    return pointer
}
