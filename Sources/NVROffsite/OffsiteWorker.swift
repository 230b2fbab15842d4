import ISOBMFF
import Logging
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import NIOCore
import S3
import Synchronization

/// Copies the events of one profile, the newest first: what happens now goes before what waits. One object or part at a time; after each
/// it looks anew. When the bucket cannot be reached it waits with growing patience, and nothing else waits with it.
final class OffsiteWorker: Sendable {
    /// What became of one look.
    private enum Step {
        case worked
        /// Nothing to do before somebody wakes it, or so many seconds have passed.
        case idle(Double?)
    }

    private enum Work {
        case did
        /// Footage is still to come.
        case waits
        case over(OffsiteEvent.Outcome)
    }

    /// Seconds of footage in a piece of a growing segment, and of an event's beginning that does not wait for a key frame.
    private static let pieceSeconds: Int64 = 10
    private static let hurrySeconds: Int64 = 3
    /// Bytes of a piece: large ones make few requests; with a limit of bytes a second, a piece should not keep a new event waiting long.
    private static let mostPiece: Int64 = 64 << 20
    /// Microseconds after the end of what is wanted from which on nothing more is waited for, when a segment is still being written.
    private static let patience: Int64 = 30_000_000
    /// Microseconds in which what was recorded gets to the disk.
    private static let grace: Int64 = 15_000_000
    /// Microseconds until a volume that was away is looked for again.
    private static let absence: Int64 = 60_000_000
    /// Microseconds until something is asked again of a volume that did not answer; not before it has answered what it was asked.
    private static let silence: Int64 = 5_000_000
    /// Microseconds for which what is over is remembered.
    private static let memory: Int64 = 7 * 86_400_000_000

    private struct State {
        var activity = OffsiteActivity()
        /// Of each event's document: how many pieces it named, and when it was written (monotonic microseconds).
        var documents: [ID<Event>: (pieces: Int, time: Int64)] = [:]
        /// Segments that could not be read: for good, or up to a time (monotonic microseconds).
        var unreadable: [ID<Segment>: Int64] = [:]
        /// Volumes that did not answer, and when they may be asked again (monotonic microseconds).
        var silent: [VolumeID: Int64] = [:]
        var backoff = Backoff()
        var lastPrune: Int64?
    }

    let profile: S3Profile
    private let environment: OffsiteEnvironment
    private let logger: Logger
    private let state = Mutex(State())
    private let calls: AsyncStream<Void>
    private let call: AsyncStream<Void>.Continuation

    init(_ profile: S3Profile, _ environment: OffsiteEnvironment) {
        self.profile = profile
        self.environment = environment
        var logger = environment.logger
        logger[metadataKey: "bucket"] = "\(profile.name)"
        self.logger = logger
        (calls, call) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// There may be something to do.
    func wake() { call.yield() }

    var activity: OffsiteActivity { state.withLock { $0.activity } }

    /// Works until its task is cancelled.
    func run() async {
        let bucket: Bucket
        do { bucket = try Bucket(profile, environment, retry: .never) } catch {
            // Only a change of the profile helps, and that makes another worker.
            return failed(error, camera: nil, retryIn: nil)
        }
        defer { bucket.client.close() }
        let upload = PieceUpload(profile: profile.id, bucket: bucket, environment: environment)
        var waiting = calls.makeAsyncIterator()
        while !Task.isCancelled {
            do {
                switch try await step(bucket, upload) {
                case .worked: continue
                case .idle(let seconds):
                    state.withLock { if $0.activity.phase != .failing { $0.activity.phase = seconds == nil ? .idle : .waiting } }
                    let alarm = seconds.map { seconds in
                        Task { [call] in
                            // Cancelled when something else woke it.
                            if (try? await Task.sleep(for: .seconds(seconds))) != nil { call.yield() }
                        }
                    }
                    _ = await waiting.next()
                    alarm?.cancel()
                }
            } catch {
                guard !Task.isCancelled else { return }
                await rest(after: error)
            }
        }
    }

    private func rest(after error: any Error) async {
        let isRefused = (error as? S3Error)?.isUnauthorized == true || (error as? Failure)?.isUnauthorized == true
        let wait = state.withLock { $0.backoff.wait(after: isRefused ? .unauthorized : .unreachable, jitter: .random(in: 0...1)) }
        failed((error as? Failure)?.underlying ?? error, camera: (error as? Failure)?.camera, retryIn: wait)
        // Ends early only with the worker.
        try? await Task.sleep(for: .seconds(wait))
    }

    /// A failure that belongs to a camera.
    private struct Failure: Error {
        let camera: ID<Camera>
        let underlying: any Error
        var isUnauthorized: Bool { (underlying as? S3Error)?.isUnauthorized == true }
    }

    private func failed(_ error: any Error, camera: ID<Camera>?, retryIn wait: Double?) {
        let text = (error as? NVRError)?.message ?? "\(error)"
        let problem = OffsiteActivity.Problem(time: environment.now, message: text)
        let isNew = state.withLock { state in
            let isNew = state.activity.phase != .failing || state.activity.problem?.message != text
            state.activity.phase = .failing
            state.activity.problem = problem
            state.activity.retryAt = wait.map { environment.now.advanced(byMicroseconds: Int64($0 * 1_000_000)) }
            if let camera { state.activity.problems[camera] = problem }
            return isNew
        }
        if isNew { logger.warning("events cannot be copied off-site; recording goes on", metadata: ["error": "\(text)"]) }
    }

    private func worked() {
        let wasFailing = state.withLock { state in
            defer {
                state.activity.phase = .uploading
                state.activity.retryAt = nil
                state.backoff.reset()
            }
            return state.activity.phase == .failing
        }
        if wasFailing { logger.notice("events are copied off-site again") }
    }

    // MARK: One step

    private func step(_ bucket: Bucket, _ upload: PieceUpload) async throws -> Step {
        let cameras = try await environment.store.cameras.all()
        let names = Dictionary(cameras.map { ($0.id, $0.general.name) }, uniquingKeysWith: { first, _ in first })
        let prefix = profile.prefix
        _ = try await environment.store.offsite.takeNewEvents(of: profile.id, at: environment.now) {
            ObjectNames.folder(prefix: prefix, camera: $0, name: names[$0] ?? "")
        }
        var mustWait = false
        for entry in try await environment.store.offsite.waiting(profile.id) {
            try Task.checkCancellation()
            let camera = cameras.first { $0.id == entry.cameraID }
            let work: Work
            do { work = try await self.work(on: entry, camera, bucket, upload) } catch let error as PieceUpload.Unreadable {
                // The rest of the event is worth copying all the same.
                logger.warning("footage cannot be copied off-site", metadata: ["segment": "\(error.segment)", "error": "\(error.reason)"])
                let now = environment.clock.monotonic()
                state.withLock { state in
                    if let volume = error.silent {
                        state.silent[volume] = now + Self.silence
                    } else {
                        state.unreadable[error.segment] = error.isForNow ? now + Self.absence : .max
                    }
                }
                return .worked
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                throw Failure(camera: entry.cameraID, underlying: error)
            }
            switch work {
            case .did:
                worked()
                return .worked
            case .waits: mustWait = true
            case .over(let outcome):
                try await environment.store.offsite.end(entry, of: profile.id, outcome, at: environment.now)
                state.withLock { _ = $0.documents.removeValue(forKey: entry.eventID) }
                if outcome == .copied {
                    worked()
                } else {
                    logger.notice("an event has no off-site copy", metadata: ["event": "\(entry.eventID)", "why": "\(outcome.rawValue)"])
                }
            }
        }
        try await tidy(upload)
        return .idle(mustWait ? 1 : nil)
    }

    /// Once an hour at most, while there is nothing else to do.
    private func tidy(_ upload: PieceUpload) async throws {
        let now = environment.clock.monotonic()
        let isDue = state.withLock { state in
            if let last = state.lastPrune, now - last < 3_600_000_000 { return false }
            state.lastPrune = now
            state.unreadable = [:]
            return true
        }
        guard isDue else { return }
        // What was begun belongs to no event that waits: its event or its footage is gone.
        for piece in try await environment.store.offsite.unfinished(profile.id) {
            let waits = try await environment.store.offsite.waiting(profile.id).contains { $0.cameraID == piece.cameraID }
            if !waits { try await upload.giveUp(piece) }
        }
        try await environment.store.offsite.prune(profile.id, before: environment.now.advanced(byMicroseconds: -Self.memory))
    }

    // MARK: One event

    private func work(on entry: OffsiteEvent, _ camera: Camera?, _ bucket: Bucket, _ upload: PieceUpload) async throws -> Work {
        guard let event = try await environment.store.events.get(entry.eventID) else { return .over(.eventGone) }
        let before = Int64(camera?.recording.capturedBefore ?? 5) * 1_000_000
        let after = Int64(camera?.recording.capturedAfter ?? 10) * 1_000_000
        let start = event.start.advanced(byMicroseconds: -before)
        // Far enough for what goes on; a century does not overflow.
        let end = event.end?.advanced(byMicroseconds: after) ?? environment.now.advanced(byMicroseconds: 3_155_760_000_000_000)
        let wanted = TimeRange(start: start, end: end)
        let there = try await environment.store.offsite.pieces(of: event.cameraID, wanted, profile.id).filter(\.isThere)
        // The document follows the first piece at once.
        if try await document(event, entry, camera, there, isComplete: false, bucket) { return .did }
        let (tick, unreadable, silent) = (environment.clock.monotonic(), state.withLock { $0.unreadable }, silentVolumes())
        let all = try await environment.segments(event.cameraID, wanted)
        let segments = all.filter { unreadable[$0.id] ?? .min < tick && !silent.contains($0.volume) }
        let isAway = all.contains { (tick..<Int64.max).contains(unreadable[$0.id] ?? .min) || silent.contains($0.volume) }
        // Not only the seconds before it: something of the event itself has to be safe before pieces may take their time.
        let isFirst = !there.contains { $0.range.end > event.start }
        for segment in segments where try await advance(entry, segment, wanted, isFirst: isFirst, upload) { return .did }
        let now = environment.now
        guard let ended = event.end, !isAway else { return .waits }
        if now < max(end, ended).advanced(byMicroseconds: Self.grace), now > event.start { return .waits }
        let isBeingWritten = segments.contains { $0.state == .growing && $0.end < end }
        if isBeingWritten, now < end.advanced(byMicroseconds: Self.patience) { return .waits }
        if there.isEmpty { return .over((event.bytes ?? 0) > 0 ? .footageGone : .noFootage) }
        _ = try await document(event, entry, camera, there, isComplete: true, bucket)
        return .over(.copied)
    }

    /// Volumes of which nothing can be read now. One that has answered what it was asked is asked again.
    private func silentVolumes() -> Set<VolumeID> {
        let now = environment.clock.monotonic()
        return state.withLock { state in
            state.silent = state.silent.filter { now < $0.value || environment.threads.pending($0.key) > 0 }
            return Set(state.silent.keys)
        }
    }

    /// Does the next thing for a segment; false when there is nothing to do.
    private func advance(
        _ entry: OffsiteEvent, _ segment: Segment, _ wanted: TimeRange, isFirst: Bool, _ upload: PieceUpload
    ) async throws -> Bool {
        let pieces = try await environment.store.offsite.pieces(of: segment.id, profile.id)
        if let begun = pieces.first(where: { !$0.isThere }) {
            try await upload.goOn(with: begun, of: segment)
            return true
        }
        // A segment whose row has just appeared has none yet.
        guard !segment.index.isEmpty else { return false }
        let entries: [FragmentIndexEntry]
        do { entries = try FragmentIndex(packed: segment.index).entries } catch {
            throw PieceUpload.Unreadable(segment: segment.id, reason: "\(error)")
        }
        let scale = Int64(max(1, segment.timescale))
        func ticks(_ time: WallTime) -> Int64 {
            // Long before or after the segment is as good as just before or after it.
            let distance = min(max(time.microseconds(since: segment.start), -3_600_000_000_000), 3_600_000_000_000)
            return distance * scale / 1_000_000
        }
        let plan = PiecePlan(
            entries: entries, wanted: ticks(wanted.start)..<max(ticks(wanted.start), ticks(wanted.end)),
            done: pieces.map { $0.offset..<$0.endOffset },
            isGrowing: segment.state == .growing, isFirst: isFirst,
            limits: PiecePlan.Limits(mostBytes: mostPiece, leastTicks: Self.pieceSeconds * scale, hurryTicks: Self.hurrySeconds * scale))
        guard let range = plan.next() else { return false }
        let (first, last) = (entries[range.lowerBound], entries[range.upperBound - 1])
        func time(_ ticks: Int64) -> WallTime { segment.start.advanced(byMicroseconds: ticks * 1_000_000 / scale) }
        let start = time(first.start)
        let bytes = try await upload.bytes(of: segment, first.offset..<last.end)
        let piece = OffsitePiece(
            segmentID: segment.id, cameraID: segment.cameraID, offset: first.offset, endOffset: last.end,
            range: TimeRange(start: start, end: time(last.endTime)),
            key: ObjectNames.piece(folder: entry.folder, segment: segment.id, start: start),
            bytes: bytes)
        try await upload.begin(piece, of: segment)
        return true
    }

    private var mostPiece: Int64 { profile.maxRate > 0 ? min(Self.mostPiece, max(256 << 10, Int64(profile.maxRate) * 5)) : Self.mostPiece }

    /// Writes what is known of an event when that is due: with its first piece, later when there are more, and at the end. True when it
    /// was written.
    private func document(
        _ event: Event, _ entry: OffsiteEvent, _ camera: Camera?, _ pieces: [OffsitePiece], isComplete: Bool, _ bucket: Bucket
    ) async throws -> Bool {
        guard !pieces.isEmpty else { return false }
        let now = environment.clock.monotonic()
        let last = state.withLock { $0.documents[entry.eventID] }
        if !isComplete, let last, last.pieces == pieces.count || now - last.time < Self.pieceSeconds * 1_000_000 { return false }
        let json = EventDocument.json(event, cameraName: camera?.general.name, pieces: pieces, isComplete: isComplete, at: environment.now)
        _ = try await bucket.client.put(
            ObjectNames.event(folder: entry.folder, event: entry.eventID, start: entry.start), ByteBuffer(bytes: json.serializedBytes()),
            contentType: "application/json")
        state.withLock { $0.documents[entry.eventID] = (pieces.count, now) }
        return true
    }
}
