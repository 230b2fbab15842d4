package import NVRMedia
import NVRModel
import Synchronization

/// Takes one stream's packets from its hub and gives them, cut into chunks, to a `SegmentWriter`. Attached for as long as the
/// stream is to be recorded: always, or around an event. Calls come on the camera's thread and cost an append.
package final class Recorder: PacketSink {
    private let assembler: Mutex<FragmentAssembler>
    private let writer: SegmentWriter
    private let isEnded = Mutex(false)

    /// `segmentSeconds`: after how many seconds the next keyframe begins a new file.
    package init(writer: SegmentWriter, segmentSeconds: Int, recordsAudio: Bool) {
        self.writer = writer
        assembler = Mutex(FragmentAssembler(segmentSeconds: segmentSeconds, takesAudio: recordsAudio))
    }

    /// Chunks are queued under the assembler's lock: the end of a recording comes from another thread than its packets, and must
    /// not overtake them. Queueing never blocks and never calls back.
    private func withAssembler(_ body: (inout FragmentAssembler, (Chunk) -> Void) -> Void) {
        assembler.withLock { assembler in body(&assembler) { writer.append($0) } }
    }

    package func begin(_ description: StreamDescription) {
        withAssembler { $0.begin(description, emit: $1) }
    }

    package func receive(_ packet: MediaPacket) {
        guard !isEnded.withLock({ $0 }) else { return }
        withAssembler { $0.add(packet, emit: $1) }
    }

    package func interrupted() {
        withAssembler { $0.end(emit: $1) }
    }

    /// Changes the length of the next segments, seconds; the running one ends at the first keyframe after it.
    package func setSegmentSeconds(_ seconds: Int) {
        assembler.withLock { $0.segmentLength = Int64(max(1, seconds)) * Int64(StreamDescription.videoTimescale) }
    }

    /// Ends the recording: everything received is queued, and nothing is taken afterwards.
    package func end() {
        isEnded.withLock { $0 = true }
        withAssembler { $0.end(emit: $1) }
    }

    /// Ends the recording and waits until everything received is written and the segment finished.
    package func finish() async {
        end()
        await writer.finish()
    }
}
