package import NVRModel

/// What footage is kept for how long and in how many bytes, as cameras, storage profiles and settings say. The strictest limit applies;
/// minimum days and holds win over all. Pure.
package struct RetentionRules: Sendable, Hashable {
    /// Limits of one camera; nil is none.
    package struct CameraLimits: Sendable, Hashable {
        package var recordingDays: Int?
        package var pictureDays: Int?
        package var recordingBytes: Int64?
        package var pictureBytes: Int64?

        package init(recordingDays: Int? = nil, pictureDays: Int? = nil, recordingBytes: Int64? = nil, pictureBytes: Int64? = nil) {
            self.recordingDays = recordingDays
            self.pictureDays = pictureDays
            self.recordingBytes = recordingBytes
            self.pictureBytes = pictureBytes
        }
    }

    /// A camera that is not here, since it is deleted, has no limits of its own.
    package var cameras: [ID<Camera>: CameraLimits] = [:]
    /// Most bytes on a volume.
    package var volumeBytes: [VolumeID: Int64] = [:]
    /// Most bytes of everything.
    package var totalBytes: Int64?
    /// Recordings with events are kept for at least so many days, those with labels again; 0 as other recordings.
    package var eventDays = 0
    package var labelledDays = 0
    /// Nothing younger is deleted, whatever limit it passes.
    package var minimumDays = 0
    /// Part of everything that a run may delete without somebody's word, beside what was recorded since the last.
    package var share = 0.2

    package init() {}

    package init(cameras: [Camera], profiles: [StorageProfile], buckets: [S3Profile] = [], settings: SettingValues) {
        for camera in cameras {
            self.cameras[camera.id] = CameraLimits(
                recordingDays: KeepingTime.days(of: camera.recording.preserve), pictureDays: KeepingTime.days(of: camera.pictures.preserve),
                recordingBytes: Self.bytes(camera.recording.maxStorage), pictureBytes: Self.bytes(camera.pictures.maxStorage))
        }
        for profile in profiles { volumeBytes[VolumeID(profile.id)] = Self.bytes(profile.maxSize) }
        for bucket in buckets { volumeBytes[VolumeID(bucket.id)] = Self.bytes(bucket.maxSize) }
        totalBytes = Self.bytes(settings[Settings.maxGlobalStorageGB])
        eventDays = settings[Settings.retentionEventDays]
        labelledDays = settings[Settings.retentionLabelledDays]
        minimumDays = settings[Settings.retentionMinimumDays]
        share = Double(settings[Settings.retentionMaxSharePercent]) / 100
    }

    /// Bytes of a limit in gigabytes (2^30); nil when there is none.
    package static func bytes(_ gigabytes: Double) -> Int64? { gigabytes > 0 ? Int64(min(gigabytes, 1e9) * 1_073_741_824) : nil }

    /// Days for which a camera's footage of a kind is kept; nil is for ever.
    package func days(_ footage: RetentionItem.Footage, of camera: ID<Camera>) -> Int? {
        guard let limits = cameras[camera], let days = footage == .snapshot ? limits.pictureDays : limits.recordingDays else { return nil }
        switch footage {
        case .continuous, .snapshot: return max(days, minimumDays)
        case .event: return max(days, minimumDays, eventDays)
        case .labelled: return max(days, minimumDays, eventDays, labelledDays)
        }
    }

    /// Whether it matters what a recording of the camera shows.
    package func tellsApart(_ camera: ID<Camera>) -> Bool { days(.continuous, of: camera) != days(.labelled, of: camera) }
}
