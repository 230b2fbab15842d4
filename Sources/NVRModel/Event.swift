/// A time range on a camera that somebody may look for: motion, a continuous segment, a snapshot.
/// An event owns no footage: its video is whatever segments cover its range. A snapshot owns its picture file.
package struct Event: Sendable, Hashable {
    package enum Medium: String, Sendable, Hashable, Codable, CaseIterable {
        case video
        case snapshot
    }

    package enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        case motion
        case continuous
        case manual
    }

    package var id: ID<Event>
    package var cameraID: ID<Camera>
    package var medium: Medium
    package var kind: Kind
    package var start: WallTime
    /// Nil while it lasts; also nil for a snapshot.
    package var end: WallTime?
    /// The segment a `continuous` event stands for.
    package var segmentID: ID<Segment>?
    /// Where its pictures lie: the snapshot in the folder its camera names, a thumbnail of motion in the default one.
    package var volume: VolumeID
    /// Path of a picture below the folder of the volume: the snapshot itself.
    package var picturePath: String?
    /// Path of the thumbnail JPEG below the folder of the volume.
    package var thumbnailPath: String?
    /// Bytes of the footage in the range or of the picture; nil while not known.
    package var bytes: Int64?
    package var width: Int?
    package var height: Int?
    /// 0…1, the strongest picture of the event; nil when it was not measured.
    package var score: Double?
    /// JSON text of labels and boxes, when a detector gave any.
    package var metadata: String?

    package init(
        id: ID<Event>, cameraID: ID<Camera>, medium: Medium, kind: Kind, start: WallTime, end: WallTime? = nil,
        segmentID: ID<Segment>? = nil, picturePath: String? = nil, thumbnailPath: String? = nil, bytes: Int64? = nil,
        width: Int? = nil, height: Int? = nil, score: Double? = nil, metadata: String? = nil, volume: VolumeID = .standard
    ) {
        self.id = id
        self.volume = volume
        self.cameraID = cameraID
        self.medium = medium
        self.kind = kind
        self.start = start
        self.end = end
        self.segmentID = segmentID
        self.picturePath = picturePath
        self.thumbnailPath = thumbnailPath
        self.bytes = bytes
        self.width = width
        self.height = height
        self.score = score
        self.metadata = metadata
    }
}
