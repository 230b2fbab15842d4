#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import Synchronization

/// Disk space that is kept for the database: a file that is given up when the disk is full, so that rows can still be written, above
/// all those by which footage is deleted and space comes back. It is made again when there is space.
final class SpaceReserve: Sendable {
    static let fileName = "reserve"
    /// Bytes, and the part of the volume that they are at most.
    private static let mostBytes: Int64 = 8 << 20
    private static let smallestPart: Int64 = 64
    /// Microseconds between tries to take the space again.
    private static let patience: Int64 = 10_000_000

    private struct State {
        var isHeld = false
        var nextTry: Int64 = 0
    }

    private let path: String
    private let clock: any NVRClock
    private let state = Mutex(State())

    /// Takes the space in `folder` if there is enough.
    init(folder: String, clock: any NVRClock = SystemClock()) {
        path = folder + "/" + Self.fileName
        self.clock = clock
        restoreIfDue()
    }

    /// Gives the space to the disk; false when there is none to give.
    func release() -> Bool {
        state.withLock { state in
            guard state.isHeld, unlink(path) == 0 else { return false }
            state.isHeld = false
            state.nextTry = clock.monotonic() + Self.patience
            return true
        }
    }

    /// Takes the space again when it was given up and the disk has several times as much.
    func restoreIfDue() {
        state.withLock { state in
            guard !state.isHeld, clock.monotonic() >= state.nextTry else { return }
            state.nextTry = clock.monotonic() + Self.patience
            state.isHeld = Self.take(path)
        }
    }

    /// True when a file of the right size is there now.
    private static func take(_ path: String) -> Bool {
        var volume = statvfs()
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var file = stat()
        guard fstatvfs(descriptor, &volume) == 0, fstat(descriptor, &file) == 0 else { return false }
        let block = Int64(volume.f_frsize)
        let bytes = min(mostBytes, Int64(clamping: volume.f_blocks) * block / smallestPart)
        if Int64(file.st_blocks) * 512 >= bytes { return true }
        guard Int64(clamping: volume.f_bavail) * block >= 4 * bytes, posix_fallocate(descriptor, 0, off_t(bytes)) == 0 else {
            unlink(path)
            return false
        }
        return true
    }
}
