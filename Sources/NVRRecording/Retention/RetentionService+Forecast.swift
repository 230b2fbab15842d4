import NVRBase
import NVRModel
import NVRStore

extension RetentionService {
    /// For how long recordings will be there, by the pace of the last day.
    package func forecast() async throws -> RetentionForecast {
        let time = WallTime(microseconds: clock.wall())
        let settings = try await store.settings.values()
        let ground = try await planning.ground(at: time, on: removal.assumed)
        let paces = try await store.segments.bytesADay(at: time)
        var recordings: [ID<Camera>: Int64] = [:]
        for total in try await store.segments.totals() { recordings[total.cameraID, default: 0] += total.bytes }
        let flows = try await store.cameras.all().map { camera in
            RetentionForecast.Flow(
                camera: camera.id, volume: camera.recordingVolume, bytesADay: paces[camera.id] ?? 0, bytes: recordings[camera.id] ?? 0)
        }
        var rooms: [VolumeID: RetentionForecast.Room] = [:]
        for volume in removal.layout.volumes.usable.sorted() {
            guard let space = try await space(of: volume) else { continue }
            let deletable = ground.totals.reduce(Int64(0)) { $1.key.volume == volume ? $0 + $1.value : $0 }
            rooms[volume] = RetentionForecast.Room(
                free: space.free, total: space.total, floor: StorageFloor(gigabytes: settings[Settings.storageFloorGB], total: space.total).bytes,
                deletable: deletable)
        }
        return RetentionForecast(flows, rules: ground.rules, rooms: rooms, isDeleting: settings[Settings.cleanupEnabled])
    }

    /// As it was seen last, so that a volume that hangs keeps nobody waiting; asked for only where nobody looks all the time.
    private func space(of volume: VolumeID) async throws -> Volumes.Space? {
        let volumes = removal.layout.volumes
        if let known = volumes.space(of: volume) { return known }
        guard let root = volumes.root(of: volume) else { return nil }
        let space = try await threads.run(on: volume, patience: .seconds(2)) { try POSIXFile.space(at: root) }
        return Volumes.Space(free: space.free, total: space.total)
    }
}

extension Camera {
    /// Where its recordings go as long as that volume is there.
    fileprivate var recordingVolume: VolumeID {
        recording.mode == .motionTriggered ? storage.motionVolume : storage.continuousVolume
    }
}
