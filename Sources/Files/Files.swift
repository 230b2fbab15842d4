// Calls of the system for files that Swift does not show.

import CFiles

/// Space of an open file behind its end, on Linux. Calls block as the disk does; nothing is kept.
package enum FileSpace {
    /// Takes blocks for `length` bytes from `offset` on, and leaves the length of the file as it is; false when the system refuses
    /// (fallocate(2), `FALLOC_FL_KEEP_SIZE`). Cutting the file gives back what lies behind its end.
    package static func reserve(_ descriptor: Int32, from offset: Int64, length: Int64) -> Bool {
        cfiles_reserve(descriptor, Int(offset), Int(length)) == 0
    }

    /// Whether the file lies on ext4, or on one of those before it.
    package static func isExt4(_ descriptor: Int32) -> Bool { cfiles_is_ext4(descriptor) != 0 }
}
