/// One sample (access unit) of a fragment that is being written.
package struct FragmentSample: Sendable, Equatable {
    /// Bytes.
    package var size: Int
    /// Ticks of the track until the next sample's decode time.
    package var duration: UInt32
    /// Whether decoding can begin here (true for every audio sample).
    package var isKeyframe: Bool
    /// Presentation minus decode time in ticks of the track. May be negative, but better is not: ffmpeg's demuxer (5.1) plays a
    /// track later by its most negative offset. With B-frames let all tracks begin that much later instead.
    package var compositionOffset: Int32

    package init(size: Int, duration: UInt32, isKeyframe: Bool, compositionOffset: Int32 = 0) {
        self.size = size
        self.duration = duration
        self.isKeyframe = isKeyframe
        self.compositionOffset = compositionOffset
    }
}

/// The part of one track in a fragment that is being written.
package struct FragmentTrack: Sendable, Equatable {
    package var trackID: UInt32
    /// Decode time of the first sample in ticks of the track, counted from the file's beginning.
    package var baseDecodeTime: UInt64
    package var samples: [FragmentSample]

    package init(trackID: UInt32, baseDecodeTime: UInt64, samples: [FragmentSample]) {
        self.trackID = trackID
        self.baseDecodeTime = baseDecodeTime
        self.samples = samples
    }
}

/// Writes movie fragments (ISO/IEC 14496-12, 8.8).
package enum Fragment {
    /// `prft` (when `wallClock` is given), `moof` and the header of `mdat`. The file goes on with the payload: all samples of
    /// the first track in order, then all of the second, and so on. The payload of a fragment must be smaller than 2 GiB.
    /// - Parameters:
    ///   - sequence: of the fragment in its file, rising from 1.
    ///   - wallClock: capture time of the first sample of the first track, microseconds UTC (8.16.5; kept to the microsecond
    ///     until the year 2104).
    package static func header(sequence: UInt32, tracks: [FragmentTrack], wallClock: Int64? = nil) -> [UInt8] {
        var sampleCount = 0
        var payload = 0
        for track in tracks {
            sampleCount += track.samples.count
            for sample in track.samples { payload += sample.size }
        }
        // prft 32, moof + mfhd 24, per track traf + tfhd + tfdt + trun at most 84, per sample at most 16, mdat 16.
        var writer = BoxWriter(capacity: 80 + 88 * tracks.count + 16 * sampleCount)
        if let wallClock, let first = tracks.first {
            // Flag 24: the time is that of the capture.
            writer.fullBox("prft", version: 1, flags: 24) {
                $0.u32(first.trackID)
                $0.u64(NTPTime.timestamp(microseconds: wallClock))
                $0.u64(first.baseDecodeTime)
            }
        }
        let moofStart = writer.bytes.count
        let mdatHeader = payload > Int(UInt32.max) - 8 ? 16 : 8
        // At most one data offset per track has to be patched once the size of the moof is known.
        var offsetPositions: [(position: Int, offset: Int)] = []
        offsetPositions.reserveCapacity(tracks.count)
        writer.box("moof") {
            $0.fullBox("mfhd") { $0.u32(sequence) }
            var offset = 0
            for track in tracks {
                let position = writeTrackFragment(track, into: &$0)
                offsetPositions.append((position, offset))
                for sample in track.samples { offset += sample.size }
            }
        }
        let moofSize = writer.bytes.count - moofStart
        for (position, offset) in offsetPositions {
            writer.patch(UInt32(truncatingIfNeeded: moofSize + mdatHeader + offset), at: position)
        }
        if mdatHeader == 16 {
            writer.u32(1)
            writer.append("mdat")
            writer.u64(UInt64(truncatingIfNeeded: payload + 16))
        } else {
            writer.u32(UInt32(truncatingIfNeeded: payload + 8))
            writer.append("mdat")
        }
        return writer.bytes
    }

    /// Writes `traf`; answers where its data offset has to be patched.
    private static func writeTrackFragment(_ track: FragmentTrack, into writer: inout BoxWriter) -> Int {
        let samples = track.samples
        var sameDuration = true
        var sameSize = true
        var sameFlags = true
        var sameFlagsButFirst = true
        var hasOffsets = false
        for (index, sample) in samples.enumerated() {
            if sample.duration != samples[0].duration { sameDuration = false }
            if sample.size != samples[0].size { sameSize = false }
            if sample.isKeyframe != samples[0].isKeyframe { sameFlags = false }
            if index > 1, sample.isKeyframe != samples[1].isKeyframe { sameFlagsButFirst = false }
            if sample.compositionOffset != 0 { hasOffsets = true }
        }
        let usual = samples.count > 1 && sameFlagsButFirst ? samples[1] : samples.first
        var headerFlags: UInt32 = 0x02_0000  // default-base-is-moof
        if sameDuration { headerFlags |= 0x08 }
        if sameSize { headerFlags |= 0x10 }
        if sameFlagsButFirst { headerFlags |= 0x20 }
        var runFlags: UInt32 = 0x01
        if sameFlagsButFirst, !sameFlags { runFlags |= 0x04 }
        if !sameDuration { runFlags |= 0x100 }
        if !sameSize { runFlags |= 0x200 }
        if !sameFlagsButFirst { runFlags |= 0x400 }
        if hasOffsets { runFlags |= 0x800 }

        var offsetPosition = 0
        writer.box("traf") {
            $0.fullBox("tfhd", flags: headerFlags) {
                $0.u32(track.trackID)
                if headerFlags & 0x08 != 0 { $0.u32(usual?.duration ?? 0) }
                if headerFlags & 0x10 != 0 { $0.u32(UInt32(truncatingIfNeeded: usual?.size ?? 0)) }
                if headerFlags & 0x20 != 0 { $0.u32(SampleFlags.of(keyframe: usual?.isKeyframe ?? true)) }
            }
            $0.fullBox("tfdt", version: 1) { $0.u64(track.baseDecodeTime) }
            $0.fullBox("trun", version: 1, flags: runFlags) {
                $0.u32(UInt32(truncatingIfNeeded: samples.count))
                offsetPosition = $0.bytes.count
                $0.u32(0)
                if runFlags & 0x04 != 0 { $0.u32(SampleFlags.of(keyframe: samples[0].isKeyframe)) }
                guard runFlags & 0xF00 != 0 else { return }
                for sample in samples {
                    if runFlags & 0x100 != 0 { $0.u32(sample.duration) }
                    if runFlags & 0x200 != 0 { $0.u32(UInt32(truncatingIfNeeded: sample.size)) }
                    if runFlags & 0x400 != 0 { $0.u32(SampleFlags.of(keyframe: sample.isKeyframe)) }
                    if runFlags & 0x800 != 0 { $0.u32(UInt32(bitPattern: sample.compositionOffset)) }
                }
            }
        }
        return offsetPosition
    }
}

/// Sample flags of fragments (ISO/IEC 14496-12, 8.8.3.1).
enum SampleFlags {
    /// A keyframe depends on no other sample; any other one does and is no sync sample.
    static func of(keyframe: Bool) -> UInt32 { keyframe ? 0x0200_0000 : 0x0101_0000 }

    static func isKeyframe(_ flags: UInt32) -> Bool { flags & 0x0001_0000 == 0 }
}

/// Wall clock times as NTP timestamps (RFC 5905, 6): seconds since 1900 and fractions of 2^-32 s.
enum NTPTime {
    /// Microseconds UTC since 1970 as an NTP timestamp; the era is dropped.
    static func timestamp(microseconds: Int64) -> UInt64 {
        let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let seconds = remainder < 0 ? quotient - 1 : quotient
        let fraction = UInt64(remainder < 0 ? remainder + 1_000_000 : remainder)
        return UInt64(truncatingIfNeeded: seconds &+ secondsFrom1900To1970) << 32 | ((fraction << 32) + 500_000) / 1_000_000
    }

    /// The inverse; of the two possible eras the one between 1968 and 2104 (RFC 4330, 3).
    static func microseconds(timestamp: UInt64) -> Int64 {
        var seconds = Int64(timestamp >> 32)
        if seconds < 0x8000_0000 { seconds += 0x1_0000_0000 }
        let fraction = ((timestamp & 0xFFFF_FFFF) * 1_000_000 + 0x8000_0000) >> 32
        return (seconds - secondsFrom1900To1970) * 1_000_000 + Int64(fraction)
    }
}
