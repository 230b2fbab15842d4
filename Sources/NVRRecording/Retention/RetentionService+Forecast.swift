import NVRBase
import NVRModel
import NVRStore

extension RetentionService {
    /// For how long recordings will be there, by the pace of the last day.
    package func forecast() async throws -> RetentionForecast {
        let time = WallTime(microseconds: clock.wall())
        let settings = try await store.settings.values()
        let ground = try await planning.ground(at: time, on: try await removal.assumed())
        let paces = try await store.segments.bytesADay(at: time)
        var recordings: [ID<Camera>: Int64] = [:]
        for total in try await store.segments.totals() { recordings[total.cameraID, default: 0] += total.bytes }
        let flows = try await store.cameras.all().map { camera in
            RetentionForecast.Flow(
                camera: camera.id, volume: camera.recordingVolume, bytesADay: paces[camera.id] ?? 0, bytes: recordings[camera.id] ?? 0)
        }
        var rooms: [VolumeID: RetentionForecast.Room] = [:]
        for volume in try await volumes() {
            let space = try await thread.run { try POSIXFile.space(at: volume.root) }
            let deletable = ground.totals.reduce(Int64(0)) { $1.key.volume == volume.id ? $0 + $1.value : $0 }
            rooms[volume.id] = RetentionForecast.Room(
                free: space.free, total: space.total, floor: StorageFloor(gigabytes: settings[Settings.storageFloorGB], total: space.total).bytes,
                deletable: deletable)
        }
        return RetentionForecast(flows, rules: ground.rules, rooms: rooms, isDeleting: settings[Settings.cleanupEnabled])
    }
}

extension Camera {
    /// Where its recordings go as long as that volume is there.
    fileprivate var recordingVolume: VolumeID {
        recording.mode == .motionTriggered ? storage.motionVolume : storage.continuousVolume
    }
}
