package import NVRModel

/// What a viewer is given: the stream that was asked for, when it runs and the player takes its codec; else the camera's other stream;
/// else the stream as H.264. Pure.
package enum LiveChoice: Sendable, Equatable {
    case stream(StreamRole)
    /// The stream transcoded to H.264.
    case transcoded(StreamRole)
    /// The other stream may be one that can be played; it is being started.
    case wait(for: StreamRole)
    /// The stream runs with a codec that the player does not take, and nothing can be done.
    case unplayable(StreamRole)

    /// A camera's stream as it is now.
    package struct Candidate: Sendable, Equatable {
        /// The usual name of the video codec ("h264", "hevc", "mjpeg"); nil while no pictures come in.
        package var codec: String?

        package init(codec: String?) { self.codec = codec }
    }

    /// - Parameters:
    ///   - sub: nil for a camera without one.
    ///   - codecs: what the player takes; nil for everything.
    ///   - canTranscode: whether the server transcodes at all.
    ///   - isPatient: whether a sub-stream that does not run yet may still be waited for.
    package static func of(
        wanted: StreamRole, main: Candidate, sub: Candidate?, codecs: Set<String>?, canTranscode: Bool, isPatient: Bool
    ) -> LiveChoice {
        let candidates: [StreamRole: Candidate] = sub.map { [.main: main, .sub: $0] } ?? [.main: main]
        let order: [StreamRole] = wanted == .main ? [.main, .sub] : [.sub, .main]
        func plays(_ role: StreamRole) -> Bool {
            guard let codec = candidates[role]?.codec else { return false }
            return codecs?.contains(codec) ?? true
        }
        if plays(order[0]) { return .stream(order[0]) }
        guard let running = order.first(where: { candidates[$0]?.codec != nil }) else { return .stream(.main) }
        if plays(order[1]) { return .stream(order[1]) }
        if sub != nil, sub?.codec == nil, isPatient { return .wait(for: .sub) }
        return canTranscode ? .transcoded(running) : .unplayable(running)
    }
}
