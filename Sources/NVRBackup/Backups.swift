import Argon2
package import Logging
package import NVRBase
import NVRModel
package import NVRStore
import ServiceLifecycle
import Synchronization

/// Backups of the configuration: exports, files in a folder of the server made by hand or by the clock, and restoring them. Any task
/// may use it. Blocking work runs on a thread of its own.
package final class Backups: Service {
    /// What a restore did, and the backup that was made before it.
    package struct Restored: Sendable {
        package var report: RestoreReport
        package var safetyBackup: BackupFile
    }

    private let store: Store
    private let folder: BackupFolder
    private let rules: BackupReader.Rules
    private let version: String
    /// Encrypts the files of the folder; nil leaves them in plain text.
    private let passphrase: Secret?
    private let clock: any NVRClock
    private let logger: Logger
    private let thread = BlockingThread(name: "backup", stackBytes: 1 << 20)
    private let isRestoring = Atomic(false)

    /// Seconds between two looks at the schedule.
    private static let interval: Int64 = 3600

    package init(
        store: Store, folder: BackupFolder, rules: BackupReader.Rules, version: String, passphrase: Secret?, clock: any NVRClock, logger: Logger
    ) {
        self.store = store
        self.folder = folder
        self.rules = rules
        self.version = version
        self.passphrase = passphrase
        self.clock = clock
        self.logger = logger
    }

    deinit { thread.stop() }

    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    // MARK: Making

    /// The text of a backup of this moment, encrypted when a passphrase is given, and the name to save it under. Throws `invalid` for
    /// a passphrase that is too short.
    package func export(passphrase: Secret?) async throws -> (name: String, text: String) {
        let time = now
        return (BackupFile.exportName(at: time), try await text(at: time, passphrase: passphrase))
    }

    /// Stores a backup in the folder, and deletes those that are then too many.
    package func make(_ occasion: BackupFile.Occasion) async throws -> BackupFile {
        let file = try await write(occasion)
        try await deleteSurplus(of: occasion, sparing: [file.name])
        return file
    }

    private func deleteSurplus(of occasion: BackupFile.Occasion, sparing needed: Set<String>) async throws {
        let schedule = BackupSchedule(try await store.settings.values())
        try await thread.run { [folder] in
            for old in schedule.surplus(try folder.list(), of: occasion) where !needed.contains(old.name) { try folder.delete(old.name) }
        }
    }

    private func write(_ occasion: BackupFile.Occasion) async throws -> BackupFile {
        let time = now
        let text = try await text(at: time, passphrase: passphrase)
        let file = try await thread.run { [folder] in try folder.write(text, occasion, at: time) }
        logger.info("a backup of the configuration was made", metadata: ["file": "\(file.name)", "occasion": "\(occasion.rawValue)"])
        return file
    }

    private func text(at time: WallTime, passphrase: Secret?) async throws -> String {
        if let passphrase, let refusal = BackupCipher.refusal(of: passphrase) { throw NVRError(.invalid, refusal) }
        let text = BackupDocument.json(try await store.configuration(), at: time, madeBy: version).serialized()
        guard let passphrase else { return text }
        return try await thread.run { try BackupCipher.encrypted(text, with: passphrase).serialized() }
    }

    // MARK: The folder

    /// Newest first.
    package func list() async throws -> [BackupFile] { try await thread.run { [folder] in try folder.list() } }

    /// Throws `invalid` for a name that is none and `notFound`.
    package func delete(_ name: String) async throws { try await thread.run { [folder] in try folder.delete(name) } }

    // MARK: Restoring

    /// Restores a file of the folder. Without a passphrase, one that this server encrypted is opened with its own.
    package func restore(file name: String, passphrase: Secret?) async throws -> Restored {
        let bytes = try await thread.run { [folder] in try folder.read(name) }
        // What is being restored is not deleted for the safety backup.
        return try await restore(bytes, passphrase: passphrase ?? self.passphrase, sparing: name)
    }

    /// Restores the text of a backup: all of it or nothing. A backup of what was there is made first; when that fails, nothing is done.
    /// Throws `invalid` with what is wrong, `conflict` while another restore runs or when no administrator would be left.
    package func restore(_ bytes: some Collection<UInt8> & Sendable, passphrase: Secret?) async throws -> Restored {
        try await restore(bytes, passphrase: passphrase, sparing: nil)
    }

    private func restore(_ bytes: some Collection<UInt8> & Sendable, passphrase: Secret?, sparing needed: String?) async throws -> Restored {
        guard isRestoring.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged else {
            throw NVRError(.conflict, "Another restore is running")
        }
        defer { isRestoring.store(false, ordering: .releasing) }
        let time = now
        let rules = rules
        let (configuration, warnings) = try await thread.run {
            var reader = BackupReader(rules: rules, now: time)
            let configuration = try reader.read(try Self.document(bytes, passphrase: passphrase))
            return (configuration, reader.warnings)
        }
        let needsPassword = configuration.users.contains { $0.passwordHash == nil }
        let passwordless = needsPassword ? try await unknownPassword() : ""
        let safety = try await write(.safety)
        var report: RestoreReport
        do {
            report = try await store.restore(configuration, passwordless: passwordless)
        } catch {
            // Nothing was changed: it would only push older ones out, which may be wanted yet.
            await discard(safety)
            throw error
        }
        await tidy(sparing: [safety.name, needed ?? ""])
        report.warnings = warnings + report.warnings
        logger.notice(
            "a backup of the configuration was restored",
            metadata: [
                "settings": "\(report.settings)", "cameras": "\(report.cameras)", "groups": "\(report.groups)", "users": "\(report.users)",
                "warnings": "\(report.warnings.count)", "safety_backup": "\(safety.name)",
            ])
        return Restored(report: report, safetyBackup: safety)
    }

    private func discard(_ file: BackupFile) async {
        do { try await delete(file.name) } catch {
            logger.warning("a backup that is not needed could not be deleted", metadata: ["file": "\(file.name)", "error": "\(error)"])
        }
    }

    /// What was restored stays restored when old files cannot be deleted.
    private func tidy(sparing needed: Set<String>) async {
        do { try await deleteSurplus(of: .safety, sparing: needed) } catch {
            logger.warning("old backups could not be deleted", metadata: ["error": "\(error)"])
        }
    }

    private static func document(_ bytes: some Collection<UInt8>, passphrase: Secret?) throws -> JSONValue {
        let document: JSONValue
        do { document = try JSONValue(parsing: bytes) } catch { throw NVRError(.invalid, "Invalid JSON format") }
        guard BackupCipher.isEncrypted(document) else { return document }
        guard let passphrase else { throw NVRError(.invalid, "This backup is encrypted: its passphrase is needed") }
        do { return try JSONValue(parsing: try BackupCipher.decrypted(document, with: passphrase)) } catch is JSONSyntaxError {
            throw NVRError(.invalid, "Invalid JSON format")
        }
    }

    /// The hash of a password that nobody knows, for users whose own cannot be taken over.
    private func unknownPassword() async throws -> String {
        try await thread.run {
            var generator = SystemRandomNumberGenerator()
            let text = (0..<4).map { _ in String(UInt64.random(in: .min ... .max, using: &generator), radix: 36) }.joined()
            return try PasswordHash.make(text)
        }
    }

    // MARK: The schedule

    /// Looks at the schedule every hour, and at once when it was changed.
    package func run() async throws {
        let changes = store.changes.subscribe()
        let (looks, look) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        look.yield()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in looks { await self.makeWhenDue() }
            }
            group.addTask {
                for await change in changes {
                    if case .setting(let key) = change, key.hasPrefix("backup_auto_") { look.yield() }
                }
            }
            group.addTask {
                // Throws when it is cancelled, and that is the end.
                while (try? await Task.sleep(for: .seconds(Self.interval))) != nil { look.yield() }
            }
            group.addTask {
                // Ends with the shutdown.
                try? await gracefulShutdown()
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Makes the scheduled backup when it is due. Failures are logged and tried again at the next look.
    package func makeWhenDue() async {
        do {
            let schedule = BackupSchedule(try await store.settings.values())
            guard schedule.isEnabled, schedule.isDue(at: now, files: try await list()) else { return }
            _ = try await make(.auto)
        } catch {
            logger.error("the scheduled backup failed", metadata: ["error": "\(error)"])
        }
    }
}
