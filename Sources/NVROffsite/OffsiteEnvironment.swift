package import Logging
package import NIOCore
package import NVRBase
package import NVRModel
package import NVRRecording
package import NVRStore

/// What copying works with: the database, the footage, and the network.
package struct OffsiteEnvironment: Sendable {
    package var store: Store
    /// Listed segments of a camera that hold anything of a range, oldest first, those that grow as far as they are on the disk.
    package var segments: @Sendable (ID<Camera>, TimeRange) async throws -> [Segment]
    /// Bytes of a segment's file as it lies there, encrypted or not, as many as there are. Blocks; called on `threads`.
    package var read: @Sendable (Segment, _ offset: Int64, _ count: Int) throws -> [UInt8]
    /// Where whole fragments, or the head of a segment's file, lie in it as it is stored. Blocks; called on `threads`.
    package var storedRange: @Sendable (Segment, Range<Int64>) throws -> Range<Int64> = { $1 }
    /// The addresses of a host that may be connected to. Blocks; called on `names`.
    package var addresses: @Sendable (_ host: String, _ port: Int) throws -> [SocketAddress]
    /// Read files, each volume's on its own.
    package var threads: VolumeThreads
    /// For how long a volume may be busy with one read before it counts as one that does not answer.
    package var patience = Duration.seconds(10)
    /// Looks names up; another one, since a file may itself lie in a bucket.
    package var names: BlockingThread
    package var group: any EventLoopGroup
    package var clock: any NVRClock
    package var logger: Logger
    package var userAgent: String
    /// Where buckets are made known as volumes of footage; nil to leave that.
    package var volumes: Volumes?

    package init(
        store: Store, segments: @escaping @Sendable (ID<Camera>, TimeRange) async throws -> [Segment],
        read: @escaping @Sendable (Segment, _ offset: Int64, _ count: Int) throws -> [UInt8],
        addresses: @escaping @Sendable (_ host: String, _ port: Int) throws -> [SocketAddress], threads: VolumeThreads,
        names: BlockingThread, group: any EventLoopGroup, clock: any NVRClock, logger: Logger, userAgent: String
    ) {
        self.store = store
        self.segments = segments
        self.read = read
        self.addresses = addresses
        self.threads = threads
        self.names = names
        self.group = group
        self.clock = clock
        self.logger = logger
        self.userAgent = userAgent
    }

    var now: WallTime { WallTime(microseconds: clock.wall()) }
}
