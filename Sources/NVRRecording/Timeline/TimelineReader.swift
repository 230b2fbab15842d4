package import NVRBase
package import NVRModel
package import NVRStore

/// What happened on some cameras in a range of time.
package struct Timeline: Sendable {
    package struct CameraPart: Sendable {
        package var cameraID: ID<Camera>
        /// Begin of the oldest and end of the newest footage there is at all.
        package var first: WallTime?
        package var last: WallTime?
        /// Footage, cut to the range; nil at a zoom that does not look at segments.
        package var spans: [TimeRange]?
        package var gaps: [TimelineGap]
        /// Some were too many: the newest are there.
        package var areGapsCut: Bool
        /// By cell.
        package var cells: TimelineCells
        /// Events but for continuous ones, oldest first; nil where they are only counted.
        package var events: [TimelineRows.Happening]?
    }

    package var range: TimeRange
    package var now: WallTime
    package var zoom: TimelineZoom
    /// Seconds since 1970 UTC, one more than cells.
    package var borders: [Int64]
    package var cameras: [CameraPart]
}

/// Reads timelines: rows of the database, and what is being written now. Any task may use it.
package struct TimelineReader: Sendable {
    /// Rows of one camera that are looked at one by one.
    static let mostRows = 2000
    /// Cameras from which on the reading is shared.
    private static let many = 8
    /// Events of one camera that are listed.
    package static let mostEvents = 200

    private let store: Store
    private let growing: GrowingSegments
    private let clock: any NVRClock
    private let offset: @Sendable (Int64) -> Int64

    /// `offset`: seconds that the clocks on the wall are east of UTC at a second since 1970 UTC.
    package init(store: Store, growing: GrowingSegments, clock: any NVRClock, offset: @escaping @Sendable (Int64) -> Int64) {
        self.store = store
        self.growing = growing
        self.clock = clock
        self.offset = offset
    }

    /// `resolution`: seconds of a cell at least; a thousandth of the range when nil.
    package func read(_ cameras: [ID<Camera>], _ range: TimeRange, resolution: Double?) async throws -> Timeline {
        let now = WallTime(microseconds: clock.wall())
        let zoom = TimelineZoom.choose(span: range.duration, wanted: resolution, cameras: cameras.count)
        // Before the rows: what is finished meanwhile is known by its row.
        let ends = growing.ends
        if let timeline = try await read(cameras, range, zoom, now, ends) { return timeline }
        if let timeline = try await read(cameras, range, zoom.withoutRows, now, ends) { return timeline }
        throw NVRError(.internalFault, "the timeline cannot be read")
    }

    private func read(
        _ cameras: [ID<Camera>], _ range: TimeRange, _ zoom: TimelineZoom, _ now: WallTime, _ ends: [ID<Segment>: WallTime]
    ) async throws -> Timeline? {
        let borders = zoom.borders(range, offset: offset)
        let detail: TimelineQuery.Detail =
            zoom.isFine ? .rows(most: Self.mostRows) : .cells(count: borders.count - 1) { TimelineZoom.runs(borders, $0) }
        // Whole cells, also where the range begins or ends within one.
        let whole = TimeRange(
            start: min(range.start, WallTime(microseconds: (borders.first ?? 0) * 1_000_000)),
            end: max(range.end, WallTime(microseconds: (borders.last ?? 0) * 1_000_000)))
        let maker = TimelineMaker(range: range, now: now, borders: borders, ends: ends)
        @Sendable func parts(_ cameras: ArraySlice<ID<Camera>>) async throws -> [Timeline.CameraPart]? {
            let query = TimelineQuery(cameras: Array(cameras), range: whole, detail: detail, outages: zoom.outages)
            return try await store.timeline.read(query)?.map { zoom.isFine ? maker.fine($0) : maker.coarse($0) }
        }
        // A wall of cameras is read by two readers at once, which is felt.
        let middle = cameras.count < Self.many ? cameras.count : cameras.count / 2
        async let left = parts(cameras[..<middle])
        async let right = parts(cameras[middle...])
        guard let left = try await left, let right = try await right else { return nil }
        return Timeline(range: range, now: now, zoom: zoom, borders: borders, cameras: left + right)
    }
}

/// Makes the answer of one camera's rows. Pure.
struct TimelineMaker: Sendable {
    let range: TimeRange
    let now: WallTime
    let borders: [Int64]
    /// Of segments that are being written: how far their files are.
    let ends: [ID<Segment>: WallTime]

    func coarse(_ rows: TimelineRows) -> Timeline.CameraPart {
        var cells = rows.cells
        for segment in rows.growing {
            guard let end = ends[segment.id] else { continue }
            add(TimeRange(start: segment.end, end: end), to: &cells.footage)
        }
        for start in rows.openMotion { add(TimeRange(start: start, end: now), to: &cells.motion) }
        return part(rows, spans: nil, gaps: TimelineGaps(range: range, now: now).outages(rows.outages), cells, events: nil)
    }

    func fine(_ rows: TimelineRows) -> Timeline.CameraPart {
        let spans = self.spans(of: rows)
        var cells = TimelineCells(count: borders.count - 1)
        for span in spans { add(span, to: &cells.footage) }
        for event in rows.events {
            if event.medium == .video, event.kind == .motion {
                add(TimeRange(start: event.start, end: event.end ?? now), to: &cells.motion)
            }
            guard let cell = cell(at: event.start) else { continue }
            if event.medium == .video { cells.events[cell] += 1 } else { cells.snapshots[cell] += 1 }
        }
        let merged = TimelineGaps.merged(spans)
        let cut = merged.compactMap { span -> TimeRange? in
            let (start, end) = (max(span.start, range.start), min(span.end, range.end))
            return start < end ? TimeRange(start: start, end: end) : nil
        }
        let listed = rows.events.filter { event in
            event.start < range.end && (event.medium == .snapshot ? event.start >= range.start : (event.end ?? now) >= range.start)
        }
        return part(
            rows, spans: cut, gaps: TimelineGaps(range: range, now: now).holes(merged, rows.outages, first: rows.first), cells,
            events: listed.count <= TimelineReader.mostEvents ? listed : nil)
    }

    /// Footage as it is now: rows of what is being written do not know how far it is.
    private func spans(of rows: TimelineRows) -> [TimeRange] {
        var spans = rows.segments.map { TimeRange(start: $0.start, end: $0.end) }
        let extra = rows.growing.compactMap { segment -> TimeRange? in
            guard let end = ends[segment.id], end > segment.end else { return nil }
            return TimeRange(start: segment.end, end: end)
        }
        guard !extra.isEmpty else { return spans }
        spans += extra
        return spans.sorted { $0.start < $1.start }
    }

    private func part(
        _ rows: TimelineRows, spans: [TimeRange]?, gaps: [TimelineGap], _ cells: TimelineCells, events: [TimelineRows.Happening]?
    ) -> Timeline.CameraPart {
        let last = ([rows.last] + rows.growing.map { ends[$0.id] }).compactMap { $0 }.max()
        return Timeline.CameraPart(
            cameraID: rows.cameraID, first: rows.first, last: last, spans: spans, gaps: gaps, areGapsCut: rows.areOutagesCut, cells: cells,
            events: events)
    }

    // MARK: Cells

    /// The cell of a time; nil outside of all.
    private func cell(at time: WallTime) -> Int? {
        let second = time.microseconds.floored(by: 1_000_000).quotient
        guard let first = borders.first, let last = borders.last, second >= first, second < last else { return nil }
        var (low, high) = (0, borders.count - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if borders[middle] <= second { low = middle } else { high = middle }
        }
        return low
    }

    /// Adds the milliseconds of a stretch of time to the cells it lies in.
    private func add(_ span: TimeRange, to cells: inout [Int64]) {
        guard let first = borders.first, let last = borders.last else { return }
        let start = max(span.start.microseconds / 1000, first * 1000)
        let end = min(span.end.microseconds / 1000, last * 1000)
        guard start < end, var cell = cell(at: WallTime(microseconds: start * 1000)) else { return }
        while cell < cells.count, borders[cell] * 1000 < end {
            cells[cell] += max(0, min(end, borders[cell + 1] * 1000) - max(start, borders[cell] * 1000))
            cell += 1
        }
    }
}
