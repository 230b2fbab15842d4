import NVRBase

/// Rounds of syncing and further tries, each on the thread of its lane.
extension DiskWriter {
    func syncIfDue(_ lane: WritingLane) {
        switch lane.takeRound(now: clock.monotonic(), isEnding: isStopping) {
        case .none: return
        case .later(let wait):
            wake(lane, after: wait) { disk in
                lane.syncIsNotAwaited()
                disk.syncIfDue(lane)
            }
        case .now(let due):
            for pen in due { pen.beginWriteback() }
            for pen in due {
                lane.thread.nextStep()
                pen.awaitWriteback()
            }
            for pen in due {
                lane.thread.nextStep()
                pen.sync()
            }
            noteSyncs(due.count)
        }
    }

    /// A recording whose write was refused gets another turn soon, together with all others that wait; the thread does not.
    func retryLater(_ turn: WritingLane.Turn) {
        let lane = turn.pen.lane
        if lane.refuse(turn) { wake(lane, after: Self.retryInterval) { $0.retryRefused(lane) } }
    }

    func retryRefused(_ lane: WritingLane) {
        for turn in lane.takeRefused() { turn.pen.drain(for: turn.writer) }
        syncIfDue(lane)
    }

    /// Runs `body` on a lane's thread after a while; not at all when the writer has ended by then.
    func wake(_ lane: WritingLane, after microseconds: Int64, _ body: @escaping @Sendable (DiskWriter) -> Void) {
        Task { [weak self] in
            // Nobody cancels it.
            try? await Task.sleep(for: .microseconds(microseconds))
            guard let self else { return }
            lane.thread.enqueue { body(self) }
        }
    }
}
