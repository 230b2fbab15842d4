package import Logging
import NIOCore
package import NVRBase
package import NVRMedia
package import NVRModel
package import NVRRecording
package import NVRStore
import Synchronization

/// What all cameras of a server share.
package struct CameraEnvironment: Sendable {
    package var readers: ReaderEnvironment
    package var store: Store
    package var disk: DiskWriter
    package var playback: Playback
    package var clock: any NVRClock
    package var logger: Logger
    /// Caps the length of segments, seconds; nil leaves it to the cameras.
    package var maxSegmentSeconds: Int?
    /// Room for streams that are transcoded for viewers.
    package var transcoding: TranscodeRoom
    package let outages: OutageLog
    /// When the server was last seen running before it started now; nil when that is not known.
    package var lastSign: WallTime?
    /// Leaves such a sign; called once a minute.
    package var noteAlive: @Sendable () -> Void

    package init(
        readers: ReaderEnvironment, store: Store, disk: DiskWriter, playback: Playback, clock: any NVRClock, logger: Logger,
        maxSegmentSeconds: Int?, transcoding: TranscodeRoom = TranscodeRoom(most: 0), lastSign: WallTime? = nil,
        noteAlive: @escaping @Sendable () -> Void = {}
    ) {
        self.transcoding = transcoding
        self.readers = readers
        self.store = store
        self.disk = disk
        self.playback = playback
        self.clock = clock
        self.logger = logger
        self.maxSegmentSeconds = maxSegmentSeconds
        self.lastSign = lastSign
        self.noteAlive = noteAlive
        outages = OutageLog(store: store, clock: clock, logger: logger)
    }
}

/// Motion that goes on now.
package struct LiveMotion: Sendable {
    package var since: WallTime
    /// What saw it first, a `MotionSource`.
    package var source: String
    package var metadata: String?
    package var updatedAt: WallTime

    package init(since: WallTime, source: String, metadata: String?, updatedAt: WallTime) {
        self.since = since
        self.source = source
        self.metadata = metadata
        self.updatedAt = updatedAt
    }
}

/// One running camera: its hubs, readers, recording and detection. `run()` is its life.
final class CameraRuntime: Sendable {
    private struct State {
        var plan: CameraPlan
        var recording: StreamRecording?
        var motion: LiveMotion?
        var external = ExternalMotion()
        /// Ends motion that somebody else told of and then forgot.
        var externalAlarm: Task<Void, Never>?
        var droppedBefore = 0
        var isEnded = false
    }

    /// What is to be looked at: a connection that is back before anybody looks was gone all the same.
    private struct Doubt {
        /// Of the main stream when its connection changed; nil for the one it has when this is looked at.
        var report: StreamReader.Report?
        var time: WallTime
        /// The newest frame then.
        var lastVideo: WallTime?
    }

    /// Changes that wait to be looked at; the oldest go.
    private static let mostDoubts = 64

    let cameraID: ID<Camera>
    let mainHub: StreamHub
    let subHub: StreamHub?
    let mainLive: LiveStream
    let subLive: LiveStream?
    /// The same streams for players that need H.264.
    let mainTranscoded: TranscodedStream
    let subTranscoded: TranscodedStream?
    private let subDemand: StreamDemand
    private let mainReader: StreamReader
    private let subReader: StreamReader?
    private let mainPicture: LivePicture
    private let subPicture: LivePicture?
    private let environment: CameraEnvironment
    private let analysis: BlockingThread
    private let logger: Logger
    private let state: Mutex<State>
    private let ledger: StoredEvents
    private let journal: EventJournal
    /// Ends when the main stream's first connection has succeeded or failed.
    private let firstTry: AsyncStream<Void>
    private let plans: AsyncStream<CameraPlan>
    private let planContinuation: AsyncStream<CameraPlan>.Continuation
    private enum SourcedNews: Sendable {
        case news(MotionSource, MotionNews)
        /// The end of an event was held back for long enough.
        case holdIsOver
    }
    /// What all sources tell of motion, one after another.
    private let motionNews: AsyncStream<SourcedNews>
    private let motionContinuation: AsyncStream<SourcedNews>.Continuation
    /// Whether footage is written may have changed.
    private let doubts: AsyncStream<Doubt>
    private let doubt: AsyncStream<Doubt>.Continuation

    init(plan: CameraPlan, environment: CameraEnvironment, eventLoop: any EventLoop, analysis: BlockingThread, pictures: BlockingThread) {
        cameraID = plan.cameraID
        self.environment = environment
        self.analysis = analysis
        var logger = environment.logger
        logger[metadataKey: "camera"] = "\(plan.cameraID)"
        self.logger = logger
        let gate = LoginGate()
        let (firstTry, tried) = AsyncStream.makeStream(of: Void.self)
        self.firstTry = firstTry
        let (doubts, doubt) = AsyncStream.makeStream(of: Doubt.self, bufferingPolicy: .bufferingNewest(Self.mostDoubts))
        (self.doubts, self.doubt) = (doubts, doubt)
        func reader(_ settings: StreamSettings, _ hub: StreamHub) -> StreamReader {
            StreamReader(settings: settings, hub: hub, eventLoop: eventLoop, environment: environment.readers, gate: gate, logger: logger) { reader in
                guard reader.role == .main else { return }
                tried.finish()
                let time = WallTime(microseconds: environment.clock.wall())
                doubt.yield(Doubt(report: reader.report, time: time, lastVideo: hub.lastVideoWall))
            }
        }
        mainHub = StreamHub(role: .main)
        let mainReader = reader(plan.main, mainHub)
        self.mainReader = mainReader
        mainPicture = LivePicture(hub: mainHub, thread: pictures, clock: environment.clock)
        mainLive = LiveStream(hub: mainHub) { mainReader.setLive($0) }
        mainTranscoded = TranscodedStream(of: mainLive, hub: mainHub, room: environment.transcoding)
        let demand = StreamDemand()
        subDemand = demand
        if let settings = plan.sub {
            let hub = StreamHub(role: .sub)
            let reader = reader(settings, hub)
            subHub = hub
            subReader = reader
            subPicture = LivePicture(hub: hub, thread: pictures, clock: environment.clock)
            let live = LiveStream(hub: hub) { isWanted in
                reader.setLive(isWanted)
                demand.set(isWanted)
            }
            subLive = live
            subTranscoded = TranscodedStream(of: live, hub: hub, room: environment.transcoding)
        } else {
            subHub = nil
            subReader = nil
            subPicture = nil
            subLive = nil
            subTranscoded = nil
        }
        state = Mutex(State(plan: plan))
        ledger = StoredEvents(environment: environment, cameraID: plan.cameraID, logger: logger)
        journal = EventJournal(ledger: ledger, clock: environment.clock, logger: logger)
        (plans, planContinuation) = AsyncStream.makeStream(of: CameraPlan.self, bufferingPolicy: .bufferingNewest(1))
        (motionNews, motionContinuation) = AsyncStream.makeStream(of: SourcedNews.self, bufferingPolicy: .bufferingOldest(512))
        planContinuation.yield(plan)
    }

    /// Takes over a plan that needs no new connections.
    func adjust(to plan: CameraPlan) { planContinuation.yield(plan) }

    var plan: CameraPlan { state.withLock { $0.plan } }

    // MARK: Running

    /// Runs until the task is cancelled; then everything received is written and open events are ended.
    func run() async {
        // Not among the group's tasks: the last news are taken and the last events written although the camera is told to end, and a
        // cancelled task hears no more of a stream.
        let writing = Task { await journal.run() }
        let news = Task { await takeNews() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.mainReader.run() }
            if let subReader {
                group.addTask {
                    // One log-in at a time: the sub-stream waits until the main stream has tried its credentials.
                    for await _ in self.firstTry {}
                    await self.run(subReader)
                }
            }
            group.addTask { await self.follow() }
            group.addTask {
                // What is told after the end would be taken for the word on whatever made it end.
                for await doubt in self.doubts where !Task.isCancelled { self.judge(doubt) }
            }
            await group.waitForAll()
        }
        await news.value
        state.withLock { $0.isEnded = true }
        await state.withLock { $0.recording }?.end()
        journal.finish()
        await writing.value
    }

    // MARK: Outages

    /// Whether footage is written is to be looked at again.
    func judgeSoon() {
        doubt.yield(Doubt(report: nil, time: WallTime(microseconds: environment.clock.wall()), lastVideo: mainHub.lastVideoWall))
    }

    private func judge(_ doubt: Doubt) {
        let report = doubt.report ?? mainReader.report
        let trouble = environment.disk.trouble(of: cameraID)
        let verdict = RecordingVerdict(
            status: report.status, reason: report.reason, mode: plan.recording.mode, trouble: trouble.map { ($0.isFull, $0.reason) })
        // The last frame came before anybody noticed that none comes.
        let isGone = report.status != .connected && report.status != .starting
        // Likewise what waited for the disk and was lost is older than the loss.
        environment.outages.note(verdict, of: cameraID, since: isGone ? doubt.lastVideo : trouble?.since ?? doubt.time)
    }

    /// Whether footage should reach the disk now, and what may keep it from doing so.
    var recordingNeed: RecordingNeed {
        let report = mainReader.report
        let (plan, recording) = state.withLock { ($0.plan, $0.recording) }
        return RecordingNeed(
            status: report.status, reason: report.reason, mode: plan.recording.mode, isWanted: recording?.isWanted ?? false,
            trouble: environment.disk.trouble(of: cameraID).map { ($0.isFull, $0.reason) })
    }

    /// Reads the sub-stream all the time when motion is looked for in it, else only while somebody wants to see it.
    private func run(_ subReader: StreamReader) async {
        if plan.needsSub { return await subReader.run() }
        while !Task.isCancelled {
            await subDemand.begins()
            guard !Task.isCancelled else { return }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await subReader.run() }
                group.addTask { await self.subDemand.ends(patience: .seconds(20)) }
                await group.next()
                group.cancelAll()
            }
        }
    }

    /// Sets recording and detection up by each plan that comes, and takes the detector's news.
    private func follow() async {
        var watch: (watch: MotionWatch, news: Task<Void, Never>)?
        var current: CameraPlan?
        for await plan in plans {
            let change = current.map { $0.change(to: plan) } ?? .adjust(recording: true, detection: true)
            current = plan
            state.withLock { $0.plan = plan }
            judgeSoon()
            guard case .adjust(let recordingChanged, let detectionChanged) = change else { continue }
            if recordingChanged { await replaceRecording(plan) }
            if detectionChanged {
                if let old = watch {
                    old.watch.end(on: analysis)
                    await old.news.value
                    watch = nil
                }
                if let configuration = plan.detection {
                    let new = MotionWatch(
                        configuration: configuration, hours: plan.detectionHours, hub: (plan.needsSub ? subHub : nil) ?? mainHub, thread: analysis,
                        logger: logger)
                    watch = (new, Task { for await item in new.news { self.motionContinuation.yield(.news(.standard, item)) } })
                }
            }
        }
        if let old = watch {
            old.watch.end(on: analysis)
            await old.news.value
        }
        reportMotion(false, at: nil)
        motionContinuation.finish()
    }

    private func replaceRecording(_ plan: CameraPlan) async {
        if state.withLock({ $0.recording })?.adopt(plan.recording) == true { return }
        let old = state.withLock { state in
            defer { state.recording = nil }
            return state.recording
        }
        if let old {
            await old.end()
            state.withLock { $0.droppedBefore += old.droppedFrames }
        }
        guard plan.recording.mode != .off else { return mainHub.setPreRoll(span: 0) }
        let new = StreamRecording(
            plan: plan.recording, cameraID: cameraID, hub: mainHub, disk: environment.disk, clock: environment.clock, logger: logger)
        let live = state.withLock { state in
            state.recording = new
            return state.motion
        }
        if let live { new.motionBegan(at: live.since) }
    }

    // MARK: Motion

    /// Takes over what somebody else tells of motion; `time` is when they saw it, if they say so.
    func reportMotion(_ isOn: Bool, at time: WallTime?) {
        guard isOn else {
            let wasOn = state.withLock { state in
                state.externalAlarm?.cancel()
                state.externalAlarm = nil
                return state.external.ended()
            }
            if wasOn { externalMotionEnded() }
            return
        }
        let now = WallTime(microseconds: environment.clock.wall())
        let monotonic = environment.clock.monotonic()
        let (isFirst, before) = state.withLock { state in
            state.motion?.updatedAt = now
            if state.externalAlarm == nil { state.externalAlarm = Task { [weak self] in await self?.waitForSilence() } }
            return (state.external.reported(now: monotonic), state.plan.recording.reach)
        }
        if isFirst { motionContinuation.yield(.news(.webhook, .began(at: ExternalMotion.start(named: time, now: now, before: before)))) }
    }

    /// Ends motion of which nothing is told any more.
    private func waitForSilence() async {
        while let rest = state.withLock({ $0.external.untilSilence(now: environment.clock.monotonic()) }) {
            // Thrown when somebody told of the end.
            guard (try? await Task.sleep(for: .microseconds(rest + 1000))) != nil else { return }
            let isOver = state.withLock { state in
                guard state.external.tick(now: environment.clock.monotonic()) else { return false }
                state.externalAlarm = nil
                return true
            }
            if isOver { return externalMotionEnded() }
        }
    }

    private func externalMotionEnded() {
        motionContinuation.yield(.news(.webhook, .ended(at: WallTime(microseconds: environment.clock.wall()))))
    }

    /// Takes what the sources tell: recording follows at once, the journal writes when it can.
    private func takeNews() async {
        var sources = MotionSources()
        var pace = EventPace()
        var alarm: Task<Void, Never>?
        for await news in motionNews {
            let now = environment.clock.monotonic()
            if let end = pace.tick(now: now) { journal.note { $0.ended(at: end) } }
            guard case .news(let source, let item) = news else { continue }
            switch item {
            case .began(let time):
                guard sources.began(source) else { continue }
                alarm?.cancel()
                motionBegan(at: time, source)
                if pace.began(now: now) { await beginEvent(at: time, source) }
            case .best(let picture, let score, let boxes):
                let now = WallTime(microseconds: environment.clock.wall())
                state.withLock { state in
                    state.motion?.metadata = boxes
                    state.motion?.updatedAt = now
                }
                journal.note { $0.best(picture, score: score, metadata: boxes) }
            case .ended(let time):
                guard let last = sources.ended(source, at: time) else { continue }
                state.withLock { $0.motion = nil }
                state.withLock { $0.recording }?.motionEnded(at: last, now: WallTime(microseconds: environment.clock.wall()))
                if let end = pace.ended(at: last, now: now) { journal.note { $0.ended(at: end) } }
                if let due = pace.heldUntil { alarm = wakeAfterHold(due - now) }
            }
        }
        alarm?.cancel()
        if let end = pace.finish() { journal.note { $0.ended(at: end) } }
    }

    private func wakeAfterHold(_ microseconds: Int64) -> Task<Void, Never> {
        Task { [motionContinuation] in
            // Cancelled when motion begins anew, or when the camera ends.
            guard (try? await Task.sleep(for: .microseconds(microseconds + 1000))) != nil else { return }
            motionContinuation.yield(.holdIsOver)
        }
    }

    private func motionBegan(at time: WallTime, _ source: MotionSource) {
        state.withLock { $0.motion = LiveMotion(since: time, source: source.rawValue, metadata: nil, updatedAt: time) }
        state.withLock { $0.recording }?.motionBegan(at: time)
    }

    private func beginEvent(at time: WallTime, _ source: MotionSource) async {
        let size = mainHub.description
        let event = Event(id: ID(0), cameraID: cameraID, medium: .video, kind: .motion, start: time, width: size?.width, height: size?.height)
        let fileName = plan.recording.fileName
        journal.note { $0.began(event, fileName: fileName) }
        if plan.pictures.onMotion { await noteSnapshot() }
        guard source != .standard else { return }
        // The detector sends its own picture; others have none.
        do {
            let picture = try await frame(width: 1280, age: 150_000)
            journal.note { $0.pictured(picture) }
        } catch {
            // The event is worth more than its picture; a camera that is just being reconnected has none.
            logger.info("motion has no picture", metadata: ["reason": "\(error)"])
        }
    }

    private func noteSnapshot() async {
        do {
            let settings = plan.pictures
            let picture = try await mainPicture.take(width: nil, quality: settings.quality)
            journal.note { $0.took(picture, fileName: settings.fileName, volume: settings.volume) }
        } catch {
            logger.warning("there is no picture for a snapshot of motion", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Pictures

    /// The newest picture, at most `age` microseconds older than the newest there could be; small ones come from the sub-stream
    /// when it runs.
    func frame(width: Int?, age: Int64, quality: Int = 80) async throws -> Picture {
        if let width, let subHub, let subPicture, let size = subHub.description, size.width >= width {
            return try await subPicture.take(width: min(width, size.width), quality: quality, age: age)
        }
        let most = mainHub.description?.width
        return try await mainPicture.take(width: width.map { min($0, most ?? $0) }, quality: quality, age: age)
    }

    /// Stores the newest picture of the main stream as a snapshot.
    func takeSnapshot() async throws -> Event {
        let settings = plan.pictures
        let picture = try await mainPicture.take(width: nil, quality: settings.quality)
        let place = try await ledger.store(snapshot: picture, fileName: settings.fileName, volume: settings.volume)
        do {
            return try await ledger.insert(snapshot: picture, kind: .manual, at: place)
        } catch {
            // Whoever asked is told; nothing of it stays.
            try await environment.disk.remove(picture: place.path, volume: place.volume)
            throw error
        }
    }

    // MARK: Looking

    var liveMotion: LiveMotion? { state.withLock { $0.motion } }

    var health: CameraHealth {
        let report = mainReader.report
        let recording = state.withLock { $0.recording }
        var health = CameraHealth(status: report.status, reason: report.reason, since: report.since)
        if report.status == .connected, plan.needsSub, let sub = subReader?.report, sub.status != .connected, sub.status != .starting {
            health.reason = "sub-stream: " + (sub.reason ?? sub.status.rawValue)
        }
        if let failure = environment.disk.failure(of: cameraID), recording != nil { health.reason = "not recording: " + failure }
        health.lastSeen = mainHub.lastVideoWall
        health.source = report.source
        health.isRecording = recording?.isRecording ?? false
        if let description = mainHub.description {
            health.width = description.width
            health.height = description.height
            health.videoCodec = description.videoCodecName
            health.audioCodec = description.audio?.name
        }
        health.recentBytes = recording?.recentBytes() ?? 0
        return health
    }

    var counters: [CameraCounters] {
        let (recording, before) = state.withLock { ($0.recording, $0.droppedBefore) }
        var all = [CameraCounters(cameraID, mainHub, mainReader, dropped: before + (recording?.droppedFrames ?? 0))]
        if let subHub, let subReader, plan.needsSub || subReader.connections > 0 {
            all.append(CameraCounters(cameraID, subHub, subReader, dropped: 0))
        }
        return all
    }
}

/// Totals of one stream since its camera was started.
package struct CameraCounters: Sendable {
    package var camera: ID<Camera>
    package var role: StreamRole
    package var packets: UInt64
    package var bytes: UInt64
    package var videoFrames: UInt64
    /// Frames that arrived damaged by network loss.
    package var damagedFrames: UInt64
    /// Frames lost because the disk did not keep up.
    package var dropped: Int
    package var networkPackets: Int
    package var networkLost: Int
    package var networkReordered: Int
    package var networkMalformed: Int
    /// Connections begun.
    package var connections: Int
    package var preRollBytes: Int

    init(_ camera: ID<Camera>, _ hub: StreamHub, _ reader: StreamReader, dropped: Int) {
        let counters = hub.counters
        let network = reader.network
        self.camera = camera
        role = hub.role
        packets = counters.packets
        bytes = counters.bytes
        videoFrames = counters.videoFrames
        damagedFrames = counters.damagedFrames
        self.dropped = dropped
        networkPackets = network.packets
        networkLost = network.lost
        networkReordered = network.reordered
        networkMalformed = network.malformed
        connections = reader.connections
        preRollBytes = counters.preRollBytes
    }
}
