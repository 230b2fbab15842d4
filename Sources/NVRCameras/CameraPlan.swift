import NVRBase
package import NVRDetection
package import NVRMedia
package import NVRModel

/// What a camera's settings mean for the running engine, split by what has to be restarted when it changes. Pure.
package struct CameraPlan: Sendable, Equatable {
    package struct Recording: Sendable, Equatable {
        package var mode: RecordingMode
        package var fileName: String
        /// Seconds.
        package var segmentSeconds: Int
        package var audio: Bool
        /// Seconds of footage kept from before an event.
        package var before: Int
        /// Seconds recorded after an event.
        package var after: Int

        /// Where files are to lie.
        package var volume = VolumeID.standard

        /// Seconds for which footage reaches back behind now when motion is reported; a minute of what is always recorded is enough.
        var reach: Int { mode == .continuous ? 60 : before }
    }

    package struct Pictures: Sendable, Equatable {
        package var fileName: String
        package var quality: Int
        package var volume = VolumeID.standard
        /// A full picture is stored when motion begins.
        package var onMotion: Bool
    }

    package var cameraID: ID<Camera>
    package var main: StreamSettings
    package var sub: StreamSettings?
    package var recording: Recording
    /// Nil when this server looks for no motion.
    package var detection: DetectorConfiguration?
    /// The hours in which motion counts; nil at any time.
    package var detectionHours: Camera.Schedule?
    package var pictures: Pictures

    /// Nil for a camera that is switched off.
    ///
    /// `maxSegmentSeconds` caps the length of segments below the camera's own setting.
    package init?(_ camera: Camera, maxSegmentSeconds: Int?) {
        guard camera.general.isActive else { return nil }
        cameraID = camera.id
        let audio = camera.recording.audio || camera.streams.enableAudio || camera.streams.audioEnabled
        main = StreamSettings(url: Secret(camera.streams.url), transport: camera.streams.transport, wantAudio: audio)
        sub = camera.streams.subURL.flatMap { url in
            url.isEmpty ? nil : StreamSettings(url: Secret(url), transport: camera.streams.subTransport, wantAudio: false)
        }
        // What a mode does not use cannot change it: a running recording is not interrupted for it.
        let isTriggered = camera.recording.mode == .motionTriggered
        recording = Recording(
            mode: camera.recording.mode, fileName: camera.recording.fileName,
            segmentSeconds: min(camera.recording.maxLength, maxSegmentSeconds ?? .max), audio: camera.recording.audio,
            before: isTriggered ? camera.recording.capturedBefore : 0, after: isTriggered ? camera.recording.capturedAfter : 0)
        recording.volume = isTriggered ? camera.storage.motionVolume : camera.storage.continuousVolume
        pictures = Pictures(
            fileName: camera.pictures.fileName, quality: camera.pictures.quality, volume: camera.storage.snapshotVolume,
            onMotion: camera.pictures.mode.lowercased().contains("motion"))
        let mode = camera.detection.mode.lowercased()
        if camera.detection.engine == "OpenCV", !["off", "never", "disabled", "none"].contains(mode) {
            detection = DetectorConfiguration(
                threshold: camera.detection.threshold, autoThreshold: camera.detection.autoThreshold,
                minMotionFrames: camera.detection.minMotionFrames, motionGap: .seconds(camera.detection.motionGap),
                exclusionMasks: camera.detection.motionMasks.map { mask in mask.points.map { MaskPoint(x: $0.x, y: $0.y) } },
                lightSwitchPercent: camera.detection.lightSwitch > 0 ? camera.detection.lightSwitch : 40,
                despeckle: camera.detection.despeckle)
            detectionHours = mode.contains("schedule") ? camera.schedule : nil
        }
    }

    /// Whether the sub-stream has to be read all the time.
    package var needsSub: Bool { detection != nil && sub != nil }

    /// What it takes to go from one plan of a camera to another.
    package enum Change: Sendable, Equatable {
        /// Nothing that runs is touched. Settings of pictures are read when one is taken.
        case none
        /// Connections stay; recorder, detector or both are set up anew.
        case adjust(recording: Bool, detection: Bool)
        /// The streams themselves changed.
        case restart
    }

    package func change(to other: CameraPlan) -> Change {
        if main != other.main || sub != other.sub || needsSub != other.needsSub { return .restart }
        let recordingChanged = recording != other.recording
        let detectionChanged = detection != other.detection || detectionHours != other.detectionHours
        return recordingChanged || detectionChanged ? .adjust(recording: recordingChanged, detection: detectionChanged) : .none
    }
}

extension Camera.Schedule {
    /// The hours of a weekday, 0 = Sunday as `tm_wday` counts.
    package func day(_ weekday: Int) -> Day {
        switch weekday {
        case 1: monday
        case 2: tuesday
        case 3: wednesday
        case 4: thursday
        case 5: friday
        case 6: saturday
        default: sunday
        }
    }

    /// Whether a local time lies in the schedule. The end minute belongs to it; an end before the start reaches into the next day.
    package func contains(weekday: Int, minute: Int) -> Bool {
        let today = day(weekday)
        if today.isEnabled {
            let (start, end) = (today.start.minutes, today.end.minutes)
            if start <= end ? (start...end).contains(minute) : minute >= start { return true }
        }
        let yesterday = day((weekday + 6) % 7)
        return yesterday.isEnabled && yesterday.end.minutes < yesterday.start.minutes && minute <= yesterday.end.minutes
    }
}
