import ArgumentParser
#if canImport(Glibc)
    import Glibc
#endif
import Logging
import NVRBackup
import NVRBase
import NVRImport
import NVRModel
import NVRRecording
import NVRStore

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Bring another product's installation along.", subcommands: [FromVibeNVR.self])

    struct FromVibeNVR: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "vibenvr", abstract: "Bring an installation of VibeNVR along: cameras, users, groups, settings, events and recordings.",
            discussion: """
                The database is a plain SQL dump (docker compose exec -T db pg_dump -U vibenvr vibenvr > dump.sql) or an SQLite file. The old files \
                are only read. Stop this server first. Run it again after an interruption, or with a newer dump: what is here is passed over.
                """)

        @OptionGroup var data: DataOptions

        @OptionGroup var footageKeys: FootageKeyOptions

        @Option(name: .long, help: "The dump or SQLite file of the old installation.")
        var database: String

        @Option(name: .long, help: "The folder with its recordings: what its containers know as /data and /var/lib/vibe/recordings.")
        var recordings: String?

        @Option(name: .long, help: "Where another folder of the old installation is here, as /storage/ssd=/mnt/ssd. May be given more than once.")
        var map: [String] = []

        @Flag(
            name: .long,
            help: "Link recordings that play as they are, so that they take no more space; on other file systems, copy them. This is the default.")
        var link = false

        @Flag(name: .long, help: "Write every recording anew in this product's own form, with checksums; takes as much space again.")
        var copy = false

        @Flag(name: .long, help: "Begin although the disk may not hold all of it: what fits is brought, and a later run goes on.")
        var partial = false

        @Flag(name: .long, help: "Only tell what would be brought.")
        var dryRun = false

        @Option(
            name: .long, help: "Time zone of the old installation's file names, which this server should have, too. Env TZ. (default: the system's)")
        var timeZone: String?

        mutating func run() async throws {
            guard !(link && copy) else { throw ValidationError("give either --link or --copy, not both") }
            let keys = try footageKeys.keys()
            let mappings = try map.map { text in
                guard let mapping = ReferencePaths.Mapping(text) else {
                    throw ValidationError("--map takes two absolute folders as /old=/new, not '\(text)'")
                }
                return mapping
            }
            if let zone = timeZone {
                setenv("TZ", zone, 1)
                tzset()
            }
            let folder = try recordings.map { try existingRecordings($0) }
            let lock = dryRun ? nil : try DataLock(folder: data.path)
            let work = ImportWork(
                database: try absolutePath(database), dataPath: dryRun ? data.path : try absolutePath(data.path),
                paths: ReferencePaths(recordings: folder, mappings: mappings), links: !copy, isPartial: partial, isDry: dryRun, keys: keys)
            let thread = BlockingThread(name: "import", stackBytes: 2 << 20)
            defer { thread.stop() }
            let report: ImportReport
            do { report = try await thread.run { try work.run() } } catch let error as NVRError {
                throw StartFailure(message: "\(error)")
            } catch let error as FileError {
                throw StartFailure(message: "\(error)")
            }
            withExtendedLifetime(lock) {}
            for line in report.lines(isDry: dryRun) { say(line) }
            if report.stopped != nil { throw ExitCode(1) }
        }

        private func existingRecordings(_ path: String) throws -> String {
            guard let found = realpath(path, nil) else { throw StartFailure(message: "the folder \(path) cannot be found") }
            defer { free(found) }
            let folder = String(cString: found)
            if let own = realpath(data.recordingRoot, nil) {
                defer { free(own) }
                let root = String(cString: own)
                guard folder != root, !folder.hasPrefix(root + "/") else {
                    throw StartFailure(message: "\(path) is where this server's own recordings lie; give the old installation's folder")
                }
            }
            return folder
        }
    }
}

/// An import from its files to its report. Blocks.
private struct ImportWork: Sendable {
    let database: String
    let dataPath: String
    let paths: ReferencePaths
    let links: Bool
    let isPartial: Bool
    let isDry: Bool
    let keys: FootageKeys

    private static let stagingPrefix = ".import-"

    func run() throws -> ImportReport {
        let wasKilled = isDry ? false : clearStaging()
        let staging = try makeStaging()
        defer { Self.remove(staging) }
        var report = ImportReport()
        let pace = ProgressPace()
        let tables = try ReferenceSource.open(database, staging: staging) { place, reason in
            report.leaveOut(place, reason)
        } progress: { bytes in
            pace.tell("\(bytes >> 20) MB of the dump read …")
        }
        let store = isDry ? try Store.inMemory() : try openStore()
        let root = dataPath + "/recordings"
        let logger = quietLogger()
        var options = VibeNVRImport.Options()
        // What is encrypted here is written anew.
        options.links = links && keys.writing == nil
        options.isPartial = isPartial
        options.isDry = isDry
        let rules = BackupReader.Rules(
            urls: CameraURL.Rules(allowLoopback: try environmentFlag("VIBENVR_ALLOW_LOOPBACK_CAMERAS")),
            folder: { try existingFolder($0, beside: root) })
        let now = WallTime(microseconds: SystemClock().wall())
        let importer = FootageImporter(layout: RecordingLayout(root: root, cipher: FootageCipher(keys: keys)), store: store, logger: logger)
        if !isDry { try importer.recover(afterImport: wasKilled, now: now) }
        options.beforeChange = { try keep($0, at: now) }
        let work = VibeNVRImport(
            store: store, importer: importer, tables: tables, paths: paths, rules: rules, options: options, report: report, now: now
        ) { pace.tell($0 + " …") }
        let result = try work.run()
        try tables.close()
        try store.close()
        return result
    }

    /// Makes a backup of what is about to be changed, as before every restore.
    private func keep(_ configuration: StoredConfiguration, at time: WallTime) throws {
        var text = BackupDocument.json(configuration, at: time, madeBy: VibeNVR.version).serialized()
        if let phrase = environment("VIBENVR_BACKUP_PASSPHRASE") {
            if let refusal = BackupCipher.refusal(of: Secret(phrase)) { throw NVRError(.invalid, "VIBENVR_BACKUP_PASSPHRASE: " + refusal) }
            text = try BackupCipher.encrypted(text, with: Secret(phrase)).serialized()
        }
        let file = try BackupFolder(path: dataPath + "/backups").write(text, .safety, at: time)
        say("a backup of what was set up here: \(file.name)")
    }

    private func openStore() throws -> Store {
        do {
            return try Store.open(
                at: dataPath + "/vibenvr.db", keys: SecretKeys(explicit: environment("SECRET_KEY"), previous: environment("SECRET_KEY_OLD")))
        } catch let error as NVRError where error.kind == .dataLoss {
            throw NVRError(.dataLoss, "\(error)\nStart the server: it puts the newest good backup in its place.")
        }
    }

    private func quietLogger() -> Logger {
        var logger = Logger(label: "import")
        logger.logLevel = .warning
        return logger
    }

    /// Removes what a run left that was killed; true when there was one.
    private func clearStaging() -> Bool {
        let left = Self.names(dataPath).filter { $0.hasPrefix(Self.stagingPrefix) }
        for name in left { Self.remove(dataPath + "/" + name) }
        return !left.isEmpty
    }

    /// A folder of our own, mode 0700: a dump holds passwords. A dry run leaves the data folder as it is.
    private func makeStaging() throws -> String {
        let parent = isDry ? environment("TMPDIR") ?? "/tmp" : dataPath
        var template = Array((parent + "/" + Self.stagingPrefix + "XXXXXX").utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in buffer.baseAddress.flatMap { mkdtemp($0) } != nil }
        guard made else { throw NVRError(.unavailable, "no folder can be made in \(parent): \(String(cString: strerror(errno)))") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func names(_ folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
                })
        }
        return names
    }

    /// The folder holds plain files only.
    private static func remove(_ folder: String) {
        for name in names(folder) where name != "." && name != ".." { unlink(folder + "/" + name) }
        rmdir(folder)
    }
}

/// Says at most every few seconds how far it is.
private final class ProgressPace {
    private let clock = SystemClock()
    private var last = SystemClock().monotonic()

    func tell(_ text: String) {
        let now = clock.monotonic()
        guard now - last >= 5_000_000 else { return }
        last = now
        say(text)
    }
}
