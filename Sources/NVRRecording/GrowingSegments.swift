package import ISOBMFF
package import NVRModel
import Synchronization

/// What is on disk of the segments being written now: their rows hold no end yet, so players and downloads ask here.
package final class GrowingSegments: Sendable {
    package struct Extent: Sendable {
        package var cameraID: ID<Camera>
        package var role: StreamRole
        package var start: WallTime
        package var end: WallTime
        /// Bytes of whole fragments, as they lie in the file.
        package var bytes: Int64
        package var entries: [FragmentIndexEntry]

        package init(
            cameraID: ID<Camera>, role: StreamRole, start: WallTime, end: WallTime, bytes: Int64, entries: [FragmentIndexEntry]
        ) {
            self.cameraID = cameraID
            self.role = role
            self.start = start
            self.end = end
            self.bytes = bytes
            self.entries = entries
        }
    }

    private let extents = Mutex<[ID<Segment>: Extent]>([:])

    package init() {}

    package func extent(of id: ID<Segment>) -> Extent? { extents.withLock { $0[id] } }

    /// The row as it would be if the segment ended with its last whole fragment.
    package func current(_ segment: Segment) -> Segment {
        guard segment.state == .growing, let extent = extent(of: segment.id) else { return segment }
        var segment = segment
        segment.end = extent.end
        segment.bytes = extent.bytes
        segment.index = FragmentIndex(entries: extent.entries).packed()
        return segment
    }

    /// Segments of a stream that hold anything of the range.
    package func overlapping(_ camera: ID<Camera>, _ role: StreamRole, _ range: TimeRange) -> [ID<Segment>] {
        extents.withLock { extents in
            extents.filter { $0.value.cameraID == camera && $0.value.role == role && $0.value.start < range.end && $0.value.end > range.start }
                .map(\.key)
        }
    }

    /// How far the files of all of them are.
    package var ends: [ID<Segment>: WallTime] { extents.withLock { $0.mapValues(\.end) } }

    package func begin(_ id: ID<Segment>, _ extent: Extent) {
        extents.withLock { $0[id] = extent }
    }

    func extend(_ id: ID<Segment>, end: WallTime, bytes: Int64, entry: FragmentIndexEntry) {
        extents.withLock { extents in
            extents[id]?.end = end
            extents[id]?.bytes = bytes
            extents[id]?.entries.append(entry)
        }
    }

    func remove(_ id: ID<Segment>) {
        extents.withLock { _ = $0.removeValue(forKey: id) }
    }
}
