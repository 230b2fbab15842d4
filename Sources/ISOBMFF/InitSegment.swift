/// Writes the beginning of a fragmented file: `ftyp` and `moov`.
package enum InitSegment {
    /// - Parameters:
    ///   - tracks: in file order; ids unique and not 0.
    ///   - creationTime: seconds UTC since 1970.
    ///   - identification: stored as a `uuid` box in `moov`, so that the file describes itself.
    package static func bytes(tracks: [TrackDescription], creationTime: Int64, identification: Identification? = nil) -> [UInt8] {
        var writer = BoxWriter(capacity: 1024 + 1024 * tracks.count + (identification?.payload.count ?? 0))
        writer.box("ftyp") {
            $0.append("iso6")
            $0.u32(0)
            for brand: FourCC in ["iso6", "iso5", "mp41"] { $0.append(brand) }
        }
        writer.box("moov") {
            let nextID = (tracks.map(\.id).max() ?? 0).addingReportingOverflow(1).partialValue
            MovieBoxes.movieHeader(timescale: 1000, duration: 0, creationTime: creationTime, nextTrackID: nextID, into: &$0)
            for track in tracks {
                $0.box("trak") {
                    MovieBoxes.trackHeader(track.id, kind: track.kind, duration: 0, creationTime: creationTime, into: &$0)
                    MovieBoxes.media(
                        kind: track.kind, timescale: track.timescale, duration: 0, creationTime: creationTime, into: &$0
                    ) {
                        MovieBoxes.sampleDescriptions([track.kind], into: &$0)
                        $0.fullBox("stts") { $0.u32(0) }
                        $0.fullBox("stsc") { $0.u32(0) }
                        $0.fullBox("stsz") {
                            $0.u32(0)
                            $0.u32(0)
                        }
                        $0.fullBox("stco") { $0.u32(0) }
                    }
                }
            }
            $0.box("mvex") {
                for track in tracks {
                    $0.fullBox("trex") {
                        $0.u32(track.id)
                        $0.u32(1)
                        $0.zeros(12)
                    }
                }
            }
            if let identification { MovieBoxes.identification(identification, into: &$0) }
        }
        return writer.bytes
    }
}

/// The boxes that the `moov` of a fragmented and of an ordinary file share (ISO/IEC 14496-12, 8.2 to 8.5).
enum MovieBoxes {
    /// `mvhd`; duration in ticks of the timescale.
    static func movieHeader(
        timescale: UInt32, duration: UInt64, creationTime: Int64, nextTrackID: UInt32, into writer: inout BoxWriter
    ) {
        let created = seconds1904(creationTime)
        let version = version(duration, created)
        writer.fullBox("mvhd", version: version) {
            times(created, version, into: &$0)
            $0.u32(timescale)
            if version == 1 { $0.u64(duration) } else { $0.u32(UInt32(truncatingIfNeeded: duration)) }
            $0.u32(0x0001_0000)
            $0.u16(0x0100)
            $0.zeros(10)
            matrix(into: &$0)
            $0.zeros(24)
            $0.u32(max(1, nextTrackID))
        }
    }

    /// `tkhd`; duration in ticks of the movie.
    static func trackHeader(
        _ id: UInt32, kind: TrackDescription.Kind, duration: UInt64, creationTime: Int64, into writer: inout BoxWriter
    ) {
        let created = seconds1904(creationTime)
        let version = version(duration, created)
        writer.fullBox("tkhd", version: version, flags: 3) {
            times(created, version, into: &$0)
            $0.u32(id)
            $0.u32(0)
            if version == 1 { $0.u64(duration) } else { $0.u32(UInt32(truncatingIfNeeded: duration)) }
            $0.zeros(12)
            switch kind {
            case .video(let entry):
                $0.u32(0)
                matrix(into: &$0)
                // The size to show: pixels that are not square are stretched here (16.16 fixed point).
                let picture = entry.picture
                let aspect = picture?.pixelAspect ?? PixelAspect()
                let width = (picture?.width ?? 0) * 65536 * aspect.horizontal / aspect.vertical
                $0.u32(UInt32(clamping: width))
                $0.u32(UInt32(clamping: (picture?.height ?? 0) * 65536))
            case .audio:
                $0.u16(0x0100)
                $0.u16(0)
                matrix(into: &$0)
                $0.zeros(8)
            }
        }
    }

    /// `mdia` around the sample table that `table` writes; duration in ticks of the track.
    static func media(
        kind: TrackDescription.Kind, timescale: UInt32, duration: UInt64, creationTime: Int64, into writer: inout BoxWriter,
        table: (inout BoxWriter) -> Void
    ) {
        let created = seconds1904(creationTime)
        let version = version(duration, created)
        let isVideo = if case .video = kind { true } else { false }
        writer.box("mdia") {
            $0.fullBox("mdhd", version: version) {
                times(created, version, into: &$0)
                $0.u32(max(1, timescale))
                if version == 1 { $0.u64(duration) } else { $0.u32(UInt32(truncatingIfNeeded: duration)) }
                $0.u16(0x55C4)  // "und"
                $0.u16(0)
            }
            $0.fullBox("hdlr") {
                $0.u32(0)
                $0.append(isVideo ? "vide" : "soun")
                $0.zeros(12)
                $0.append(Array((isVideo ? "Video" : "Sound").utf8))
                $0.u8(0)
            }
            $0.box("minf") {
                if isVideo {
                    $0.fullBox("vmhd", flags: 1) { $0.zeros(8) }
                } else {
                    $0.fullBox("smhd") { $0.zeros(4) }
                }
                $0.box("dinf") {
                    $0.fullBox("dref") {
                        $0.u32(1)
                        $0.fullBox("url ", flags: 1) { _ in }
                    }
                }
                $0.box("stbl", table)
            }
        }
    }

    /// `stsd`
    static func sampleDescriptions(_ kinds: [TrackDescription.Kind], into writer: inout BoxWriter) {
        writer.fullBox("stsd") {
            $0.u32(UInt32(truncatingIfNeeded: kinds.count))
            for kind in kinds { SampleEntryBoxes.write(kind, into: &$0) }
        }
    }

    /// `uuid`
    static func identification(_ identification: Identification, into writer: inout BoxWriter) {
        writer.box("uuid") {
            $0.append(Array(identification.type.prefix(16)))
            $0.zeros(max(0, 16 - identification.type.count))
            $0.append(identification.payload)
        }
    }

    private static func seconds1904(_ creationTime: Int64) -> UInt64 {
        UInt64(clamping: creationTime.addingReportingOverflow(secondsFrom1904To1970).partialValue)
    }

    /// Version 0 with its 32-bit times as long as they fit: every player reads it.
    private static func version(_ duration: UInt64, _ created: UInt64) -> UInt8 {
        duration < UInt64(UInt32.max) && created <= UInt64(UInt32.max) ? 0 : 1
    }

    private static func times(_ created: UInt64, _ version: UInt8, into writer: inout BoxWriter) {
        for _ in 0..<2 {
            if version == 1 { writer.u64(created) } else { writer.u32(UInt32(truncatingIfNeeded: created)) }
        }
    }

    private static func matrix(into writer: inout BoxWriter) {
        for value: UInt32 in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] { writer.u32(value) }
    }
}
