package import NVRMedia
package import NVRModel

/// What the database and the disk do not hold yet of a camera's motion events and snapshots, oldest first. It is the state that is
/// wanted, not a list of orders: what was refused for a while is written as it is by then. Pure.
package struct PendingEvents: Sendable {
    /// One write. Those of an event have to be done in this order, but for a thumbnail, which the end does not wait for.
    package enum Step: Sendable {
        /// The event has no id yet.
        case insert(Event)
        case thumbnail(Event, Picture, fileName: String)
        case end(Event)
        /// `place`: where the picture lies already, nil when it has to be stored first.
        case snapshot(Picture, fileName: String, volume: VolumeID, place: FootagePlace?)
    }

    package enum Kind: Sendable, CaseIterable {
        case insert, thumbnail, end, snapshot
    }

    private struct Motion {
        var event: Event
        /// `movie_file_name` when it began.
        var fileName: String
        var isStored = false
        /// The best picture that is not on the disk.
        var picture: Picture?
        var hasThumbnail = false
        var isEndStored = false

        var isDone: Bool { isEndStored && picture == nil }
    }

    private struct Snapshot {
        var picture: Picture
        /// `picture_file_name` when it was taken.
        var fileName: String
        var volume: VolumeID
        var place: FootagePlace?
    }

    /// Events and snapshots kept at most; then the oldest are given up.
    package static let mostEvents = 1000
    /// Pictures kept at most: footage gives a thumbnail, too.
    package static let mostPictures = 12

    private var motions: [(number: Int, motion: Motion)] = []
    private var snapshots: [(number: Int, snapshot: Snapshot)] = []
    private var nextNumber = 0
    /// Events and snapshots that were given up.
    package private(set) var lost = 0

    package init() {}

    package var isEmpty: Bool { motions.isEmpty && snapshots.isEmpty }
    package var count: Int { motions.count + snapshots.count }
    /// What waits, in the order in which it should be written.
    package var numbers: [Int] { (motions.map(\.number) + snapshots.map(\.number)).sorted() }

    // MARK: What happens

    /// Motion begins; an earlier event that goes on ends by it.
    package mutating func began(_ event: Event, fileName: String) {
        ended(at: event.start)
        motions.append((take(), Motion(event: event, fileName: fileName)))
        if motions.count > Self.mostEvents {
            motions.removeFirst()
            lost += 1
        }
    }

    /// The best picture so far of the event that goes on.
    package mutating func best(_ picture: Picture, score: Double, metadata: String) {
        guard let last = motions.indices.last, motions[last].motion.event.end == nil else { return }
        motions[last].motion.event.score = score
        motions[last].motion.event.metadata = metadata
        motions[last].motion.picture = picture
        let holders = motions.indices.filter { motions[$0].motion.picture != nil }
        for index in holders.dropLast(Self.mostPictures) { motions[index].motion.picture = nil }
        motions.removeAll { $0.motion.isDone }
    }

    /// A picture of the event that goes on, when no better one has come.
    package mutating func pictured(_ picture: Picture) {
        guard let last = motions.indices.last, motions[last].motion.event.end == nil, motions[last].motion.picture == nil,
            !motions[last].motion.hasThumbnail
        else { return }
        motions[last].motion.picture = picture
    }

    /// The event that goes on ends.
    package mutating func ended(at time: WallTime) {
        guard let last = motions.indices.last, motions[last].motion.event.end == nil else { return }
        motions[last].motion.event.end = max(motions[last].motion.event.start, time)
    }

    package mutating func took(_ picture: Picture, fileName: String, volume: VolumeID = .standard) {
        snapshots.append((take(), Snapshot(picture: picture, fileName: fileName, volume: volume)))
        if snapshots.count > Self.mostPictures {
            snapshots.removeFirst()
            lost += 1
        }
    }

    private mutating func take() -> Int {
        nextNumber += 1
        return nextNumber
    }

    // MARK: Writing

    /// The write of a kind that is due now for what has this number; nil when there is none.
    package func step(_ kind: Kind, of number: Int) -> Step? {
        if kind == .snapshot {
            return snapshots.first { $0.number == number }.map {
                .snapshot(
                    $0.snapshot.picture, fileName: $0.snapshot.fileName, volume: $0.snapshot.volume, place: $0.snapshot.place)
            }
        }
        guard let motion = motions.first(where: { $0.number == number })?.motion else { return nil }
        switch kind {
        case .insert: return motion.isStored ? nil : .insert(motion.event)
        case .thumbnail:
            // The first picture at once, the best one at the end.
            guard motion.isStored, let picture = motion.picture, !motion.hasThumbnail || motion.event.end != nil else { return nil }
            return .thumbnail(motion.event, picture, fileName: motion.fileName)
        case .end: return motion.isStored && motion.event.end != nil && !motion.isEndStored ? .end(motion.event) : nil
        case .snapshot: return nil
        }
    }

    /// The event was inserted under this id.
    package mutating func inserted(_ number: Int, as id: ID<Event>) {
        change(number) { motion in
            motion.event.id = id
            motion.isStored = true
        }
    }

    /// The picture is on the disk and in the row.
    package mutating func storedThumbnail(_ number: Int, _ picture: Picture) {
        change(number) { motion in
            motion.hasThumbnail = true
            // A better one may have come meanwhile.
            if motion.picture?.time == picture.time { motion.picture = nil }
        }
    }

    package mutating func storedEnd(_ number: Int) {
        change(number) { $0.isEndStored = true }
    }

    /// The picture of a snapshot is on the disk, its row is not.
    package mutating func stored(_ number: Int, at place: FootagePlace) {
        guard let index = snapshots.firstIndex(where: { $0.number == number }) else { return }
        snapshots[index].snapshot.place = place
    }

    package mutating func storedSnapshot(_ number: Int) {
        snapshots.removeAll { $0.number == number }
    }

    private mutating func change(_ number: Int, _ body: (inout Motion) -> Void) {
        guard let index = motions.firstIndex(where: { $0.number == number }) else { return }
        body(&motions[index].motion)
        if motions[index].motion.isDone { motions.remove(at: index) }
    }
}
