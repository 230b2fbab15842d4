// What belongs in Libav: safe Swift over the libav* C libraries (demuxing, decoding, scaling, encoding), without NVR words; nothing else imports CFFmpeg.

import CFFmpeg

/// The library as a whole: one-time set-up that every wrapper runs before its first call into C.
package enum Libav {
    /// Versions of the linked libraries, for logs and the health page ("libavformat 59.27.100 …").
    package static var versions: String {
        func text(_ name: String, _ version: UInt32) -> String {
            "\(name) \(version >> 16).\((version >> 8) & 0xff).\(version & 0xff)"
        }
        return [
            text("libavformat", avformat_version()),
            text("libavcodec", avcodec_version()),
            text("libswscale", swscale_version()),
            text("libswresample", swresample_version()),
        ].joined(separator: ", ")
    }

    /// Runs once per process, on first use: takes libav's log off stderr (it prints URLs with credentials).
    static let setUp: Void = {
        LibavLog.takeOver()
    }()
}
