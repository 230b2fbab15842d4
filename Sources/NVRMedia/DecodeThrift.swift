/// Decides which frames of a stream are decoded for analysis. Decoding is nearly all that analysis costs, and most of it tells
/// nothing new: in a calm scene the next picture is as calm, and in the middle of an event people still walk.
///
/// The last frames of a GOP are held back, packets only. The next key frame is decoded by itself (a peek): when it shows what was
/// expected, what was held back is dropped undecoded; when not, it is decoded after all, in order, so that nothing is missed
/// and times are true, only a little later. How long frames may be held back bounds how much later.
///
/// Pure: times come with the frames, monotonic microseconds.
package struct DecodeThrift: Sendable {
    /// How closely the scene has to be looked at.
    package enum Attention: Sendable {
        /// Every frame: something may be about to happen.
        case full
        /// Nothing moves, and has not for a while.
        case calm
        /// Something moves, and has for a while.
        case steady
    }

    package enum Step: Sendable, Equatable {
        case decode
        /// Keep the frame, undecoded.
        case hold
        /// Decode what is held, then this frame.
        case catchUp
        /// A key frame after held ones: look at it first.
        case peek
    }

    /// Microseconds that frames of a calm scene are held: as long as an event takes to be one in any case, with two or three
    /// pictures a fifth of a second apart, so that it is not told later.
    static let calmHold: Int64 = 600_000
    /// At the beginning of a GOP in an event: four pictures, to see that it goes on and to choose the best from.
    static let steadyLook: Int64 = 650_000
    static let steadyHold: Int64 = 3_000_000
    /// Less than this is not worth a second look at the key frame.
    private static let leastHold: Int64 = 200_000
    /// A key frame may be this late.
    private static let slack: Int64 = 150_000
    private static let mostBytes = 4 << 20

    private var keyframe: Int64?
    /// Microseconds between the last key frames, newest last.
    private var intervals: [Int64] = []
    private var firstHeld: Int64?
    private var heldBytes = 0
    /// The rest of this GOP is decoded as it comes.
    private var hasCaughtUp = false

    package init() {}

    /// The stream broke off: what is known of its GOPs is forgotten.
    package mutating func reset() { self = DecodeThrift() }

    /// What to do with the next frame, which came at `time`.
    package mutating func step(isKeyframe: Bool, bytes: Int, at time: Int64, _ attention: Attention) -> Step {
        if isKeyframe { return begin(at: time) }
        guard let hold = hold(attention), let keyframe, !hasCaughtUp else { return release() }
        let since = time - keyframe
        if let firstHeld {
            heldBytes += bytes
            guard since >= 0, time - firstHeld <= hold.longest, heldBytes <= Self.mostBytes else { return release() }
            return .hold
        }
        guard since >= hold.from else { return .decode }
        firstHeld = time
        heldBytes = bytes
        return .hold
    }

    private mutating func begin(at time: Int64) -> Step {
        if let keyframe {
            intervals.append(time - keyframe)
            if intervals.count > 3 { intervals.removeFirst() }
        }
        keyframe = time
        hasCaughtUp = false
        defer { firstHeld = nil }
        return firstHeld == nil ? .decode : .peek
    }

    private mutating func release() -> Step {
        guard firstHeld != nil else { return .decode }
        firstHeld = nil
        hasCaughtUp = true
        return .catchUp
    }

    /// From when in the GOP, and for how long; nil when frames are not to be held.
    private func hold(_ attention: Attention) -> (from: Int64, longest: Int64)? {
        guard attention != .full, intervals.count == 3, let shortest = intervals.min(), let longest = intervals.max(),
            shortest > 0, longest <= shortest + shortest / 4 + Self.slack
        else { return nil }
        let from = attention == .calm ? max(Self.leastHold, longest - Self.calmHold) : Self.steadyLook
        let most = attention == .calm ? Self.calmHold + Self.slack : Self.steadyHold
        guard shortest - from >= Self.leastHold, longest - from <= most else { return nil }
        return (from, most)
    }
}
