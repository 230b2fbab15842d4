package import NVRCameras
package import NVRMedia
package import NVRModel

/// What the web side asks of running cameras: things that are no stored state. A value of functions, so that routes are tested
/// without a camera.
package struct LiveCameras: Sendable {
    package var health: @Sendable () -> [ID<Camera>: CameraHealth]
    /// The newest picture, `width` pixels wide or in its own size. Throws `unavailable` when there is none.
    package var frame: @Sendable (ID<Camera>, _ width: Int?) async throws -> Picture
    /// The same for moving pictures: one made for somebody else may be `age` microseconds old. `quality`: of the JPEG, 1…100.
    package var picture: @Sendable (ID<Camera>, _ width: Int?, _ age: Int64, _ quality: Int) async throws -> Picture
    /// A stream to watch; nil when the camera is switched off or has no such stream.
    package var stream: @Sendable (ID<Camera>, StreamRole) -> LiveStream?
    /// The same stream as H.264, for players that do not take its own codec; nil like `stream`.
    package var transcoded: @Sendable (ID<Camera>, StreamRole) -> TranscodedStream? = { _, _ in nil }
    /// Whether the server transcodes at all.
    package var canTranscode = false
    package var transcoding: @Sendable () -> TranscodeRoom.Reading = { TranscodeRoom.Reading() }
    /// Of one camera; nil when it is not running.
    package var state: @Sendable (ID<Camera>) -> CameraHealth?
    package var motion: @Sendable (ID<Camera>) -> LiveMotion?
    /// Stores a picture and its event.
    package var takeSnapshot: @Sendable (ID<Camera>) async throws -> Event
    /// `pictureWidth`: pixels at most of a picture; nil when none is wanted.
    package var probe: @Sendable (_ url: String, StreamTransport, _ pictureWidth: Int?) async -> StreamProbe
    package var liveMotion: @Sendable () -> [ID<Camera>: LiveMotion]
    package var counters: @Sendable () -> [CameraCounters]
    /// Takes over motion that somebody else saw, at the time they name. Throws `unavailable` for a camera that is switched off.
    package var reportMotion: @Sendable (ID<Camera>, _ isOn: Bool, WallTime?) throws -> Void
    /// Waits until nothing is written for a camera any more.
    package var waitUntilEnded: @Sendable (ID<Camera>) async -> Void

    package init(
        health: @escaping @Sendable () -> [ID<Camera>: CameraHealth],
        frame: @escaping @Sendable (ID<Camera>, _ width: Int?) async throws -> Picture,
        takeSnapshot: @escaping @Sendable (ID<Camera>) async throws -> Event,
        probe: @escaping @Sendable (_ url: String, StreamTransport, _ pictureWidth: Int?) async -> StreamProbe,
        liveMotion: @escaping @Sendable () -> [ID<Camera>: LiveMotion],
        counters: @escaping @Sendable () -> [CameraCounters],
        reportMotion: @escaping @Sendable (ID<Camera>, _ isOn: Bool, WallTime?) throws -> Void,
        waitUntilEnded: @escaping @Sendable (ID<Camera>) async -> Void,
        stream: @escaping @Sendable (ID<Camera>, StreamRole) -> LiveStream? = { _, _ in nil },
        picture: (@Sendable (ID<Camera>, _ width: Int?, _ age: Int64, _ quality: Int) async throws -> Picture)? = nil
    ) {
        self.health = health
        self.frame = frame
        self.takeSnapshot = takeSnapshot
        self.probe = probe
        self.liveMotion = liveMotion
        self.counters = counters
        self.reportMotion = reportMotion
        self.waitUntilEnded = waitUntilEnded
        self.stream = stream
        self.picture = picture ?? { camera, width, _, _ in try await frame(camera, width) }
        state = { health()[$0] }
        motion = { liveMotion()[$0] }
    }

    package init(_ supervisor: CameraSupervisor) {
        self.init(
            health: { supervisor.allHealth() }, frame: { try await supervisor.frame(of: $0, width: $1) },
            takeSnapshot: { try await supervisor.takeSnapshot(of: $0) }, probe: { await supervisor.probe(url: $0, transport: $1, pictureWidth: $2) },
            liveMotion: { supervisor.liveMotion() }, counters: { supervisor.counters() },
            reportMotion: { try supervisor.reportMotion($1, of: $0, at: $2) }, waitUntilEnded: { await supervisor.waitUntilEnded($0) },
            stream: { supervisor.liveStream(of: $0, $1) },
            picture: { try await supervisor.frame(of: $0, width: $1, age: $2, quality: $3) })
        // Asked several times a second by each viewer: only one camera is looked at.
        state = { supervisor.health(of: $0) }
        transcoded = { supervisor.transcodedStream(of: $0, $1) }
        transcoding = { supervisor.transcoding }
        canTranscode = supervisor.canTranscode
        motion = { supervisor.liveMotion(of: $0) }
    }
}
