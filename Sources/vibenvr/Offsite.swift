import Logging
import NIOCore
import NIOPosix
import NVRBase
import NVRMedia
import NVROffsite
import NVRRecording
import NVRStore

/// Puts the copies of events in buckets together. Their connections have an event loop of their own: encrypting uploads must keep no
/// camera and no viewer waiting.
func offsiteCopies(
    store: Store, playback: Playback, layout: RecordingLayout, addressCheck: @escaping @Sendable (SocketAddress) throws -> Void,
    loop: any EventLoopGroup, clock: any NVRClock, logger: Logger
) -> OffsiteCopies {
    let addresses = AddressGuard(addressCheck)
    var environment = OffsiteEnvironment(
        store: store, segments: { try await playback.segments($0, $1) }, read: { try playback.open($0).asStored.read(at: $1, count: $2) },
        addresses: { host, port in
            let shown = host.contains(":") ? "[\(host)]" : host
            guard let url = SourceURL("http://\(shown):\(port)/") else { throw NVRError(.invalid, "the endpoint has no host") }
            return try addresses.addresses(of: url)
        },
        threads: VolumeThreads("offsite", volumes: layout.volumes, stackBytes: 1 << 20), names: BlockingThread(name: "offsite-names"), group: loop,
        clock: clock,
        logger: logger,
        userAgent: "VibeNVR/\(VibeNVR.version)")
    environment.storedRange = { try playback.open($0).storedRange(ofFragments: $1) }
    environment.volumes = layout.volumes
    return OffsiteCopies(environment)
}

/// Makes the buckets of S3 profiles known to a command of the shell: footage that moved there is read, and nothing is copied there.
func mountBuckets(store: Store, layout: RecordingLayout, allowsLoopback: Bool, loop: any EventLoopGroup) async throws {
    guard try await !store.s3Profiles.all().isEmpty else { return }
    let clock = SystemClock()
    let logger = Logger(label: "vibenvr") { _ in SwiftLogNoOpLogHandler() }
    let playback = Playback(layout: layout, store: store, growing: GrowingSegments(), clock: clock, logger: logger)
    try await offsiteCopies(
        store: store, playback: playback, layout: layout, addressCheck: addressCheck(allowLoopback: allowsLoopback), loop: loop, clock: clock,
        logger: logger
    ).mount()
}
