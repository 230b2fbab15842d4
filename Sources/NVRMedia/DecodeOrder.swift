/// Decode times of pictures that are sent in another order than they are shown: the times at which they are shown, sorted, and as
/// many frames late as the stream reorders (H.264 annex C.4: a picture is put out when more wait than it needs). So they advance as the
/// sender's own clock does, and no picture is shown before it is decoded. Pure; ticks of one timeline.
package struct DecodeOrder: Sendable {
    /// Pictures that may wait at most: the largest decoded picture buffer there is.
    package static let deepest = 16
    /// Frames over which a stream's depth is remembered at least.
    private static let memory = 32
    /// Groups that have to agree on how large they are, and fronts that are remembered.
    private static let known = 4

    /// The newest frames by the sender's clock (fronts): its ticks since the last stamp that was not believed, and when they are shown.
    /// Pictures that come late are put between them. Ascending.
    private var fronts: [(source: Int64, pts: Int64)]
    /// When the last frames are shown, in the order in which they came.
    private var recent: [Int64] = []
    /// Those of them whose decode time is not given out yet, ascending.
    private var waiting: [Int64] = []
    /// Most frames that were sent before one that is shown earlier: now and before.
    private var depth = (now: 0, before: 0)
    private var count = 0
    /// Frames between one front and the next, and the ticks of each: of the last groups, and so far.
    private var groups: [(followers: Int, step: Int64)] = []
    private var followers = 0

    /// `front`: when the newest frame so far is shown.
    package init(front: Int64) { fronts = [(0, front)] }

    /// The front is at `pts`, and nothing before it counts: the stream begins, or its clock was not believed.
    package mutating func start(_ pts: Int64) {
        fronts = [(0, pts)]
        recent.removeAll(keepingCapacity: true)
        waiting.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        followers = 0
    }

    /// The front moves by `delta` ticks of the sender's clock and is shown at `pts`.
    package mutating func advance(by delta: Int64, to pts: Int64) {
        groups.append((followers, delta / Int64(followers + 1)))
        if groups.count > Self.known { groups.removeFirst() }
        followers = 0
        fronts.append(((fronts.last?.source ?? 0) + delta, pts))
        if fronts.count > Self.known { fronts.removeFirst() }
    }

    /// When a picture is shown whose stamp lies `delta` ticks (negative) from the front's: between its neighbours. Nil when it would
    /// come so late that its stamp must be wrong: B-frames follow the very next frames that are shown after them.
    package func shown(_ delta: Int64) -> Int64? {
        guard let last = fronts.last, followers < Self.deepest else { return nil }
        let source = last.source + delta
        guard let upper = fronts.firstIndex(where: { $0.source > source }) else { return nil }
        guard upper > 0 else { return fronts.count < Self.known ? fronts[0].pts - (fronts[0].source - source) : nil }
        let (a, b) = (fronts[upper - 1], fronts[upper])
        return b.pts - (b.pts - a.pts) * (b.source - source) / max(1, b.source - a.source)
    }

    /// Takes the next frame in decoding order; gives the decode time that is due, nil while too few wait.
    package mutating func next(_ pts: Int64) -> Int64? {
        if let front = fronts.last, pts < front.pts { followers += 1 }
        let later = recent.reduce(0) { $0 + ($1 > pts ? 1 : 0) }
        recent.append(pts)
        if recent.count > Self.deepest { recent.removeFirst() }
        depth.now = max(depth.now, later)
        let index = waiting.firstIndex { $0 > pts } ?? waiting.count
        waiting.insert(pts, at: index)
        let most = max(depth.now, depth.before)
        var due: Int64?
        while waiting.count > most { due = waiting.removeFirst() }
        count += 1
        if count >= max(Self.memory, 4 * most) {
            count = 0
            depth = (0, depth.now)
        }
        return due
    }

    /// Ticks from the decode time that is due to the front; 0 until several groups have shown it.
    package var span: Int64 {
        guard groups.count == Self.known, let group = groups.map(\.followers).min(), let step = groups.map(\.step).min(), group > 0
        else { return 0 }
        return Int64(group + min(max(depth.now, depth.before), (group + 1) / 2)) * step
    }
}
