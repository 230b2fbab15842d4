import Synchronization

/// The pictures that were asked for last, in memory: whoever drags along a timeline comes by the same ones again and again. Any thread
/// may use it.
final class RecentPictures: Sendable {
    private struct State {
        var pictures: [String: (media: StoredMedia, lastUse: UInt64)] = [:]
        var bytes: Int64 = 0
        var uses: UInt64 = 0
    }

    /// Bytes.
    private let budget: Int64
    private let state = Mutex(State())

    init(budget: Int64) { self.budget = budget }

    func picture(_ key: String) -> StoredMedia? {
        state.withLock { state in
            guard let media = state.pictures[key]?.media else { return nil }
            state.uses += 1
            state.pictures[key]?.lastUse = state.uses
            return media
        }
    }

    func keep(_ media: StoredMedia, as key: String) {
        state.withLock { state in
            state.uses += 1
            if let old = state.pictures.updateValue((media, state.uses), forKey: key) { state.bytes -= old.media.length }
            state.bytes += media.length
            while state.bytes > budget, let oldest = state.pictures.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                state.pictures.removeValue(forKey: oldest.key)
                state.bytes -= oldest.value.media.length
            }
        }
    }

    func forget() { state.withLock { $0 = State() } }
}
