/// What the `moov` of a fragmented file tells.
struct MovieDescription {
    /// Tracks in a file that are looked at.
    private static let mostTracks = 64

    private(set) var tracks: [TrackDescription] = []
    private(set) var defaults: [TrackDefaults] = []
    private(set) var identification: Identification?

    /// - Parameter content: of the `moov` box in `bytes`.
    init(_ bytes: [UInt8], content: Range<Int>) throws(ISOBMFFError) {
        var reader = ByteReader(bytes, in: content)
        while let box = try reader.box() {
            switch box.type {
            case "trak":
                guard tracks.count < Self.mostTracks else { throw .tooLarge("moov") }
                do throws(ISOBMFFError) {
                    tracks.append(try Self.track(bytes, box.content))
                } catch .unsupported {
                    // Subtitles, metadata and the like: the file's other tracks are good.
                    continue
                }
            case "mvex":
                var extends = ByteReader(bytes, in: box.content)
                while let child = try extends.box() {
                    guard child.type == "trex", defaults.count < Self.mostTracks else { continue }
                    var fields = ByteReader(bytes, in: child.content)
                    try fields.skip(4)
                    let id = try fields.u32()
                    try fields.skip(4)
                    let duration = try fields.u32()
                    let size = try fields.u32()
                    defaults.append(TrackDefaults(trackID: id, duration: duration, size: size, flags: try fields.u32()))
                }
            case "uuid":
                guard identification == nil else { continue }
                var fields = ByteReader(bytes, in: box.content)
                let type = try fields.array(16)
                identification = Identification(type: type, payload: try fields.array(fields.remaining))
            default:
                continue
            }
        }
    }

    private static func track(_ bytes: [UInt8], _ content: Range<Int>) throws(ISOBMFFError) -> TrackDescription {
        var id: UInt32?
        var timescale: UInt32?
        var kind: TrackDescription.Kind?
        var reader = ByteReader(bytes, in: content)
        while let box = try reader.box() {
            switch box.type {
            case "tkhd":
                var fields = ByteReader(bytes, in: box.content)
                let version = try fields.u32() >> 24
                try fields.skip(version == 0 ? 8 : 16)
                id = try fields.u32()
            case "mdia":
                var media = ByteReader(bytes, in: box.content)
                while let child = try media.box() {
                    switch child.type {
                    case "mdhd":
                        var fields = ByteReader(bytes, in: child.content)
                        let version = try fields.u32() >> 24
                        try fields.skip(version == 0 ? 8 : 16)
                        timescale = try fields.u32()
                    case "minf":
                        kind = try sampleEntry(bytes, child.content)
                    default:
                        continue
                    }
                }
            default:
                continue
            }
        }
        guard let id, id != 0, let timescale, timescale != 0, let kind else { throw .malformed("trak") }
        return TrackDescription(id: id, timescale: timescale, kind: kind)
    }

    /// The first sample entry in `minf`.
    private static func sampleEntry(_ bytes: [UInt8], _ content: Range<Int>) throws(ISOBMFFError) -> TrackDescription.Kind {
        var information = ByteReader(bytes, in: content)
        while let box = try information.box() {
            guard box.type == "stbl" else { continue }
            var table = ByteReader(bytes, in: box.content)
            while let child = try table.box() {
                guard child.type == "stsd" else { continue }
                var entries = ByteReader(bytes, in: child.content)
                try entries.skip(8)
                guard let entry = try entries.box() else { throw .malformed("stsd") }
                return try SampleEntryBoxes.read(entry, of: bytes)
            }
        }
        throw .malformed("minf")
    }
}
