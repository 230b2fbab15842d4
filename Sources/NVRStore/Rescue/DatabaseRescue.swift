import GRDB
package import Logging
import NVRBase
package import NVRModel

/// What was done because a database could not be used as it lay there.
package struct DatabaseRescue: Sendable, Hashable {
    /// What was wrong, for people.
    package var reason: String
    /// Where the damaged file is kept; nil when there was none.
    package var keptAside: String?
    /// When the backup was made that is used now; nil: the database was begun anew.
    package var backup: WallTime?
    /// Rows that were read out of the damaged file, by table.
    package var salvaged: [String: Int] = [:]

    package var summary: String {
        var text = reason
        if let backup {
            text += "; the backup of \(backup.iso8601) is used"
        } else {
            text += "; there is no good backup, so the database was begun anew"
            let rows = salvaged.values.reduce(0, +)
            if rows > 0 { text += " with \(rows) rows that could be read out of the old one" }
        }
        if let keptAside { text += "; the old file is kept as \(keptAside.split(separator: "/").last ?? "")" }
        return text
    }
}

extension Store {
    /// Opens the database, and when it cannot be used because it is damaged or gone, puts the newest good backup in its place. Without
    /// one it is begun anew with what can be read out of the damaged one. Nothing is deleted: the damaged file gets a name of its own.
    ///
    /// `suspicion`: why it is to be read as a whole although it opens. `hasFootage`: whether there is footage, so that a database that
    /// is not there is a lost one. Throws what `open` throws for reasons that are no damage: a network file system, a wrong key, a
    /// newer version, a disk that is full or cannot be reached.
    package static func openRescuing(
        at path: String, keys: SecretKeys, backups: DatabaseBackups, hasFootage: Bool, suspicion: String? = nil, now: WallTime, logger: Logger
    ) async throws -> (store: Store, rescue: DatabaseRescue?) {
        let files = DatabaseFiles(path: path)
        if files.isEmpty {
            // Refusals of the place come first: nothing is put on a network share.
            if let type = StoreLocation.networkType(of: path) { throw StoreLocation.refusal(path, type) }
            if !backups.list().isEmpty {
                return try await restored(path, keys, backups, "the database was gone", now, logger)
            }
            let store = try open(at: path, keys: keys, logger: logger)
            guard hasFootage else { return (store, nil) }
            return (store, DatabaseRescue(reason: "the database was gone"))
        }
        let suspicion = suspicion ?? DatabaseFiles.text(files.marker)
        do {
            let store = try await openUsable(path, keys, isSuspect: suspicion != nil, logger)
            if suspicion != nil { files.removeMarker() }
            guard let reason = DatabaseFiles.text(files.rescueNote) else { return (store, nil) }
            // A start that replaced it broke off before it was done.
            try await store.forgetDeletions()
            return (store, DatabaseRescue(reason: reason, backup: backups.list().first?.time))
        } catch let error as NVRError {
            switch error.kind {
            case .dataLoss, .internalFault:
                return try await restored(path, keys, backups, "the database was damaged (\(error.message))", now, logger)
            case .invalid where isKeyDamaged(path, backups):
                return try await restored(path, keys, backups, "the database was damaged (its key check)", now, logger)
            default: throw error
            }
        }
    }

    private static func openUsable(_ path: String, _ keys: SecretKeys, isSuspect: Bool, _ logger: Logger?) async throws -> Store {
        let store = try open(at: path, keys: keys, logger: logger)
        do {
            if isSuspect, let problem = await store.firstProblem() { throw NVRError(.dataLoss, problem) }
            try await store.demandUsable()
            return store
        } catch {
            // It is given up: what closing says does not matter any more.
            do { try store.close() } catch { logger?.debug("closing a damaged database failed", metadata: ["error": "\(error)"]) }
            throw error
        }
    }

    /// Everything that has to follow a rescue is noted in the database.
    package static func rescueIsDone(_ path: String) { DatabaseFiles(path: path).removeRescueNote() }

    /// Puts the newest backup that can be used in the place of the database.
    private static func restored(
        _ path: String, _ keys: SecretKeys, _ backups: DatabaseBackups, _ reason: String, _ now: WallTime, _ logger: Logger
    ) async throws -> (store: Store, rescue: DatabaseRescue?) {
        let files = DatabaseFiles(path: path)
        var rescue = DatabaseRescue(reason: reason)
        logger.error("the database cannot be used; the newest good backup is looked for", metadata: ["reason": "\(reason)"])
        let isWhole = await isWhole(path, keys, logger)
        try files.writeRescueNote(reason)
        rescue.keptAside = try files.clear(at: now)
        for copy in backups.list() {
            try files.put(copy.path)
            do {
                let store = try await openUsable(path, keys, isSuspect: true, logger)
                try await store.forgetDeletions()
                rescue.backup = copy.time
                files.removeMarker()
                return (store, rescue)
            } catch let error as NVRError {
                guard error.kind == .dataLoss || error.kind == .internalFault || error.kind == .invalid else { throw error }
                logger.error("a backup of the database is not good", metadata: ["backup": "\(copy.path)", "error": "\(error)"])
                // It lies in the folder of backups still.
                files.removeCopy()
            }
        }
        if isWhole, let aside = rescue.keptAside {
            // SQLite finds nothing wrong: a value that makes no sense is no reason to give all others up.
            try files.putBack(aside)
            files.removeMarker()
            rescueIsDone(path)
            logger.error("there is no good backup of the database; it is used as it is")
            return (try open(at: path, keys: keys, logger: logger), nil)
        }
        let store = try open(at: path, keys: keys, logger: logger)
        if let aside = rescue.keptAside { rescue.salvaged = await DatabaseSalvage.run(from: aside, into: store, logger: logger) }
        files.removeMarker()
        return (store, rescue)
    }

    /// Whether a database opens and SQLite finds nothing wrong with it.
    private static func isWhole(_ path: String, _ keys: SecretKeys, _ logger: Logger) async -> Bool {
        do {
            guard !DatabaseFiles(path: path).isEmpty else { return false }
            let store = try open(at: path, keys: keys)
            let problem = await store.firstProblem()
            try store.close()
            return problem == nil
        } catch {
            logger.debug("the database cannot be opened", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Whether the text that tells the database's key is that of the newest backup with a few bits changed: then not the key is wrong.
    private static func isKeyDamaged(_ path: String, _ backups: DatabaseBackups) -> Bool {
        func check(_ path: String) -> String? {
            var configuration = Configuration()
            configuration.readonly = true
            // One that cannot be read tells nothing.
            do { return try DatabaseQueue(path: path, configuration: configuration).read(Sealing.check) } catch { return nil }
        }
        guard let copy = backups.list().first, let good = check(copy.path), let text = check(path) else { return false }
        return Soundness.isDamaged(text, insteadOf: good)
    }

    /// What a backup knew of deletions is old: footage may have come under these names since. What is there is listed again.
    private func forgetDeletions() async throws {
        try await rows.write("forgetting deletions") { db in
            try db.run("DELETE FROM segments WHERE state = 3")
            try db.run("DELETE FROM garbage_files")
        }
    }
}
