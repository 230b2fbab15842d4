package import NVRMedia
package import NVRModel
import Synchronization

/// Takes one stream's packets from its hub and gives them, cut into chunks, to a `SegmentWriter`. Attached for as long as the
/// stream is to be recorded: always, or around an event. Calls come on the camera's thread and cost an append.
package final class Recorder: PacketSink {
    private let assembler: Mutex<FragmentAssembler>
    private let writer: SegmentWriter
    private let ending = Mutex(Ending.no)
    private let onEnd: @Sendable () -> Void

    /// How far the end of the recording is.
    private enum Ending: Equatable {
        case no
        /// With the GOP that is coming in: the next keyframe is not taken.
        case atKeyframe
        /// `next`: wall time of the keyframe that was not taken; nil when the stream or the recording broke off.
        case done(next: WallTime?)
    }

    /// `segmentSeconds`: after how many seconds the next keyframe begins a new file. `onEnd` is called on the camera's thread when a
    /// recording that was to end with its GOP has ended.
    package init(writer: SegmentWriter, segmentSeconds: Int, recordsAudio: Bool, onEnd: @escaping @Sendable () -> Void = {}) {
        self.writer = writer
        self.onEnd = onEnd
        assembler = Mutex(FragmentAssembler(segmentSeconds: segmentSeconds, takesAudio: recordsAudio))
    }

    /// Chunks are queued under the assembler's lock: the end of a recording comes from another thread than its packets, and must
    /// not overtake them. Queueing never blocks and never calls back.
    private func withAssembler(_ body: (inout FragmentAssembler, (Chunk) -> Void) -> Void) {
        assembler.withLock { assembler in body(&assembler) { writer.append($0) } }
    }

    /// From now on, the next keyframe after so many seconds begins a new file.
    package func setSegmentSeconds(_ seconds: Int) { assembler.withLock { $0.setSegmentSeconds(seconds) } }

    package func begin(_ description: StreamDescription) {
        withAssembler { $0.begin(description, emit: $1) }
    }

    package func receive(_ packet: MediaPacket) {
        let (takes, ends) = ending.withLock { ending in
            switch ending {
            case .no: return (true, false)
            case .done: return (false, false)
            case .atKeyframe:
                guard packet.kind == .video, packet.isKeyframe else { return (true, false) }
                ending = .done(next: packet.wall)
                return (false, true)
            }
        }
        if takes { withAssembler { $0.add(packet, emit: $1) } }
        guard ends else { return }
        withAssembler { $0.end(emit: $1) }
        onEnd()
    }

    package func interrupted() {
        let ends = ending.withLock { ending in
            defer { if ending == .atKeyframe { ending = .done(next: nil) } }
            return ending == .atKeyframe
        }
        withAssembler { $0.end(emit: $1) }
        if ends { onEnd() }
    }

    /// Ends the recording with the GOP that is coming in, so that one that begins soon can join it without a gap or a frame twice.
    package func endAtKeyframe() {
        ending.withLock { if $0 == .no { $0 = .atKeyframe } }
    }

    /// Takes `endAtKeyframe` back. False when the recording has ended.
    package func goOn() -> Bool {
        ending.withLock { ending in
            if ending == .atKeyframe { ending = .no }
            return ending == .no
        }
    }

    /// Once the recording has ended: the wall time of the keyframe after its last frame, nil in it when the stream broke off.
    package var end: WallTime?? {
        ending.withLock { if case .done(let next) = $0 { .some(next) } else { .none } }
    }

    /// Ends the recording: everything received is queued, and nothing is taken afterwards.
    package func endNow() {
        ending.withLock { if case .done = $0 {} else { $0 = .done(next: nil) } }
        withAssembler { $0.end(emit: $1) }
    }

    /// Ends the recording and waits until everything received is written and the segment finished.
    package func finish() async {
        endNow()
        await writer.finish()
    }
}
