// WebUI hands out the web interface as it was compiled into the program. It knows nothing about what is in it, nor about HTTP.

import CWebUI

/// The web interface, compiled into the program by `CWebUI`.
package enum WebUI {
    /// The archive as `WebUI/build.mjs` made it; empty where it was not made before the program was compiled.
    package static var archive: [UInt8] {
        var length = 0
        let bytes = cwebui_archive(&length)
        return Array(UnsafeBufferPointer(start: bytes, count: length))
    }
}
