package import Logging
package import NVRAccounts
package import NVRBase
package import NVRMedia
package import NVRModel
package import NVRStore
package import RTSP

/// What the RTSP side works with.
package struct RestreamDependencies: Sendable {
    package var store: Store
    package var accounts: Accounts
    /// A stream to watch; nil when the camera is switched off or has no such stream.
    package var stream: @Sendable (ID<Camera>, StreamRole) -> LiveStream?
    /// Takes an entry of the audit trail; `isRefusal`: of a caller that nobody knows.
    package var audit: @Sendable (AuditEntry, _ isRefusal: Bool) async -> Void
    package var totals: LiveTotals
    package var clock: any NVRClock

    package init(
        store: Store, accounts: Accounts, stream: @escaping @Sendable (ID<Camera>, StreamRole) -> LiveStream?,
        audit: @escaping @Sendable (AuditEntry, _ isRefusal: Bool) async -> Void, totals: LiveTotals, clock: any NVRClock
    ) {
        self.store = store
        self.accounts = accounts
        self.stream = stream
        self.audit = audit
        self.totals = totals
        self.clock = clock
    }
}

/// Somebody who was recognised.
final class RestreamPass: RTSPPass {
    let identity: Identity

    init(_ identity: Identity) { self.identity = identity }
}

/// A stream that somebody may play, wanted for as long as this exists.
final class RestreamSource: Sendable {
    let camera: ID<Camera>
    let role: StreamRole
    /// What the client was told; what comes has to be the same.
    let description: StreamDescription
    private let hold: StreamHold

    init(camera: ID<Camera>, role: StreamRole, description: StreamDescription, hold: StreamHold) {
        self.camera = camera
        self.role = role
        self.description = description
        self.hold = hold
    }
}

/// Keeps a stream running.
final class StreamHold: Sendable {
    let stream: LiveStream

    init(_ stream: LiveStream) {
        self.stream = stream
        stream.want()
    }

    deinit { stream.release() }
}

/// Cameras as programs of an RTSP server: `/{camera}` and `/{camera}/sub`.
package struct RestreamContent: RTSPServerContent {
    private let dependencies: RestreamDependencies
    private let logger: Logger

    /// How long a client waits for a stream that does not run yet, such as a sub-stream that nobody watched: polls, and the pause
    /// between two.
    private static let polls = 100
    private static let pollPause = Duration.milliseconds(100)

    package init(_ dependencies: RestreamDependencies, logger: Logger) {
        self.dependencies = dependencies
        self.logger = logger
    }

    package func admit(_ visit: RTSPVisit) async throws(RTSPRefusal) -> RTSPProgram {
        do {
            let identity = try await recognise(visit)
            let (camera, role) = try await find(visit, identity)
            let pass = RestreamPass(identity)
            if var program = visit.program, let source = program.source as? RestreamSource, source.camera == camera.id, source.role == role,
                visit.method != "DESCRIBE"
            {
                program.pass = pass
                return program
            }
            let source = try await open(camera, role)
            return RTSPProgram(
                title: camera.general.name, tracks: LiveRTP.tracks(of: source.description), pass: pass, source: source)
        } catch let refusal as RTSPRefusal {
            throw refusal
        } catch {
            logger.error("an RTSP request failed", metadata: ["method": "\(visit.method)", "error": "\(error)"])
            throw RTSPRefusal(503, "Service Unavailable", retryAfter: 5)
        }
    }

    package func play(_ program: RTSPProgram, to address: String, wake: @escaping @Sendable () -> Void) -> any RTSPPlayback {
        guard let source = program.source as? RestreamSource, let pass = program.pass as? RestreamPass else { return NoPlayback() }
        let access = LiveAccess(
            authenticator: dependencies.accounts.authenticator, changes: dependencies.accounts.accessChanges, store: dependencies.store,
            identity: pass.identity, camera: source.camera)
        var entry = entry("PLAY", address, 200)
        entry.userID = pass.identity.user.id
        entry.userName = pass.identity.user.username
        entry.tokenID = pass.identity.tokenID
        entry.cameraID = source.camera
        entry.summary = source.role.rawValue
        let (audit, listed) = (dependencies.audit, entry)
        Task { await audit(listed, false) }
        let playback = RestreamPlayback(
            source: source, access: access, stream: dependencies.stream, totals: dependencies.totals, clock: dependencies.clock, wake: wake)
        playback.start()
        return playback
    }

    /// For programs that are not ours, which do not exist.
    private final class NoPlayback: RTSPPlayback {
        func next() -> RTSPPlaybackItem? { .end }
        func stop() {}
    }

    // MARK: Who

    private func recognise(_ visit: RTSPVisit) async throws -> Identity {
        guard let authorization = visit.authorization else {
            guard let pass = visit.pass as? RestreamPass,
                let current = try await dependencies.accounts.authenticator.current(pass.identity)
            else { throw RTSPRefusal.unauthorized }
            return current
        }
        let name =
            switch authorization {
            case .basic(let username, _): username
            case .digest(let answer): answer.username
            }
        do {
            switch authorization {
            case .basic(let username, let password):
                return try await dependencies.accounts.streamSignIns.signIn(username: username, password: password, address: visit.address)
            case .digest(let answer):
                let method = visit.method
                return try await dependencies.accounts.streamSignIns.signIn(username: answer.username, address: visit.address) {
                    answer.isRight(secret: $0.reveal(), method: method)
                }
            }
        } catch let refusal as StreamRefusal {
            var entry = entry(visit.method, visit.address, 401)
            entry.userName = name
            await dependencies.audit(entry, true)
            switch refusal {
            case .wrong:
                logger.notice("an RTSP sign-in was refused", metadata: ["address": "\(visit.address)"])
                throw RTSPRefusal.unauthorized
            case .tooManyAttempts(let wait): throw RTSPRefusal(503, "Too Many Attempts", retryAfter: wait)
            case .busy: throw RTSPRefusal(503, "Too Many Sign-ins at Once", retryAfter: 2)
            }
        }
    }

    private func entry(_ method: String, _ address: String, _ status: Int) -> AuditEntry {
        AuditEntry(
            time: WallTime(microseconds: dependencies.clock.wall()), address: address, method: method, route: "rtsp://{camera}", status: status)
    }

    // MARK: What

    private func find(_ visit: RTSPVisit, _ identity: Identity) async throws -> (Camera, StreamRole) {
        let cameras = try await dependencies.store.cameras.all()
        let id = visit.path.first.flatMap { CameraName.camera($0, among: cameras) } ?? ID(0)
        // Whether there is a camera of this name is nobody's business who sees no more than some.
        guard Access.allows(identity, .view, camera: id) else {
            var entry = entry(visit.method, visit.address, 403)
            entry.userID = identity.user.id
            entry.userName = identity.user.username
            entry.tokenID = identity.tokenID
            entry.cameraID = cameras.first { $0.id == id }?.id
            await dependencies.audit(entry, false)
            throw RTSPRefusal.forbidden
        }
        guard let camera = cameras.first(where: { $0.id == id }), visit.path.count <= 2 else { throw RTSPRefusal.notFound }
        guard visit.path.count == 2 else { return (camera, .main) }
        guard let role = StreamRole(rawValue: visit.path[1]) else { throw RTSPRefusal.notFound }
        return (camera, role)
    }

    /// Waits shortly for pictures.
    private func open(_ camera: Camera, _ role: StreamRole) async throws -> RestreamSource {
        var hold: StreamHold?
        for _ in 0..<Self.polls {
            guard let stream = dependencies.stream(camera.id, role) else {
                if role == .sub, dependencies.stream(camera.id, .main) != nil { throw RTSPRefusal.notFound }
                throw RTSPRefusal(503, "The Camera is Switched Off", retryAfter: 10)
            }
            // A camera that was started anew has new streams.
            if hold?.stream !== stream { hold = StreamHold(stream) }
            if let hold, let description = stream.description {
                return RestreamSource(camera: camera.id, role: role, description: description, hold: hold)
            }
            try await Task.sleep(for: Self.pollPause)
        }
        throw RTSPRefusal(503, "The Camera Gives No Picture Now", retryAfter: 5)
    }
}
