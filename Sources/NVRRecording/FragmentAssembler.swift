package import NVRMedia
import NVRModel

/// Frames that become one fragment of a segment file.
package struct Chunk: Sendable {
    package var description: StreamDescription
    /// The first chunk of a new segment file; it begins with a keyframe.
    package var startsSegment: Bool
    /// The last chunk of its segment, known only when the stream ends or the recording is stopped.
    package var endsSegment: Bool
    package var video: [MediaPacket]
    package var audio: [MediaPacket]
    /// Decode time at which the last video frame ends, ticks of the video timescale.
    package var videoEnd: Int64

    /// Bytes of all frames.
    package var bytes: Int {
        var sum = 0
        for packet in video { sum += packet.byteCount }
        for packet in audio { sum += packet.byteCount }
        return sum
    }

    package var startsWithKeyframe: Bool { video.first?.isKeyframe ?? false }
}

/// Cuts a stream into chunks and segments: every frame goes into exactly one chunk, chunks begin at keyframes or after at most
/// `chunkLength`, segments begin at the first keyframe after `segmentLength`, and audio goes where its time belongs. Pure: time is
/// the frames' own.
package struct FragmentAssembler: Sendable {
    /// Ticks after which a chunk is cut in the middle of a GOP. Footage younger than this is lost by a crash.
    private let chunkLength = Int64(StreamDescription.videoTimescale)
    /// The same of the first chunk of a run: after a start, and when a camera is back, its footage is on the disk and listed soon.
    private let firstChunkLength = Int64(StreamDescription.videoTimescale) / 4
    /// Chunks are not cut at a keyframe that follows another within this: a stream of keyframes alone would be all headers.
    private let shortestChunk = Int64(StreamDescription.videoTimescale) / 2
    /// How long a segment waits for audio that belongs before its end, ticks of video.
    private let audioPatience = Int64(StreamDescription.videoTimescale) / 2

    /// Ticks after which the next keyframe begins a new segment.
    package var segmentLength: Int64
    private let takesAudio: Bool
    private var description: StreamDescription?
    private var current: Chunk?
    /// A whole chunk at the end of a segment that may still receive audio.
    private var closing: Chunk?
    private var segmentStart: Int64 = 0
    /// Where the recording's pictures begin: sound from before it would push all later sound back.
    private var firstVideo: Int64?
    private var wantsNewSegment = true
    /// No chunk of the run has been cut.
    private var isFirst = true
    private var lastStep: Int64

    /// Frames left out because no keyframe had come yet.
    package private(set) var skipped = 0

    /// From now on, the next keyframe after so many seconds begins a new segment.
    package mutating func setSegmentSeconds(_ seconds: Int) { segmentLength = Self.length(seconds) }

    private static func length(_ seconds: Int) -> Int64 { Int64(max(1, seconds)) * Int64(StreamDescription.videoTimescale) }

    /// `segmentSeconds`: after how many seconds the next keyframe begins a new segment. `takesAudio`: false leaves audio out.
    package init(segmentSeconds: Int, takesAudio: Bool) {
        segmentLength = Self.length(segmentSeconds)
        self.takesAudio = takesAudio
        lastStep = Int64(StreamDescription.videoTimescale) / 15
    }

    /// A run begins or its parameters change; the next video frame is a keyframe. What was open is closed.
    package mutating func begin(_ description: StreamDescription, emit: (Chunk) -> Void) {
        if let old = self.description, old.run != description.run { end(emit: emit) }
        var description = description
        if !takesAudio { description.audio = nil }
        if self.description != description { wantsNewSegment = true }
        if self.description?.run != description.run { isFirst = true }
        self.description = description
    }

    package mutating func add(_ packet: MediaPacket, emit: (Chunk) -> Void) {
        switch packet.kind {
        case .video: addVideo(packet, emit: emit)
        case .audio: addAudio(packet, emit: emit)
        }
    }

    private mutating func addVideo(_ packet: MediaPacket, emit: (Chunk) -> Void) {
        guard let description else {
            skipped += 1
            return
        }
        if let first = current?.video.first, let last = current?.video.last {
            lastStep = max(1, packet.dts - last.dts)
            let startsSegment = packet.isKeyframe && (wantsNewSegment || packet.dts - segmentStart >= segmentLength)
            let age = packet.dts - first.dts
            if startsSegment || age >= (isFirst ? firstChunkLength : chunkLength) || (packet.isKeyframe && age >= shortestChunk) {
                cut(at: packet.dts, endsSegment: startsSegment, emit: emit)
            }
        }
        if current == nil {
            // Between segments only a keyframe can begin; inside one any frame can.
            guard packet.isKeyframe || !wantsNewSegment else {
                skipped += 1
                return
            }
            let starts = packet.isKeyframe && (wantsNewSegment || packet.dts - segmentStart >= segmentLength)
            if starts {
                segmentStart = packet.dts
                firstVideo = firstVideo ?? packet.dts
                wantsNewSegment = false
            }
            current = Chunk(description: description, startsSegment: starts, endsSegment: false, video: [], audio: [], videoEnd: packet.dts)
            current?.video.reserveCapacity(32)
        }
        current?.video.append(packet)
        if let held = closing, packet.dts - held.videoEnd > audioPatience {
            closing = nil
            emit(held)
        }
    }

    private mutating func addAudio(_ packet: MediaPacket, emit: (Chunk) -> Void) {
        guard takesAudio, let track = description?.audio, let firstVideo, current != nil || closing != nil else { return }
        guard packet.dts >= firstVideo * Int64(track.timescale) / Int64(StreamDescription.videoTimescale) else { return }
        if let held = closing {
            // The boundary in audio ticks, by the common origin of the run.
            let boundary = held.videoEnd * Int64(track.timescale) / Int64(StreamDescription.videoTimescale)
            if packet.dts < boundary {
                closing?.audio.append(packet)
                return
            }
            closing = nil
            emit(held)
        }
        current?.audio.append(packet)
    }

    private mutating func cut(at boundary: Int64, endsSegment: Bool, emit: (Chunk) -> Void) {
        guard var chunk = current else { return }
        current = nil
        isFirst = false
        chunk.videoEnd = boundary
        if let held = closing {
            closing = nil
            emit(held)
        }
        if endsSegment {
            wantsNewSegment = true
            if chunk.description.audio != nil {
                closing = chunk
                return
            }
        }
        emit(chunk)
    }

    /// The stream broke off or the recording stops: gives out everything held, the last chunk marked as the end of its segment.
    package mutating func end(emit: (Chunk) -> Void) {
        if let held = closing {
            closing = nil
            emit(held)
        }
        if var chunk = current, let last = chunk.video.last {
            // A step that spans a stall says nothing about how long a frame is shown.
            chunk.videoEnd = last.dts + min(lastStep, chunkLength)
            chunk.endsSegment = true
            emit(chunk)
        }
        current = nil
        firstVideo = nil
        wantsNewSegment = true
        description = nil
    }
}
