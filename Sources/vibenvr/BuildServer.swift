#if canImport(Glibc)
    import Glibc
#endif
import Logging
import NIOCore
import NIOPosix
import NVRAccounts
import NVRBackup
import NVRBase
import NVRCameras
import NVRMedia
import NVRModel
import NVROffsite
import NVRRecording
import NVRRestream
import NVRStore
import NVRWeb
import ServiceLifecycle
import UnixSignals

/// The parts of a running server that commands beside `serve` use, too.
struct Server: Sendable {
    var store: Store
    var accounts: Accounts
    var setupCode: SetupCode
    var services: ServiceGroup
    var isSetupRequired: Bool
    /// Tells, when the services have ended, whether the server is to be started anew.
    var care: DatabaseCare
}

/// Puts the product together, from the database up; nothing here runs yet but recovery.
///
/// Services end in the reverse of this order: the web stops accepting, cameras stop, files are finished, the database closes.
func buildServer(
    _ configuration: ServerConfiguration, logger: Logger, logFile: LogFile, onRunning: @escaping @Sendable (Int) async -> Void
) async throws -> Server {
    let clock = SystemClock()
    let startedAt = clock.monotonic()
    if let zone = configuration.timeZone {
        setenv("TZ", zone, 1)
        tzset()
    }
    try POSIXFile.makeDirectories(configuration.dataPath)
    let dataPath = try absolutePath(configuration.dataPath)
    let recordingRoot = dataPath + "/recordings"

    let key = try SigningKey.load(environment: configuration.secretKey, dataDirectory: dataPath)
    let layout = RecordingLayout(root: recordingRoot, cipher: FootageCipher(keys: configuration.footageKeys))
    let started = try await startStorage(configuration, dataPath: dataPath, layout: layout, clock: clock, logger: logger)
    let (store, disk, sentry) = (started.database.store, started.disk, started.sentry)
    let accounts = Accounts(store: store, key: key)
    let health = HealthLog(store: store, clock: clock, logger: logger)
    await health.begin()
    if let id = configuration.footageKeys.writing { logger.notice("new footage is encrypted", metadata: ["key": "\(id)"]) }
    try await FootageKeyWatch(store: store, health: health, logger: logger).begin(
        configuration.footageKeys, at: WallTime(microseconds: clock.wall()))

    let playback = Playback(layout: layout, store: store, growing: disk.growing, clock: clock, logger: logger)
    let removal = MediaRemoval(layout: layout, store: store, playback: playback, logger: logger)
    let retention = RetentionService(
        store: store, removal: removal, measures: MediaRemoval.Measures { _ in disk.counters.bytes + disk.ahead.bytes },
        volumes: { await removal.roots() },
        onFloor: { disk.setFloor($0) }, clock: clock, logger: logger)
    disk.onPressure { retention.spaceMayBeShort() }
    sentry.onReturn { [growing = disk.growing] volume in
        do {
            let report = try await started.recovery.run(on: volume, writing: Set(growing.ends.keys))
            try await removal.sweep()
            logger.notice(
                "footage on a volume that is back was put in order", metadata: ["finished": "\(report.finished)", "discarded": "\(report.discarded)"])
        } catch {
            logger.error("footage on a volume that is back could not be put in order; the next start does it", metadata: ["error": "\(error)"])
        }
    }
    let mover = FootageMover(volumes: layout.volumes, store: store, removal: removal, clock: clock, logger: logger)
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: max(1, System.coreCount / 4))
    let lastSign = SignOfLife(dataPath: dataPath).last
    let supervisor = CameraSupervisor(
        environment: CameraEnvironment(
            readers: ReaderEnvironment(
                clock: clock, logger: logger, addressCheck: addressCheck(allowLoopback: configuration.allowLoopbackCameras),
                prefersLibav: configuration.prefersLibav),
            store: store, disk: disk, playback: playback, clock: clock, logger: logger,
            maxSegmentSeconds: configuration.maxSegmentSeconds,
            transcoding: TranscodeRoom(most: configuration.maxTranscodes ?? max(1, System.coreCount / 2)),
            lastSign: lastSign, noteAlive: { SignOfLife(dataPath: dataPath).leave() }),
        eventLoops: loops, analysisThreads: max(1, System.coreCount / 2))

    let post = WebPost(eventLoop: loops.next(), check: addressCheck(allowLoopback: configuration.allowLoopbackCameras))
    let webhook = HealthWebhook(store: store, health: health, post: post, clock: clock, logger: logger)
    let care = DatabaseCare(
        store: store, backups: OpenedDatabase.backups(dataPath: dataPath), health: health, interval: configuration.databaseBackupSeconds,
        mayRestart: !Restart.isRecent(clock), clock: clock, logger: logger)
    var pace = FootageUpkeep.Pace()
    pace.firstAfter = configuration.checkAfterSeconds
    let upkeep = FootageUpkeep(layout: layout, store: store, health: health, pace: pace, clock: clock, logger: logger)
    var webHealth = WebHealth(
        log: health, days: RecordedDays(store: store, growing: disk.growing, calendar: .server, clock: clock, logger: logger))
    webHealth.synced = { disk.syncedBytes }
    webHealth.writing = { disk.threads }
    webHealth.backups = { care.reading }
    webHealth.webhook = { webhook.counters }
    started.database.tell(health)
    // On the disk before anything else can happen.
    await health.write()
    Store.rescueIsDone(dataPath + "/vibenvr.db")

    var settings = WebSettings()
    settings.host = configuration.host
    settings.port = configuration.port
    settings.version = VibeNVR.version
    settings.startedAt = startedAt
    settings.recordingRoot = recordingRoot
    settings.logFolder = dataPath + "/logs"
    settings.allowLoopbackCameras = configuration.allowLoopbackCameras
    settings.metricsEnabled = configuration.metrics
    settings.tokenInQueryAllowed = configuration.allowTokenQuery
    settings.cookieSecure = configuration.cookieSecure
    settings.allowedOrigins = configuration.allowedOrigins
    settings.trustedProxies = configuration.trustedProxies
    settings.webhookSecret = configuration.webhookSecret
    let backups = Backups(
        store: store, folder: BackupFolder(path: dataPath + "/backups"),
        rules: BackupReader.Rules(
            urls: CameraURL.Rules(allowLoopback: configuration.allowLoopbackCameras), folder: { try existingFolder($0, beside: recordingRoot) },
            bucket: { try $0.demandPlace() }),
        version: VibeNVR.version, passphrase: try backupPassphrase(configuration), clock: clock, logger: logger)
    settings.tls = try tlsIdentity(configuration, dataPath: dataPath, logger: logger)
    settings.redirectPort = configuration.redirectPort
    let restreamed = LiveTotals(most: .max)
    if configuration.rtspPort != nil || configuration.rtspsPort != nil { settings.restream = restreamed }
    let setupCode = SetupCode()
    let exports = Exports(
        playback: playback, store: store, key: try EvidenceKey.load(dataDirectory: dataPath), version: VibeNVR.version, clock: clock)
    let sheets = PreviewSheets(
        playback: playback, cache: PictureCache(folder: dataPath + "/cache/previews", budget: configuration.cacheBytes, cipher: layout.cipher),
        logger: logger)
    removal.onRemoval { [sheets] in await sheets.forget($0) }
    let offsiteLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let offsite = offsiteCopies(
        store: store, playback: playback, layout: layout, addressCheck: addressCheck(allowLoopback: configuration.allowLoopbackCameras),
        loop: offsiteLoop, clock: clock, logger: logger)
    // Before anything moves, is deleted or compared.
    try await offsite.mount()
    var dependencies = WebDependencies(
        store: store, accounts: accounts, setupCode: setupCode, live: LiveCameras(supervisor),
        media: RecordedMedia(playback: playback, removal: removal, clock: clock),
        replay: ReplayMedia(playback: playback, exports: exports, sheets: sheets), backups: backups,
        sync: FootageSync(layout: layout, store: store, clock: clock, logger: logger), settings: settings, clock: clock, logger: logger,
        growing: disk.growing, volumes: layout.volumes, retention: retention, health: webHealth)
    dependencies.offsite = OffsiteAccess(offsite)
    let web = WebServer(dependencies, onRunning: onRunning)

    var restreaming = RestreamSettings()
    restreaming.host = configuration.host
    restreaming.port = configuration.rtspPort
    restreaming.securePort = configuration.rtspsPort
    if let tls = settings.tls { restreaming.encrypt = { try tls.encrypt($0) } }
    let restream = RestreamService(
        RestreamDependencies(
            store: store, accounts: accounts, stream: { supervisor.liveStream(of: $0, $1) },
            audit: { [audit = web.audit] in await audit.record($0, isRefusal: $1) }, totals: restreamed, clock: clock),
        restreaming, logger: logger)

    let ending = Ending(disk: disk, store: store, loops: [loops, offsiteLoop], logger: logger)
    let services = ServiceGroup(
        configuration: .init(
            services: [
                .init(service: ending), .init(service: LogSettings(store: store, file: logFile, logger: logger)),
                .init(service: HealthKeeping(log: health)), .init(service: Watching(sentry: sentry)), .init(service: MemoryKeeping(logger: logger)),
                .init(service: Moving(mover: mover, removal: removal, logger: logger)),
                .init(service: retention), .init(service: offsite), .init(service: supervisor), .init(service: backups),
                .init(service: webHealth.days), .init(service: upkeep),
                .init(
                    service: HealthWatch(
                        supervisor: supervisor, disk: disk, store: store, health: health, lastSign: lastSign, clock: clock, logger: logger)),
                .init(service: webhook), .init(service: care, successTerminationBehavior: .gracefullyShutdownGroup),
                .init(service: Reloading(tls: settings.tls)), .init(service: restream),
                .init(service: web, successTerminationBehavior: .gracefullyShutdownGroup),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    return Server(
        store: store, accounts: accounts, setupCode: setupCode, services: services,
        isSetupRequired: try await accounts.isSetupRequired(), care: care)
}

/// The database, and the disks' threads with what the last run left put in order.
private func startStorage(_ configuration: ServerConfiguration, dataPath: String, layout: RecordingLayout, clock: any NVRClock, logger: Logger)
    async throws -> (database: OpenedDatabase, disk: DiskWriter, sentry: VolumeSentry, recovery: StartupRecovery)
{
    var suspicion: String?
    while true {
        let now = WallTime(microseconds: clock.wall())
        let database = try await OpenedDatabase.open(configuration, dataPath: dataPath, suspicion: suspicion, now: now, logger: logger)
        let store = database.store
        let disk = DiskWriter(layout: layout, ledger: store.segments, clock: clock, logger: logger, bufferBytes: configuration.bufferBytes)
        let sentry = VolumeSentry(volumes: layout.volumes, store: store, clock: clock, logger: logger)
        do {
            try await sentry.begin()
            let recovery = StartupRecovery(layout: layout, store: store, logger: logger) { await disk.settleSoon($0) }
            let report = try await recovery.run(now: now)
            if report != StartupRecovery.Report() {
                logger.notice(
                    "footage of the last run was put in order",
                    metadata: [
                        "finished": "\(report.finished)", "discarded": "\(report.discarded)", "cut_bytes": "\(report.truncatedBytes)",
                        "removed_files": "\(report.removedFiles)", "ended_events": "\(report.endedEvents)",
                    ])
            }
            try await store.timeline.setOffsets(LocalOffset.offsets(around: now))
            if let found = store.damage.found { throw NVRError(.dataLoss, found) }
            return (database, disk, sentry, recovery)
        } catch let error as NVRError where error.kind == .dataLoss && suspicion == nil {
            // Found only when it was used: the whole of it is read now, and when that confirms it, a backup takes its place.
            suspicion = error.message
            await disk.stop()
            try store.close()
        }
    }
}

/// Brings what people must hear of into the database, to the last.
private struct HealthKeeping: Service {
    let log: HealthLog

    func run() async throws {
        let writing = Task { await log.run() }
        // Ends with the shutdown.
        try? await gracefulShutdown()
        log.finish()
        await writing.value
    }
}

/// The certificate that was configured, or the one that the server makes for itself; nil without HTTPS.
private func tlsIdentity(_ configuration: ServerConfiguration, dataPath: String, logger: Logger) throws -> TLSIdentity? {
    switch configuration.tls {
    case .off: return nil
    case .files(let certificate, let key): return try TLSIdentity(certificate: certificate, key: key, logger: logger)
    case .selfSigned:
        let own = SelfSignedCertificate(dataPath: dataPath)
        try own.make(names: MachineNames.names(configuration.host), addresses: MachineNames.addresses())
        return try TLSIdentity(certificate: own.certificate, key: own.key, logger: logger)
    }
}

/// Looks after the volumes as long as anything is recorded.
private struct Watching: Service {
    let sentry: VolumeSentry

    func run() async throws { await cancelWhenGracefulShutdown { await sentry.run() } }
}

/// Moves footage to the volumes that keep it for longer, and deletes what is to go in buckets, and what the last run left.
private struct Moving: Service {
    let mover: FootageMover
    let removal: MediaRemoval
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            async let moving: Void = mover.run()
            async let deleting: Void = removal.sweepRemotely(logger: logger)
            async let left: Void = removal.sweepWhatIsLeft()
            _ = await (moving, deleting, left)
        }
    }
}

/// Reads the certificate again upon SIGHUP, as programs that renew certificates expect.
private struct Reloading: Service {
    let tls: TLSIdentity?

    func run() async throws {
        // Without HTTPS the signal keeps its meaning; the wait ends with the shutdown.
        guard let tls else { return try await gracefulShutdown() }
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) { tls.reload() }
        }
    }
}

/// The service that ends last: it flushes the disk and closes the database when nothing uses them any more.
private struct Ending: Service {
    let disk: DiskWriter
    let store: Store
    let loops: [MultiThreadedEventLoopGroup]
    let logger: Logger

    func run() async throws {
        // Ends with the shutdown, or with the cancellation of the group.
        try? await gracefulShutdown()
        await disk.stop()
        try store.close()
        for loop in loops { try await loop.shutdownGracefully() }
    }
}

/// What encrypts backups in the data folder; nil leaves them in plain text.
private func backupPassphrase(_ configuration: ServerConfiguration) throws -> Secret? {
    guard let text = configuration.backupPassphrase else { return nil }
    if let refusal = BackupCipher.refusal(of: Secret(text)) { throw NVRError(.invalid, "VIBENVR_BACKUP_PASSPHRASE: " + refusal) }
    return Secret(text)
}

/// The folder of a restored profile; one that this machine does not have is not made.
func existingFolder(_ path: String, beside recordingRoot: String) throws -> String {
    guard POSIXFile.exists(path) else { throw NVRError(.invalid, "its folder \(path) does not exist here") }
    return try StorageVolume(recordingRoot: recordingRoot).prepare(path)
}

/// Keeps the size and the number of log files equal to the settings.
private struct LogSettings: Service {
    let store: Store
    let file: LogFile
    let logger: Logger

    func run() async throws {
        let changes = store.changes.subscribe()
        await apply()
        await cancelWhenGracefulShutdown {
            for await change in changes {
                if case .setting(let key) = change, key == Settings.logMaxSizeMB.key.name || key == Settings.logBackupCount.key.name {
                    await apply()
                }
            }
        }
    }

    private func apply() async {
        do {
            let values = try await store.settings.values()
            file.setLimits(LogFile.Limits(bytes: Int64(values[Settings.logMaxSizeMB]) << 20, backups: values[Settings.logBackupCount]))
        } catch {
            logger.warning("the settings of the log cannot be read; it goes on as before", metadata: ["error": "\(error)"])
        }
    }
}

/// Refuses what no camera may be fetched from: this machine, unless that is allowed, and link-local addresses, where cloud
/// machines keep their secrets.
func addressCheck(allowLoopback: Bool) -> @Sendable (SocketAddress) throws -> Void {
    { address in
        let text = address.ipAddress ?? ""
        switch CameraURL.reach(ofHost: text.contains(":") ? "[\(text)]" : text[...]) {
        case .loopback where !allowLoopback: throw NVRError(.invalid, "Localhost access is not allowed")
        case .linkLocal: throw NVRError(.invalid, "link-local addresses are not allowed")
        default: return
        }
    }
}

/// The absolute form of a path that exists.
func absolutePath(_ path: String) throws -> String {
    guard let resolved = realpath(path, nil) else {
        throw NVRError(.unavailable, "the folder \(path) cannot be used: \(String(cString: strerror(errno)))")
    }
    defer { free(resolved) }
    return String(cString: resolved)
}
