package import NVRModel

/// A step in the life of a segment, for `SegmentStore.commit`. Times and bytes are those of whole fragments that are on disk.
package enum SegmentChange: Sendable, Hashable {
    /// The file exists and its folder entry is on disk: it is listed from now on.
    case begin(ID<Segment>, end: WallTime, bytes: Int64, initLength: Int64)
    /// More of the file is on disk.
    case progress(ID<Segment>, end: WallTime, bytes: Int64)
    /// The file is closed and on disk.
    case finish(ID<Segment>, SegmentClosing)
    /// There is no file, or nothing whole in it: the row goes.
    case discard(ID<Segment>)

    package var id: ID<Segment> {
        switch self {
        case .begin(let id, _, _, _), .progress(let id, _, _), .finish(let id, _), .discard(let id): id
        }
    }
}

/// What is known of a segment once it is closed.
package struct SegmentClosing: Sendable, Hashable {
    package var end: WallTime
    package var bytes: Int64
    /// Packed fragment index.
    package var index: [UInt8]
    /// Set by recovery, which reads these from the file; nil leaves them.
    package var initLength: Int64?
    package var timescale: Int?
    package var start: WallTime?
    package var width: Int?
    package var height: Int?
    package var codecs: String?
    /// CRC-32 (ISO 3309) of the whole file; nil when nobody has taken it.
    package var checksum: UInt32?

    package init(
        end: WallTime, bytes: Int64, index: [UInt8], initLength: Int64? = nil, timescale: Int? = nil, start: WallTime? = nil,
        width: Int? = nil, height: Int? = nil, codecs: String? = nil
    ) {
        self.end = end
        self.bytes = bytes
        self.index = index
        self.initLength = initLength
        self.timescale = timescale
        self.start = start
        self.width = width
        self.height = height
        self.codecs = codecs
    }
}

/// What became of one `SegmentChange`.
package struct SegmentOutcome: Sendable, Hashable {
    /// False when the row is gone or marked as garbage: somebody deleted the segment meanwhile; stop writing it.
    package var isKept: Bool
    /// The `continuous` event that stands for the segment.
    package var eventID: ID<Event>?
}

/// A file that is to be unlinked, and the row that goes after it.
package struct GarbageSegment: Sendable, Hashable {
    package var id: ID<Segment>
    package var volume: VolumeID
    /// Below the folder of the volume.
    package var path: String
    package var place: FootagePlace { FootagePlace(volume, path) }

    package init(id: ID<Segment>, volume: VolumeID = .standard, path: String) {
        self.id = id
        self.volume = volume
        self.path = path
    }
}

/// A segment as checks and retention see it.
package struct SegmentEntry: Sendable, Hashable {
    package var id: ID<Segment>
    package var cameraID: ID<Camera>
    package var volume: VolumeID
    package var path: String
    package var start: WallTime
    package var bytes: Int64
    package var state: Segment.State
    package var place: FootagePlace { FootagePlace(volume, path) }

    package init(
        id: ID<Segment>, cameraID: ID<Camera>, volume: VolumeID = .standard, path: String, start: WallTime, bytes: Int64, state: Segment.State
    ) {
        self.id = id
        self.cameraID = cameraID
        self.volume = volume
        self.path = path
        self.start = start
        self.bytes = bytes
        self.state = state
    }
}

/// Footage of one camera's stream in numbers.
package struct SegmentTotal: Sendable, Hashable {
    package var cameraID: ID<Camera>
    package var role: StreamRole
    package var count: Int
    package var bytes: Int64

    package init(cameraID: ID<Camera>, role: StreamRole, count: Int, bytes: Int64) {
        self.cameraID = cameraID
        self.role = role
        self.count = count
        self.bytes = bytes
    }
}

/// What lies on a volume in numbers.
package struct VolumeTotal: Sendable, Hashable {
    package var volume: VolumeID
    /// Footage or snapshots.
    package var medium: Event.Medium
    package var count: Int
    package var bytes: Int64
}
