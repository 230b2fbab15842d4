import ISOBMFF
import NVRBase
import NVRMedia
package import NVRModel
import NVRStore

/// A stretch of one segment's file that begins with a keyframe and can be decoded by itself behind the segment's head.
package struct ReplayFragment: Sendable, Equatable {
    package var start: WallTime
    /// Microseconds.
    package var duration: Int64
    /// In the file, bytes.
    package var offset: Int64
    package var size: Int64
    /// Decode time of its first picture in the file, microseconds.
    package var mediaStart: Int64

    package init(start: WallTime, duration: Int64, offset: Int64, size: Int64, mediaStart: Int64) {
        self.start = start
        self.duration = duration
        self.offset = offset
        self.size = size
        self.mediaStart = mediaStart
    }
}

/// What a player needs to know of one segment to show a part of it.
package struct ReplaySegment: Sendable, Equatable {
    package var id: ID<Segment>
    /// Below the recording root.
    package var path: String
    /// Bytes of ftyp and moov at the head of the file.
    package var initLength: Int64
    /// RFC 6381, comma-separated.
    package var codecs: String
    package var width: Int
    package var height: Int
    /// Segments of one run join without a gap.
    package var run: Int64
    /// It is still being written; more fragments will come.
    package var isGrowing: Bool
    /// Its file is encrypted; what is read of it is not.
    package var isEncrypted: Bool
    package var fragments: [ReplayFragment]

    package init(
        id: ID<Segment>, path: String, initLength: Int64, codecs: String, width: Int, height: Int, run: Int64, isGrowing: Bool,
        isEncrypted: Bool = false, fragments: [ReplayFragment]
    ) {
        self.id = id
        self.path = path
        self.initLength = initLength
        self.codecs = codecs
        self.width = width
        self.height = height
        self.run = run
        self.isGrowing = isGrowing
        self.isEncrypted = isEncrypted
        self.fragments = fragments
    }
}

extension Playback {
    /// The footage of a range as stretches of the stored files that begin with keyframes, for players that fetch byte ranges
    /// themselves. The first begins at or before the range's start. Throws `exhausted` when the range holds too many segments.
    package func index(of camera: ID<Camera>, _ range: TimeRange) async throws -> [ReplaySegment] {
        let segments = try await segments(camera, range)
        guard segments.count <= Self.mostSegments else { throw NVRError(.exhausted, "the range is too long; ask for less at a time") }
        return try segments.compactMap { segment in
            let fragments = try Self.fragments(of: segment, in: range)
            guard !fragments.isEmpty else { return nil }
            return ReplaySegment(
                id: segment.id, path: segment.path, initLength: segment.initLength, codecs: segment.codecs, width: segment.width,
                height: segment.height, run: segment.run, isGrowing: segment.state == .growing, isEncrypted: segment.key != nil,
                fragments: fragments)
        }
    }

    /// Whole GOPs, or several when they are short, that overlap a range.
    static func fragments(of segment: Segment, in range: TimeRange) throws -> [ReplayFragment] {
        let scale = Int64(segment.timescale)
        let index = try FragmentIndex(packed: segment.index)
        let begin = index.keyframeEntry(atOrBefore: max(0, ticks(range.start.microseconds(since: segment.start), scale))) ?? 0
        let end = ticks(range.end.microseconds(since: segment.start), scale)
        func micros(_ ticks: Int64) -> Int64 { ticks / scale * 1_000_000 + ticks % scale * 1_000_000 / scale }
        var result: [ReplayFragment] = []
        for entry in index.entries[min(begin, index.entries.count)...] {
            let (start, duration) = (micros(entry.start), micros(entry.endTime) - micros(entry.start))
            if !entry.startsWithKeyframe, var last = result.popLast() {
                // What follows the keyframe's fragment up to the next keyframe; sound at the end of a file has no duration.
                last.duration += duration
                last.size = entry.end - last.offset
                result.append(last)
                continue
            }
            guard entry.start < end else { break }
            guard entry.startsWithKeyframe else { continue }
            result.append(
                ReplayFragment(
                    start: segment.start.advanced(byMicroseconds: start), duration: duration, offset: entry.offset, size: entry.size,
                    mediaStart: start))
        }
        return result
    }

    /// Any range of a camera's footage as one MP4, never re-encoded, cut at keyframes, or on the frame by an edit list.
    /// Throws `notFound` when there is no footage, `exhausted` when the range is too long for one file.
    package func export(_ camera: ID<Camera>, _ range: TimeRange, isExact: Bool, fileName: String) async throws -> StoredMedia {
        let segments = try await segments(camera, range)
        let isFinal = !segments.contains { $0.state == .growing }
        return try await movie(
            key: "x\(camera)-\(range.start.microseconds)-\(range.end.microseconds)-\(isExact)", segments: segments, range: range,
            isFinal: isFinal, isExact: isExact, fileName: fileName)
    }

    /// The keyframe at or before a time, or the first one after it when footage begins later, as JPEG. Throws `notFound` when
    /// there is none within `reach` microseconds. `isWanted` is asked when its turn comes: who drags on has given up the pictures that
    /// were asked for before.
    package func keyframe(
        of camera: ID<Camera>, at time: WallTime, width: Int, reach: Int64 = 10_000_000, isWanted: @escaping @Sendable () -> Bool = { true }
    ) async throws -> StoredMedia {
        let around = TimeRange(start: time.advanced(byMicroseconds: -reach), end: time.advanced(byMicroseconds: reach))
        let segments = try await segments(camera, around)
        let nearest = segments.last { $0.start <= time } ?? segments.first
        guard let segment = nearest else { throw NVRError(.notFound, "there is no footage of this time") }
        let index = try FragmentIndex(packed: segment.index)
        let scale = Int64(segment.timescale)
        let wanted = Self.ticks(time.microseconds(since: segment.start), scale)
        guard let position = index.keyframeEntry(atOrBefore: max(0, wanted)) ?? index.entries.firstIndex(where: \.startsWithKeyframe) else {
            throw NVRError(.notFound, "there is no footage of this time")
        }
        let entry = index.entries[position]
        let key = "\(segment.id)-\(position)-\(min(width, segment.width))"
        if let ready = recent.picture(key) { return ready }
        return try await previews.run(on: segment.volume) { [self] in
            if let ready = recent.picture(key) { return ready }
            guard isWanted() else { throw Self.unwanted }
            let file = try open(segment)
            do {
                guard let (bytes, description) = try Self.keyframe(entry, in: file, of: segment) else {
                    throw NVRError(.notFound, "there is no footage of this time")
                }
                let start = segment.start.advanced(byMicroseconds: Self.microseconds(entry.start, scale))
                let picture = try StillPicture.decode(bytes, entry: description, time: start, width: min(width, segment.width))
                let media = StoredMedia(
                    jpeg: picture.jpeg, etag: "k\(segment.id)-\(position)-\(picture.width)", lastModified: start,
                    fileName: "\(camera)-\(start.iso8601).jpg")
                recent.keep(media, as: key)
                return media
            } catch let error as ISOBMFFError {
                note(segment, "cannot be read: \(error)")
                throw NVRError(.notFound, "there is no footage of this time", underlying: error)
            }
        }
    }

    static let unwanted = NVRError(.unavailable, "nobody waits for the picture any more")

    /// The bytes of the first picture of a fragment, and how they are coded; nil when there is none.
    static func keyframe(_ entry: FragmentIndexEntry, in file: any FootageFile, of segment: Segment) throws -> ([UInt8], VideoSampleEntry)? {
        let reader = file.boxes
        let head = try FragmentedFile(length: segment.initLength, read: reader)
        guard case .video(let description)? = head.indexedTrack?.kind, let track = head.indexedTrack,
            let sample = try SampleLocation.samples(of: entry, defaults: head.defaults, read: reader).first(where: { $0.trackID == track.id })
        else { return nil }
        return (try file.read(at: sample.offset, count: sample.size), description)
    }

    /// A range in a minute or less: keyframes alone, evenly chosen, without decoding. Throws like `export`.
    package func timeLapse(_ camera: ID<Camera>, _ range: TimeRange, seconds: Int, fileName: String) async throws -> StoredMedia {
        let segments = try await segments(camera, range)
        guard !segments.isEmpty else { throw NVRError(.notFound, "there is no footage of this time") }
        guard segments.count <= Self.mostSegments else { throw NVRError(.exhausted, "the range is too long for one file") }
        return try await threads.run(on: Set(segments.map(\.volume))) { [self] in
            try buildTimeLapse(camera, segments, range, seconds: seconds, fileName: fileName)
        }
    }

    private func buildTimeLapse(
        _ camera: ID<Camera>, _ segments: [Segment], _ range: TimeRange, seconds: Int, fileName: String
    ) throws -> StoredMedia {
        var keyframes: [(segment: Int, entry: FragmentIndexEntry)] = []
        for (number, segment) in segments.enumerated() {
            let scale = Int64(segment.timescale)
            let start = max(0, Self.ticks(range.start.microseconds(since: segment.start), scale))
            let end = max(start, Self.ticks(range.end.microseconds(since: segment.start), scale))
            keyframes += try FragmentIndex(packed: segment.index).entries.lazy
                .filter { $0.startsWithKeyframe && $0.start >= start && $0.start < end }.map { (number, $0) }
        }
        guard !keyframes.isEmpty else { throw NVRError(.notFound, "there is no footage of this time") }
        let most = seconds * Self.timeLapseRate
        let count = min(keyframes.count, most)
        // Few keyframes last longer each, down to four a second.
        let rate = Int64(min(max(count / max(1, seconds), 4), Self.timeLapseRate))
        let timescale = Int64(StreamDescription.videoTimescale)
        var tracks: [MovieTrack] = []
        var files: [any FootageFile] = []
        var absence: NVRError?
        var pictures: Int64 = 0
        var open: (segment: Int, head: FragmentedFile, track: TrackDescription, place: (track: Int, description: Int))?
        for step in 0..<count {
            let (number, entry) = keyframes[step * keyframes.count / count]
            do {
                if open?.segment != number {
                    let file = try self.open(segments[number])
                    let head = try FragmentedFile(length: segments[number].initLength, read: file.boxes)
                    guard let video = head.indexedTrack, video.isVideo else { continue }
                    files.append(file)
                    open = (number, head, video, Self.describe(&tracks, video.kind))
                }
                guard let open, let file = files.last else { continue }
                let samples = try SampleLocation.samples(of: entry, defaults: open.head.defaults, read: file.boxes)
                guard let sample = samples.first(where: { $0.trackID == open.track.id && $0.isKeyframe }) else { continue }
                tracks[open.place.track].samples.append(
                    MovieSample(
                        file: files.count - 1, offset: sample.offset, size: sample.size, decodeTime: pictures * timescale / rate,
                        duration: timescale / rate, isKeyframe: true, description: open.place.description))
                pictures += 1
            } catch let error as ISOBMFFError {
                note(segments[number], "cannot be read: \(error)")
            } catch let error as NVRError where error.kind == .notFound {
                continue
            } catch let error as NVRError where error.kind == .unavailable {
                absence = error
            }
        }
        guard pictures > 0 else { throw absence ?? NVRError(.notFound, "File not found") }
        let movie = try Movie(tracks: tracks, creationTime: range.start.microseconds / 1_000_000)
        let last = segments.last?.end ?? range.end
        return StoredMedia(
            movie: movie, files: files, volumes: Set(segments.map(\.volume)),
            etag: "t\(camera)-\(Self.hash("\(range)\(seconds)\(last.microseconds)"))", lastModified: last,
            fileName: fileName)
    }

    /// Pictures a second.
    private static let timeLapseRate = 30
}
