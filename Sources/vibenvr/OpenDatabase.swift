import Logging
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

#if canImport(Glibc)
    import Glibc
#endif

/// The database of a server that starts, whatever happened to it, and what had to be done for that.
struct OpenedDatabase: Sendable {
    var store: Store
    var rescue: DatabaseRescue?
    /// Cameras that were made for footage of cameras nobody knows.
    var foundCameras: [ID<Camera>] = []

    static func backups(dataPath: String) -> DatabaseBackups { DatabaseBackups(folder: dataPath + "/backups/db") }

    /// Opens the database of a data folder. A lost one is replaced by the newest good backup or begun anew; then footage is listed again
    /// in the background, and cameras that only footage tells of are there, switched off. `suspicion`: why not to believe that it is sound.
    static func open(_ configuration: ServerConfiguration, dataPath: String, suspicion: String? = nil, now: WallTime, logger: Logger) async throws
        -> OpenedDatabase
    {
        let root = dataPath + "/recordings"
        let folders = FoundFootage.cameras(below: root)
        let (store, rescue) = try await Store.openRescuing(
            at: dataPath + "/vibenvr.db",
            keys: SecretKeys(explicit: configuration.secretKey, previous: configuration.oldSecretKey, mayChangeKey: true),
            backups: backups(dataPath: dataPath), hasFootage: !folders.isEmpty, suspicion: suspicion, now: now, logger: logger)
        var opened = OpenedDatabase(store: store, rescue: rescue)
        let isUntouched = try await store.segments.isUntouched()
        guard rescue != nil || isUntouched && !folders.isEmpty else { return opened }
        // Those up to the highest id the database ever gave were deleted by somebody; others it never knew.
        let highest = try await store.cameras.highestID()
        opened.foundCameras = try await store.cameras.insertFound(folders.filter { $0 > highest }, at: now)
        let reason = rescue?.reason ?? "the database knows no footage"
        if rescue?.backup != nil || !folders.isEmpty { try await store.upkeep.set(.reindexing, reason) }
        logger.error(
            "the database was replaced; no footage is deleted, and what is there is listed again",
            metadata: ["why": "\(rescue?.summary ?? reason)", "found_cameras": "\(opened.foundCameras.map(\.description).joined(separator: " "))"])
        return opened
    }

    /// Tells people what had to be done.
    func tell(_ health: HealthLog) {
        // What was damaged when the server ended is not any more.
        health.clear(.databaseDamaged)
        guard let rescue else { return }
        health.note(
            rescue.backup == nil ? .databaseLost : .databaseRestored, cause: nil,
            detail: rescue.summary + (foundCameras.isEmpty ? "" : "; cameras known by their footage alone were added, switched off"))
    }
}
