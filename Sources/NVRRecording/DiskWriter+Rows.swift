import Logging
import NVRBase
import NVRModel
import NVRStore
import Synchronization

/// Rows, on the writing threads: a file and its row follow each other in a fixed order.
extension DiskWriter {
    /// Announces a segment.
    func intend(_ segment: Segment, isContinuous: Bool, on lane: WritingLane) throws -> ID<Segment> {
        // The database takes the older ones first.
        if lane.rows.withLock({ $0.isDue(now: clock.monotonic()) }) { tryRows(lane) }
        return try lane.thread.outside { try blockingWait { [ledger] in try await ledger.intend(segment, isContinuous: isContinuous) } }
    }

    /// False when the segment was deleted meanwhile.
    func list(_ id: ID<Segment>, end: WallTime, bytes: Int64, initLength: Int64, on lane: WritingLane) throws -> Bool {
        try lane.thread.outside {
            try blockingWait { [ledger] in
                try await ledger.commit([.begin(id, end: end, bytes: bytes, initLength: initLength)]).first?.isKept ?? false
            }
        }
    }

    /// Takes a row that must be entered sooner or later: at once when the database allows it, else as soon as it does. Meanwhile the
    /// segment plays as a growing one.
    func settle(_ entry: WaitingRows.Entry, on lane: WritingLane) {
        if let left = lane.rows.withLock({ $0.add(entry) }) {
            growing.remove(left.change.id)
            logger.error("too many rows wait for the database; the next start finishes this segment", metadata: ["segment": "\(left.change.id)"])
        }
        tryRows(lane)
    }

    /// The same from elsewhere.
    package func settleSoon(_ entry: WaitingRows.Entry) async {
        let lane = lane(of: entry.volume)
        // The thread only refuses when it has ended, and then the next start does it.
        try? await lane.thread.run { [self] in settle(entry, on: lane) }
    }

    /// Tries all rows that wait; what is refused again is tried later.
    func tryRows(_ lane: WritingLane) {
        let entries = lane.rows.withLock { $0.takeAll() }
        guard !entries.isEmpty else { return }
        var rest: [WaitingRows.Entry] = []
        var isRefused = false
        for var entry in entries {
            guard !isRefused else {
                rest.append(entry)
                continue
            }
            do {
                switch entry.before {
                case .nothing: break
                case .sync(let file): try file.finish()
                case .unlink(let path): try POSIXFile.remove(path)
                }
                entry.before = .nothing
                let change = entry.change
                _ = try lane.thread.outside { try blockingWait { [ledger] in try await ledger.commit([change]) } }
                growing.remove(change.id)
            } catch let error as FileError where error.isOfVolume && !layout.volumes.isUsable(entry.volume) {
                // The row stays as it is until the volume is back: then its file tells the rest.
                growing.remove(entry.change.id)
            } catch {
                rest.append(entry)
                note(error, on: lane)
                // A full disk refuses the others as well.
                isRefused = (error as? NVRError)?.kind == .exhausted
            }
        }
        if let wait = lane.rows.withLock({ $0.putBack(rest, now: clock.monotonic()) }) {
            wake(lane, after: wait) { $0.tryRowsIfDue(lane) }
        } else if rowFailures.withLock({ $0.removeValue(forKey: lane.volume) != nil && $0.isEmpty }) {
            logger.notice("the database takes the rows of segments again")
        }
    }

    private func tryRowsIfDue(_ lane: WritingLane) {
        if lane.rows.withLock({ $0.isDue(now: clock.monotonic()) }) { tryRows(lane) }
    }

    /// Logged once until the database works again.
    private func note(_ error: any Error, on lane: WritingLane) {
        let isNew = rowFailures.withLock { failures in
            defer { failures[lane.volume] = "\(error)" }
            return failures.isEmpty
        }
        if isNew {
            logger.error(
                "a recorded segment cannot be entered in the database; it is tried until it can", metadata: ["error": "\(error)"])
        }
    }
}
