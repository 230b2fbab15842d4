import ArgumentParser
import Logging
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare the database with the files on the disk.",
        discussion: "Ends with code 1 when anything differs. With --repair, differences are mended: the files decide.")

    @OptionGroup var data: DataOptions

    @Flag(name: .long, help: "Mend what differs. Stop the server first.")
    var repair = false

    mutating func run() async throws {
        guard POSIXFile.exists(data.databasePath) else {
            throw StartFailure(message: "there is no database in \(data.path): is --data-dir right?")
        }
        let lock = repair ? try DataLock(folder: data.path) : nil
        let store = try Store.open(
            at: data.databasePath, keys: SecretKeys(explicit: environment("SECRET_KEY"), previous: environment("SECRET_KEY_OLD")))
        let layout = RecordingLayout(root: try absolutePath(data.recordingRoot))
        layout.volumes.survey(
            try await store.storageProfiles.all(), instance: try await store.settings.values()[Settings.instanceID],
            at: WallTime(microseconds: SystemClock().wall()))
        for state in layout.volumes.states {
            if let loss = state.loss { say("storage profile \(state.name) is left alone: \(loss.detail)") }
        }
        let check = IntegrityCheck(layout: layout, store: store)
        let report = try await check.run(repairs: repair) { if $0 % 10_000 == 0, $0 > 0 { say("\($0) segments …") } }
        for problem in report.problems { say("\(problem)") }
        say("\(report.segments) segments, \(report.files) files, \(report.problems.count) problems" + (repair ? ", \(report.repaired) mended" : ""))
        try store.close()
        withExtendedLifetime(lock) {}
        if report.problems.count > report.repaired { throw ExitCode(1) }
    }
}
