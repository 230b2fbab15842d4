/// A segment or a snapshot as retention sees it.
package struct RetentionItem: Sendable, Hashable {
    /// What the footage shows, from the first to go to the last.
    package enum Footage: UInt8, Sendable, Hashable, CaseIterable {
        case continuous
        /// Overlaps motion or a recording somebody asked for, or was made because of motion.
        case event
        /// Overlaps an event that a detector gave labels to.
        case labelled
        case snapshot
    }

    /// Of the segment; of the event when it is a snapshot.
    package var id: Int64
    package var camera: ID<Camera>
    package var volume: VolumeID
    package var start: WallTime
    package var end: WallTime
    package var bytes: Int64
    package var footage: Footage
    /// Nothing is written to it any more.
    package var isFinished: Bool

    package init(
        id: Int64, camera: ID<Camera>, volume: VolumeID = .standard, start: WallTime, end: WallTime, bytes: Int64, footage: Footage,
        isFinished: Bool = true
    ) {
        self.id = id
        self.camera = camera
        self.volume = volume
        self.start = start
        self.end = end
        self.bytes = bytes
        self.footage = footage
        self.isFinished = isFinished
    }

    package var isPicture: Bool { footage == .snapshot }
}

/// Whose bytes a limit counts: one camera's recordings or pictures on one volume.
package struct RetentionShelf: Sendable, Hashable {
    package var camera: ID<Camera>
    package var volume: VolumeID
    package var isPictures: Bool

    package init(camera: ID<Camera>, volume: VolumeID = .standard, isPictures: Bool) {
        self.camera = camera
        self.volume = volume
        self.isPictures = isPictures
    }
}

extension RetentionItem {
    package var shelf: RetentionShelf { RetentionShelf(camera: camera, volume: volume, isPictures: isPicture) }
}
