/// One fragmented MP4 file of one stream of a camera, cut only at keyframes, and what is needed to find anything in it.
package struct Segment: Sendable, Hashable {
    /// The life of a segment row. Raw values are stored.
    package enum State: Int, Sendable, Hashable {
        /// The file is about to be made; not listed. Recovery removes the row when no whole fragment is there.
        case intended = 0
        /// The file exists and grows; listed, its end is not final.
        case growing = 1
        /// Closed, synced to disk, index complete.
        case finished = 2
        /// To be unlinked; not listed.
        case garbage = 3
    }

    package var id: ID<Segment>
    package var cameraID: ID<Camera>
    package var role: StreamRole
    /// Segments of one run join without a gap; a reconnect or a wall-clock step begins a new run.
    package var run: Int64
    /// Where its file lies.
    package var volume: VolumeID
    /// Path below the folder of the volume, `/`-separated, for example `1/2026-11-22/21-16-53.mp4`; unique among all volumes.
    package var path: String
    package var start: WallTime
    /// End of the last whole fragment on disk.
    package var end: WallTime
    /// Bytes of whole fragments on disk, the init segment included.
    package var bytes: Int64
    package var state: State
    package var width: Int
    package var height: Int
    /// RFC 6381 codec strings, comma-separated: `avc1.640028,mp4a.40.2`.
    package var codecs: String
    /// Bytes of the init segment (ftyp and moov) at the head of the file.
    package var initLength: Int64
    /// Video timescale of the index, ticks a second.
    package var timescale: Int
    /// Packed `ISOBMFF.FragmentIndex`; empty while growing.
    package var index: [UInt8]
    /// Name of the key that its file is encrypted with; nil for one in the clear.
    package var key: String?

    package init(
        id: ID<Segment>, cameraID: ID<Camera>, role: StreamRole, run: Int64, volume: VolumeID = .standard, path: String, start: WallTime,
        end: WallTime, bytes: Int64, state: State, width: Int, height: Int, codecs: String, initLength: Int64, timescale: Int, index: [UInt8],
        key: String? = nil
    ) {
        self.id = id
        self.cameraID = cameraID
        self.role = role
        self.run = run
        self.volume = volume
        self.path = path
        self.start = start
        self.end = end
        self.bytes = bytes
        self.state = state
        self.width = width
        self.height = height
        self.codecs = codecs
        self.initLength = initLength
        self.timescale = timescale
        self.index = index
        self.key = key
    }

    package var place: FootagePlace { FootagePlace(volume, path) }
    package var range: TimeRange { TimeRange(start: start, end: end) }
}
