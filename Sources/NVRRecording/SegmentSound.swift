import ISOBMFF
import Logging
import NVRMedia

/// The sound of one stream's segments: AAC and Opus are copied, G.711 becomes AAC. A value beside the segment that is open; used on
/// its pen's thread only.
struct SegmentSound {
    /// Sound of one fragment, laid out.
    struct Piece {
        var track: FragmentTrack
        /// The payload in order: copied packets, or transcoded bytes.
        var copied: [MediaPacket] = []
        var transcoded: [UInt8] = []
        /// Where the segment's sound ends afterwards, and the begin of the newest transcoded frame.
        fileprivate var end: Int64
        fileprivate var newest: Int64?
    }

    /// Where the sound of an open segment goes.
    struct Place {
        /// Ticks a second of the sound track.
        let timescale: Int
        /// The segment's begin, ticks of the sound track since the origin of the run.
        let base: Int64
        /// Where the sound written so far ends, ticks since `base`.
        fileprivate(set) var end: Int64 = 0

        /// `videoBase`: the segment's begin, ticks of the video timescale.
        init(timescale: Int, videoBase: Int64) {
            self.timescale = timescale
            base = Self.ticks(videoBase, timescale)
        }

        static func ticks(_ video: Int64, _ timescale: Int) -> Int64 { video * Int64(timescale) / Int64(StreamDescription.videoTimescale) }
    }

    private let logger: Logger
    private var run: Int64?
    private var transcoder: AACTranscoder?
    /// The transcoded sound of the newest chunk by the number of its first packet: a chunk that is tried again is not transcoded again.
    private var transcodedChunk: (first: UInt64, sound: [AACTranscoder.Output])?
    /// Begin of the newest transcoded frame that is in a file, ticks since the origin of the run.
    private var lastWritten: Int64?

    init(logger: Logger) { self.logger = logger }

    /// The sound track of a new segment; nil when the stream has no sound that can be stored.
    mutating func track(_ description: StreamDescription) -> TrackDescription? {
        guard let audio = description.audio else { return nil }
        if run != description.run {
            run = description.run
            transcodedChunk = nil
            lastWritten = nil
            do {
                transcoder = try AACTranscoder(audio)
            } catch {
                transcoder = nil
                logger.error("sound cannot be encoded: it is left out", metadata: ["error": "\(error)"])
            }
        }
        switch audio.codec {
        case .aac(let configuration): return Self.track(audio.timescale, .aac(audioSpecificConfig: configuration))
        case .opus: return Self.track(audio.timescale, .opus(channels: audio.channels, preSkip: 0, sampleRate: 48_000))
        case .pcmu, .pcma: return transcoder.map { Self.track($0.timescale, .aac(audioSpecificConfig: $0.audioSpecificConfig)) }
        }
    }

    private static func track(_ timescale: Int, _ entry: AudioSampleEntry) -> TrackDescription {
        TrackDescription(id: 2, timescale: UInt32(clamping: timescale), kind: .audio(entry))
    }

    /// The sound of a chunk for the open segment; nil when there is none.
    mutating func piece(of chunk: Chunk, at place: Place) -> Piece? {
        guard transcoder == nil else {
            // What came out late is in the segment before; the encoder's look-ahead before the first sound of the run holds nothing.
            let written = lastWritten ?? .min
            return Self.piece(transcode(chunk).filter { $0.time > written && $0.time + $0.duration > place.base }, at: place)
        }
        let duration = Self.nominalDuration(chunk.description.audio)
        guard let (track, end) = Self.lay(chunk.audio.map { ($0.dts - place.base, duration, $0.byteCount) }, from: place.end) else { return nil }
        return Piece(track: track, copied: chunk.audio, end: end)
    }

    /// The encoder holds sound back: what belongs before the segment that `chunk` begins comes out with its first sound, and goes
    /// behind the last pictures of the open one. Nil when there is none.
    mutating func heldBack(by chunk: Chunk, at place: Place) -> Piece? {
        guard transcoder != nil, run == chunk.description.run, let border = chunk.video.first?.dts else { return nil }
        let (written, stop) = (lastWritten ?? .min, Place.ticks(border, place.timescale))
        return Self.piece(transcode(chunk).filter { $0.time > written && $0.time < stop }, at: place)
    }

    private static func piece(_ sound: [AACTranscoder.Output], at place: Place) -> Piece? {
        guard let (track, end) = lay(sound.map { ($0.time - place.base, $0.duration, $0.bytes.count) }, from: place.end) else { return nil }
        return Piece(track: track, transcoded: sound.flatMap(\.bytes), end: end, newest: sound.last?.time)
    }

    /// The piece is in the file.
    mutating func wrote(_ piece: Piece, at place: inout Place) {
        place.end = piece.end
        lastWritten = piece.newest ?? lastWritten
    }

    /// Takes `wrote` back: the file was cut to what it was when `earlier` was taken. What the encoder has taken in stays taken.
    mutating func goBack(to earlier: SegmentSound) { lastWritten = earlier.lastWritten }

    private mutating func transcode(_ chunk: Chunk) -> [AACTranscoder.Output] {
        guard let transcoder, let first = chunk.audio.first?.sequence else { return [] }
        if let known = transcodedChunk, known.first == first { return known.sound }
        var sound: [AACTranscoder.Output] = []
        do {
            for packet in chunk.audio { sound += try transcoder.push(packet) }
        } catch {
            logger.warning("some sound cannot be encoded: it is left out", metadata: ["error": "\(error)"])
        }
        transcodedChunk = (first, sound)
        return sound
    }

    /// Lays sound where its own times say, but never before `start`: sound that came late shortens itself and does not push back what
    /// follows. Gives the end as well.
    private static func lay(_ sound: [(time: Int64, duration: Int64, size: Int)], from start: Int64) -> (track: FragmentTrack, end: Int64)? {
        var starts: [Int64] = []
        starts.reserveCapacity(sound.count)
        for piece in sound { starts.append(max(starts.last.map { $0 + 1 } ?? start, piece.time)) }
        guard let first = starts.first, let last = starts.last, let lastPiece = sound.last else { return nil }
        let end = last + max(1, lastPiece.duration)
        let stops = starts.dropFirst() + [end]
        let samples = zip(sound, zip(starts, stops)).map { piece, span in
            FragmentSample(size: piece.size, duration: UInt32(clamping: span.1 - span.0), isKeyframe: true)
        }
        return (FragmentTrack(trackID: 2, baseDecodeTime: UInt64(max(0, first)), samples: samples), end)
    }

    private static func nominalDuration(_ track: StreamDescription.AudioTrack?) -> Int64 {
        switch track?.codec {
        case .aac(let configuration):
            // A configuration that cannot be read means the usual 1024.
            Int64((try? AudioSpecificConfig(bytes: configuration))?.samplesPerFrame ?? 1024)
        case .opus: 960
        default: 160
        }
    }
}
