import Synchronization

/// How many streams are transcoded at a time on this machine, and what that has cost. Any thread may use it.
package final class TranscodeRoom: Sendable {
    package struct Reading: Sendable, Equatable {
        /// Streams that are transcoded now.
        package var running = 0
        /// Begun since the start.
        package var begun = 0
        /// Not begun because there was no room, each counted once.
        package var refused = 0
        /// Pictures encoded.
        package var pictures = 0
        /// Pictures left out because the machine did not keep up.
        package var dropped = 0

        package init() {}
    }

    /// 0 switches transcoding off.
    package let most: Int
    private let state = Mutex(Reading())

    package init(most: Int) { self.most = max(0, most) }

    package var isOn: Bool { most > 0 }
    package var reading: Reading { state.withLock { $0 } }

    /// False when there is no more room; else `leave` has to follow. `isNew`: whether a refusal is one that was not counted yet.
    func enter(isNew: Bool) -> Bool {
        state.withLock { state in
            guard state.running < most else {
                if isNew { state.refused += 1 }
                return false
            }
            state.running += 1
            state.begun += 1
            return true
        }
    }

    func leave() { state.withLock { $0.running -= 1 } }
    func note(pictures: Int) { state.withLock { $0.pictures += pictures } }
    func note(dropped: Int) { state.withLock { $0.dropped += dropped } }
}
