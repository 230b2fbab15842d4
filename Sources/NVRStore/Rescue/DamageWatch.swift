#if canImport(Glibc)
    import Glibc
#endif
package import NVRBase
import Synchronization

/// Hears of damage that SQLite finds while the database is used, and leaves a mark in the folder, so that the next start looks at all of
/// the database even when nobody lives to tell. Any thread may use it.
package final class DamageWatch: Sendable {
    /// The first damage, once.
    package let broadcast = Broadcast<String>()
    private let marker: String?
    private let first = Mutex<String?>(nil)

    /// `marker`: the file that is left; nil leaves none.
    init(marker: String?) { self.marker = marker }

    /// What was found first; nil while nothing was.
    package var found: String? { first.withLock { $0 } }

    package func note(_ text: String) {
        let isNew = first.withLock { first in
            defer { first = first ?? text }
            return first == nil
        }
        guard isNew else { return }
        if let marker {
            let descriptor = open(marker, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            if descriptor >= 0 {
                // The mark is the file itself; its text is for people.
                _ = write(descriptor, text, text.utf8.count)
                fsync(descriptor)
                close(descriptor)
            }
        }
        broadcast.send(text)
    }
}
