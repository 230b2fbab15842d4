import NVRBase
package import NVRModel
package import NVRStore

/// What the writing threads need of the database.
package protocol SegmentLedger: Sendable {
    func intend(_ segment: Segment, isContinuous: Bool) async throws -> ID<Segment>
    func commit(_ changes: [SegmentChange]) async throws -> [SegmentOutcome]
}

extension SegmentStore: SegmentLedger {}

/// Last rows of segments that the database has not taken yet, oldest first. Their files are as they should be; without these rows only
/// the next start would put the segments in order. Pure: time is passed in.
package struct WaitingRows: Sendable {
    /// What has to be done to the file before its row may change.
    package enum Before: Sendable {
        case nothing
        case sync(POSIXFile)
        case unlink(String)
    }

    package struct Entry: Sendable {
        package var change: SegmentChange
        package var before: Before
        /// Where the file lies.
        package var volume: VolumeID

        package init(_ change: SegmentChange, before: Before = .nothing, volume: VolumeID = .standard) {
            self.volume = volume
            self.change = change
            self.before = before
        }
    }

    /// Rows kept at most. One recording leaves at most one, since a new segment begins with a row of its own.
    package static let most = 512

    private var entries: [Entry] = []
    private var pace = RetryPace()

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }
    package var count: Int { entries.count }

    /// Adds a row behind the others; gives the oldest when there are too many.
    package mutating func add(_ entry: Entry) -> Entry? {
        entries.append(entry)
        return entries.count > Self.most ? entries.removeFirst() : nil
    }

    package func isDue(now: Int64) -> Bool { !entries.isEmpty && pace.isDue(now: now) }

    /// Hands all rows out for a try.
    package mutating func takeAll() -> [Entry] {
        defer { entries = [] }
        return entries
    }

    /// What a try left over goes back; gives the microseconds until the next one, nil when nothing is left.
    package mutating func putBack(_ rest: [Entry], now: Int64) -> Int64? {
        entries = rest + entries
        guard !entries.isEmpty else {
            pace.worked()
            return nil
        }
        return pace.failed(now: now)
    }
}
