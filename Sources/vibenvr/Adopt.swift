import ArgumentParser
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

struct Adopt: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say that the disk in the place of a lost one is the right one from now on.",
        discussion: """
            The server leaves a folder for recordings alone when it should hold known footage and does not: it may be a mount point without \
            its disk. After a disk was replaced, this puts the marker \(VolumeMarker.fileName) into the folder; a running server uses it within \
            seconds. What the database knows of footage that was lost with the old disk is removed by check --repair.
            """)

    @OptionGroup var data: DataOptions

    @Option(name: .long, help: "Id of the storage profile whose folder is meant; the default folder without it.")
    var profile: Int64?

    mutating func run() async throws {
        guard POSIXFile.exists(data.databasePath) else {
            throw StartFailure(message: "there is no database in \(data.path): is --data-dir right?")
        }
        let store = try Store.open(
            at: data.databasePath, keys: SecretKeys(explicit: environment("SECRET_KEY"), previous: environment("SECRET_KEY_OLD")))
        let instance = try await store.settings.values()[Settings.instanceID]
        var folder = try absolutePath(data.recordingRoot)
        if let profile {
            guard let found = try await store.storageProfiles.get(ID(profile)) else {
                throw StartFailure(message: "there is no storage profile \(profile)")
            }
            folder = found.path
        }
        let marker = VolumeMarker(instance: instance, volume: VolumeID(rawValue: profile ?? 0))
        switch VolumeMarker.look(in: folder) {
        case .found(marker): say("\(folder) is known already")
        case .found(let other) where other.instance == instance:
            throw StartFailure(
                message: "\(folder) is the folder of \(other.volume == .standard ? "the default recordings" : "storage profile \(other.volume)")")
        case .found, .bare, .unreadable:
            do { try marker.write(in: folder) } catch { throw StartFailure(message: "\(error)") }
            say("\(folder) is used from now on")
        case .missing: throw StartFailure(message: "\(folder) is not there: mount the disk first")
        case .failed(let reason): throw StartFailure(message: "\(folder) cannot be looked at: \(reason)")
        }
        try store.close()
    }
}
