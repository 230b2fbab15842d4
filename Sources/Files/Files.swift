// Calls of the system for files that Swift does not show.

import CFiles

#if canImport(Glibc)
    import Glibc
#endif

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

/// What an open file holds and the disk may not, on Linux.
package enum FileContent {
    /// Waits until the file's contents from `offset` on are on the disk, but not for what the file system notes of them: only a sync makes
    /// sure of that. Gives the error of a write that failed, which a later sync does not tell any more; 0 when none did.
    package static func writeOut(_ descriptor: Int32, from offset: Int64) -> Int32 {
        guard cfiles_write_out(descriptor, Int(offset)) != 0 else { return 0 }
        // File systems without it, and what is no plain file.
        return [ENOSYS, EINVAL, ESPIPE, EOPNOTSUPP].contains(errno) ? 0 : errno
    }
}
