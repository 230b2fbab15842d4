import ArgumentParser
import Logging
import NIOCore
import NIOPosix
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare the database with the files on the disk.",
        discussion: """
            Ends with code 1 when anything differs. With --repair, differences are mended: the files decide, and no file that holds anything is \
            deleted.
            """)

    @OptionGroup var data: DataOptions

    @OptionGroup var footageKeys: FootageKeyOptions

    @Flag(name: .long, help: "Mend what differs. Stop the server first.")
    var repair = false

    @Flag(name: .long, help: "With --repair: only tell what would be mended.")
    var dryRun = false

    @Flag(name: .long, help: "With --repair: remove rows without files even when they are more than half of all.")
    var force = false

    @Flag(name: .long, help: "Read every byte of all footage and compare checksums, also of what lies in buckets.")
    var checksums = false

    @Flag(name: .long, help: "Reach buckets on this machine, too. Env VIBENVR_ALLOW_LOOPBACK_CAMERAS.")
    var allowLoopbackCameras = false

    mutating func run() async throws {
        let keys = try footageKeys.keys()
        guard POSIXFile.exists(data.databasePath) else {
            throw StartFailure(message: "there is no database in \(data.path): is --data-dir right?")
        }
        let mends = repair && !dryRun
        let lock = mends ? try DataLock(folder: data.path) : nil
        let store: Store
        do {
            store = try Store.open(
                at: data.databasePath, keys: SecretKeys(explicit: environment("SECRET_KEY"), previous: environment("SECRET_KEY_OLD")))
        } catch let error as NVRError where error.kind == .dataLoss {
            throw StartFailure(message: "\(error)\nStart the server: it puts the newest good backup in its place and lists footage made since again.")
        }
        // As the server names it: a link in its place is not followed before somebody waits for its disk.
        let layout = RecordingLayout(root: try absolutePath(data.path) + "/recordings", cipher: FootageCipher(keys: keys))
        let instance = try await store.settings.values()[Settings.instanceID]
        let now = WallTime(microseconds: SystemClock().wall())
        let threads = VolumeThreads("check", volumes: layout.volumes)
        try await DefaultFolder(root: layout.root, store: store).survey(layout.volumes, on: threads, instance: instance, at: now)
        await layout.volumes.survey(try await store.storageProfiles.all(), on: threads, instance: instance, at: now)
        for state in layout.volumes.states {
            if let loss = state.loss { say("\(state.volume == .standard ? "the" : "storage profile") \(state.name) is left alone: \(loss.detail)") }
        }
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let allowsLoopback = try allowLoopbackCameras || environmentFlag("VIBENVR_ALLOW_LOOPBACK_CAMERAS")
        try await mountBuckets(store: store, layout: layout, allowsLoopback: allowsLoopback, loop: loop)
        let check = IntegrityCheck(layout: layout, store: store, threads: threads, isLive: false)
        var options = IntegrityCheck.Options()
        options.repairs = mends
        options.isForced = force
        options.readsAll = checksums
        options.readsBuckets = checksums
        let report = try await check.run(options) { count, _ in if count % 10_000 == 0, count > 0 { say("\(count) segments …") } }
        for note in report.notes { say(note) }
        for problem in report.problems { say("\(problem)") }
        say("\(report.segments) segments, \(report.files) files, \(report.problems.count) problems" + (mends ? ", \(report.repaired) mended" : ""))
        if report.locked > 0 {
            say("\(report.locked) files are encrypted with keys that are not here: only their sizes and checksums were looked at")
        }
        if let refusal = report.refusal { say(refusal) }
        try store.close()
        try await loop.shutdownGracefully()
        withExtendedLifetime(lock) {}
        if report.problems.count > report.repaired { throw ExitCode(1) }
    }
}
