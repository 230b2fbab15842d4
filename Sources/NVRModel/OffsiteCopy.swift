/// An event whose footage is to be in a bucket.
package struct OffsiteEvent: Sendable, Hashable {
    /// Of the entry in the queue, in order of queueing.
    package var id: Int64
    package var eventID: ID<Event>
    package var cameraID: ID<Camera>
    /// Of the event, as it was when it was queued.
    package var start: WallTime
    /// The folder of its camera below the profile's prefix.
    package var folder: String

    package init(id: Int64, eventID: ID<Event>, cameraID: ID<Camera>, start: WallTime, folder: String) {
        self.id = id
        self.eventID = eventID
        self.cameraID = cameraID
        self.start = start
        self.folder = folder
    }

    /// What became of it. Raw values are stored and answered.
    package enum Outcome: String, Sendable, Hashable, CaseIterable {
        case copied
        /// There was never any footage of its time.
        case noFootage = "no_footage"
        /// The footage was deleted before it could be copied.
        case footageGone = "footage_gone"
        /// The event was deleted before it could be copied.
        case eventGone = "event_gone"
        /// More waited than may: the oldest made room.
        case queueFull = "queue_full"
    }
}

/// A stretch of a segment that lies in a bucket, or is on its way there, as an object that plays by itself.
package struct OffsitePiece: Sendable, Hashable {
    package var segmentID: ID<Segment>
    package var cameraID: ID<Camera>
    /// File offsets of whole fragments.
    package var offset: Int64
    package var endOffset: Int64
    package var range: TimeRange
    package var key: String
    /// Of the object: the stretch with the head of the file.
    package var bytes: Int64
    /// The upload in parts that is going on; nil when the object is there.
    package var uploadID: String?

    package init(
        segmentID: ID<Segment>, cameraID: ID<Camera>, offset: Int64, endOffset: Int64, range: TimeRange, key: String, bytes: Int64,
        uploadID: String? = nil
    ) {
        self.segmentID = segmentID
        self.cameraID = cameraID
        self.offset = offset
        self.endOffset = endOffset
        self.range = range
        self.key = key
        self.bytes = bytes
        self.uploadID = uploadID
    }

    package var isThere: Bool { uploadID == nil }
}

/// What was copied of one camera to one bucket, and what was not.
package struct OffsiteSummary: Sendable, Hashable {
    package var cameraID: ID<Camera>
    /// Events that wait, those that go on among them.
    package var waiting = 0
    /// Bytes of their footage that is not there yet, as far as it is recorded; by the length of overlaps, so it may be off a little.
    package var waitingBytes: Int64 = 0
    package var outcomes: [OffsiteEvent.Outcome: Int] = [:]
    package var pieces = 0
    package var bytes: Int64 = 0
    /// When the last object was stored.
    package var lastSuccess: WallTime?

    package init(cameraID: ID<Camera>) { self.cameraID = cameraID }
}
