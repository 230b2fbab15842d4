import NVRMedia
import NVRModel

/// Takes a movie's packets in order and writes those that lie in some stretches of time, each from its first keyframe on.
struct StretchWriter {
    private var writer: PieceWriter
    private var assembler = FragmentAssembler(segmentSeconds: Self.segmentSeconds, takesAudio: true)
    private var description: StreamDescription?
    /// The stretch that is waited for or being written, and those after it.
    private var rest: ArraySlice<TimeRange>
    private var isOn = false
    /// Bytes since the last fragment.
    private var pending = 0
    private(set) var made: [FootageImporter.Made] = []

    /// A segment lasts five minutes at most.
    private static let segmentSeconds = 300
    /// Bytes of one fragment: a second of footage.
    private static let largestChunk = 256 << 20

    init(importer: FootageImporter, target: FootageImporter.Target, stretches: [TimeRange]) {
        writer = PieceWriter(importer: importer, target: target)
        rest = stretches[...]
    }

    mutating func take(_ item: MovieFile.Item) throws {
        switch item {
        case .description(let new):
            description = new
            if isOn { try write { assembler, emit in assembler.begin(new, emit: emit) } }
        case .packet(let packet):
            if packet.kind == .video { try turn(at: packet) }
            guard isOn else { return }
            pending += packet.byteCount
            guard pending <= Self.largestChunk else { throw MovieFile.Refusal(description: "a second of it is larger than 256 MB") }
            try write { assembler, emit in assembler.add(packet, emit: emit) }
        }
    }

    /// Ends a stretch that is over, and begins one at a keyframe in it.
    private mutating func turn(at packet: MediaPacket) throws {
        while let stretch = rest.first, packet.wall >= stretch.end {
            try end()
            rest = rest.dropFirst()
        }
        guard !isOn, packet.isKeyframe, let stretch = rest.first, packet.wall >= stretch.start, let description else { return }
        isOn = true
        assembler.begin(description) { _ in }
    }

    /// Finishes the segment that is being written.
    mutating func end() throws {
        guard isOn else { return }
        isOn = false
        try write { assembler, emit in assembler.end(emit: emit) }
        if let segment = try writer.finish() { made.append(segment) }
    }

    /// Takes back what is being written, after a failure.
    mutating func abandon() { writer.abandon() }

    private mutating func write(_ step: (inout FragmentAssembler, (Chunk) -> Void) -> Void) throws {
        var chunks: [Chunk] = []
        step(&assembler) { chunks.append($0) }
        if !chunks.isEmpty { pending = 0 }
        for chunk in chunks { if let segment = try writer.append(chunk) { made.append(segment) } }
    }
}
