package import NVRModel
import RTSP
import Synchronization

/// Somebody who watches a stream. Calls come one after another, on the thread that reads the camera or on the one that joins, and
/// must not block.
package protocol LiveViewer: AnyObject, Sendable {
    /// A run begins, or its parameters changed; the next video frame is a keyframe.
    func begin(_ description: StreamDescription, framesPerSecond: Double?)
    func receive(_ frame: LiveFrame)
    /// The stream broke off.
    func interrupted()
}

/// One stream in one live format: makes each frame once, while anybody watches, and hands it to every viewer. Any thread may join
/// and leave.
package final class LiveFeed: PacketSink {
    private struct Viewer {
        var viewer: any LiveViewer
        /// What comes while the viewer is given the past; nil afterwards.
        var kept: [Item]?
    }

    private enum Item {
        case description(StreamDescription)
        case frame(LiveFrame)
        case interruption
    }

    private struct State {
        var viewers: [Int: Viewer] = [:]
        var nextKey = 0
        var hubKey: Int?
        var encoder: LiveEncoder?
        var epoch: WallTime?
        /// Frames of the newest GOP, so that viewers who join share them.
        var made: [UInt64: LiveFrame] = [:]
        var lastVideo: Int64?
        var videoStep = Int64(StreamDescription.videoTimescale) / 15
    }

    package let format: LiveFormat
    private let hub: StreamHub
    private let state = Mutex(State())

    package init(format: LiveFormat, hub: StreamHub) {
        self.format = format
        self.hub = hub
    }

    // MARK: Viewers

    /// Adds a viewer and gives it the GOP in memory at once. Answers the key to leave with.
    package func join(_ viewer: any LiveViewer) -> Int {
        let (key, isFirst) = state.withLock { state in
            state.nextKey += 1
            state.viewers[state.nextKey] = Viewer(viewer: viewer, kept: [])
            return (state.nextKey, state.hubKey == nil)
        }
        if isFirst {
            let hubKey = hub.attach(self, from: .next)
            let surplus = state.withLock { state in
                // Somebody else may have been as quick.
                guard state.hubKey == nil else { return true }
                state.hubKey = hubKey
                return false
            }
            if surplus { hub.detach(hubKey) }
        }
        // Attached first, looked at second: what is published between the two comes twice, and is told by its number.
        var last: UInt64 = 0
        if let (description, packets) = hub.newestGOP() {
            let encoder = encoder(for: description)
            viewer.begin(description, framesPerSecond: Self.rate(packets))
            for packet in packets {
                last = packet.sequence
                if let frame = frame(packet, encoder) { viewer.receive(frame) }
            }
        }
        while true {
            let kept = state.withLock { state -> [Item]? in
                guard let kept = state.viewers[key]?.kept else { return nil }
                state.viewers[key]?.kept = kept.isEmpty ? nil : []
                return kept.isEmpty ? nil : kept
            }
            guard let kept else { return key }
            for item in kept {
                switch item {
                case .description(let description): viewer.begin(description, framesPerSecond: nil)
                case .frame(let frame): if frame.sequence > last { viewer.receive(frame) }
                case .interruption: viewer.interrupted()
                }
            }
        }
    }

    package func leave(_ key: Int) {
        let hubKey = state.withLock { state -> Int? in
            state.viewers[key] = nil
            guard state.viewers.isEmpty else { return nil }
            // Nobody watches: nothing is made or kept.
            state.made = [:]
            state.encoder = nil
            state.lastVideo = nil
            defer { state.hubKey = nil }
            return state.hubKey
        }
        if let hubKey { hub.detach(hubKey) }
    }

    package var viewerCount: Int { state.withLock { $0.viewers.count } }

    /// Pictures a second of some packets; nil when there are too few to tell.
    private static func rate(_ packets: [MediaPacket]) -> Double? {
        let times = packets.lazy.filter { $0.kind == .video }.map(\.dts)
        guard let first = times.first, let last = times.last, last > first else { return nil }
        let count = times.reduce(0) { count, _ in count + 1 }
        return Double(count - 1) * Double(StreamDescription.videoTimescale) / Double(last - first)
    }

    // MARK: Frames

    /// The encoder for a description. One that is newer than what a joining viewer has seen stays in use.
    private func encoder(for description: StreamDescription, isNewest: Bool = false) -> LiveEncoder {
        state.withLock { state in
            if let encoder = state.encoder {
                if encoder.description == description { return encoder }
                if !isNewest { return LiveEncoder(format: format, description: description, epoch: state.epoch ?? description.origin) }
            }
            // A clock that was set back would give times before the epoch.
            let epoch = state.epoch.map { min($0, description.origin) } ?? description.origin
            let encoder = LiveEncoder(format: format, description: description, epoch: epoch)
            state.epoch = epoch
            state.encoder = encoder
            state.made = [:]
            state.lastVideo = nil
            return encoder
        }
    }

    private func frame(_ packet: MediaPacket, _ encoder: LiveEncoder) -> LiveFrame? {
        let (made, step) = state.withLock { ($0.made[packet.sequence], $0.videoStep) }
        if let made { return made }
        // Made outside the lock: at worst two viewers who join at once each make it.
        guard let frame = encoder.frame(packet, videoStep: step) else { return nil }
        state.withLock { state in
            if state.encoder?.description == encoder.description { state.made[packet.sequence] = frame }
        }
        return frame
    }

    package func begin(_ description: StreamDescription) {
        guard state.withLock({ $0.encoder?.description != description }) else { return }
        _ = encoder(for: description, isNewest: true)
        distribute(.description(description))
    }

    package func receive(_ packet: MediaPacket) {
        let encoder = state.withLock { state -> LiveEncoder? in
            guard let encoder = state.encoder, !state.viewers.isEmpty else { return nil }
            if packet.kind == .video {
                if let last = state.lastVideo, packet.dts > last { state.videoStep = min(packet.dts - last, Self.longestStep) }
                state.lastVideo = packet.dts
                if packet.isKeyframe { state.made = [:] }
            }
            return encoder
        }
        guard let encoder, let frame = frame(packet, encoder) else { return }
        distribute(.frame(frame))
    }

    /// Ticks: a pause of the camera says nothing about its rate.
    private static let longestStep = 2 * Int64(StreamDescription.videoTimescale)

    package func interrupted() {
        state.withLock { state in
            state.encoder = nil
            state.made = [:]
            state.lastVideo = nil
        }
        distribute(.interruption)
    }

    private func distribute(_ item: Item) {
        let viewers = state.withLock { state -> [any LiveViewer] in
            var ready: [any LiveViewer] = []
            ready.reserveCapacity(state.viewers.count)
            for key in state.viewers.keys {
                if state.viewers[key]?.kept != nil {
                    state.viewers[key]?.kept?.append(item)
                } else if let viewer = state.viewers[key]?.viewer {
                    ready.append(viewer)
                }
            }
            return ready
        }
        for viewer in viewers {
            switch item {
            case .description(let description): viewer.begin(description, framesPerSecond: nil)
            case .frame(let frame): viewer.receive(frame)
            case .interruption: viewer.interrupted()
            }
        }
    }
}

/// One stream of a camera as viewers see it, in every live format.
package final class LiveStream: Sendable {
    package let role: StreamRole
    private let hub: StreamHub
    private let feeds: [LiveFormat: LiveFeed]
    private let viewers = Mutex(0)
    private let onDemand: @Sendable (Bool) -> Void

    /// `onDemand` hears when the first viewer comes and when the last one leaves.
    package init(hub: StreamHub, onDemand: @escaping @Sendable (Bool) -> Void) {
        role = hub.role
        self.hub = hub
        self.onDemand = onDemand
        feeds = Dictionary(uniqueKeysWithValues: LiveFormat.allCases.map { ($0, LiveFeed(format: $0, hub: hub)) })
    }

    /// Whether pictures come in now.
    package var isRunning: Bool { hub.description != nil }
    /// The usual name of the video codec; nil while no pictures come in.
    package var videoCodecName: String? { hub.description?.videoCodecName }
    /// Of the pictures that come in now.
    package var description: StreamDescription? { hub.description }
    package var viewerCount: Int { viewers.withLock { $0 } }

    /// Somebody wants this stream, though he may watch another one until it runs.
    package func want() {
        // Told under the lock, so that the calls come in the order of the counts.
        viewers.withLock { count in
            count += 1
            if count == 1 { onDemand(true) }
        }
    }

    package func release() {
        viewers.withLock { count in
            count -= 1
            if count == 0 { onDemand(false) }
        }
    }

    /// Adds a viewer, who should want the stream, too, and gives it the GOP in memory. Answers the key to leave with.
    package func join(_ viewer: any LiveViewer, as format: LiveFormat) -> Int { feeds[format]?.join(viewer) ?? 0 }
    package func leave(_ key: Int, as format: LiveFormat) { feeds[format]?.leave(key) }
}
