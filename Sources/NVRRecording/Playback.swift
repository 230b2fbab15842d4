import ISOBMFF
package import Logging
package import NVRBase
import NVRMedia
package import NVRModel
package import NVRStore
import Synchronization

/// Gives footage back: files as they lie on the disk, and movies of any range cut from the segments at keyframes without
/// copying or re-encoding. Only what the database lists can be reached.
package final class Playback: Sendable {
    private struct Built: Sendable {
        var signature: String
        var isFinal: Bool
        var media: StoredMedia
        var lastUse: Int64
    }

    /// Movies kept ready at most; each holds its files open.
    private static let keptMovies = 8
    /// Segments in one movie at most: two days of one-minute segments.
    static let mostSegments = 3000
    /// Microseconds for which an unfinished movie is given again unchanged, so that a player's ranges belong to one file.
    private static let snapshotLife: Int64 = 20_000_000

    private let layout: RecordingLayout
    var volumes: Volumes { layout.volumes }
    private let store: Store
    private let growing: GrowingSegments
    let clock: any NVRClock
    private let logger: Logger
    /// Read files and decode pictures; never the disk's writing threads.
    let threads: VolumeThreads
    /// Decode pictures for somebody who drags along a timeline: a long movie being laid out must not keep them waiting.
    let previews: VolumeThreads
    private let built = Mutex<[String: Built]>([:])
    let recent = RecentPictures(budget: 8 << 20)

    package init(layout: RecordingLayout, store: Store, growing: GrowingSegments, clock: any NVRClock, logger: Logger) {
        self.layout = layout
        self.store = store
        self.growing = growing
        self.clock = clock
        self.logger = logger
        threads = VolumeThreads("playback", volumes: layout.volumes, stackBytes: 1 << 20)
        previews = VolumeThreads("previews", volumes: layout.volumes, stackBytes: 1 << 20)
    }

    /// Closes the files of movies kept ready, because some of them are about to be deleted.
    package func forget() {
        built.withLock { $0.removeAll() }
        recent.forget()
    }

    // MARK: Files

    /// The file at `path`, whatever volume it lies on: a segment, a snapshot, a thumbnail, or `….jpg` beside a segment, which is made
    /// of its first keyframe. Throws `notFound`.
    package func media(path: String) async throws -> StoredMedia {
        if path.hasSuffix(".mp4"), let segment = try await store.segments.byPath(path), segment.state == .growing || segment.state == .finished {
            return try await file(of: growing.current(segment))
        }
        if let event = try await store.events.owningPicture(path) {
            return try await picture(FootagePlace(event.volume, path), time: event.start)
        }
        if path.hasSuffix(".jpg"), let segment = try await store.segments.byPath(path.dropLast(4) + ".mp4"),
            segment.state == .growing || segment.state == .finished
        {
            return try await firstPicture(of: growing.current(segment))
        }
        throw NVRError(.notFound, "File not found")
    }

    private func file(of segment: Segment) async throws -> StoredMedia {
        try await threads.run(on: segment.volume) { [self] in
            let file = try open(segment)
            let expected = try Self.length(of: segment, in: file)
            // Shorter than its row: truncated behind our back. What is left is given.
            let length = min(expected, try file.length())
            if length < expected { note(segment, "is shorter than its row says (\(length) of \(expected) bytes)") }
            return StoredMedia(
                file: file, volume: segment.volume, length: length, contentType: "video/mp4", etag: "s\(segment.id)-\(length)",
                lastModified: segment.end,
                fileName: Self.name(segment.path))
        }
    }

    /// Bytes that a segment's file has when it is read: of an encrypted one, the row tells those on the disk.
    private static func length(of segment: Segment, in file: any FootageFile) throws -> Int64 {
        guard file is SealedFile else { return segment.bytes }
        // A row that has just appeared has no index yet.
        return try segment.index.isEmpty ? file.length() : FragmentIndex(packed: segment.index).entries.last?.end ?? segment.initLength
    }

    /// Opens a segment's file. Throws `notFound` when it is gone and `unavailable` when its volume is not to be used now. Blocks.
    package func open(_ segment: Segment) throws -> any FootageFile {
        do {
            return try layout.volumes.open(segment.place)
        } catch  where Self.isMissing(error) {
            // It may have moved to another volume since its row was read.
            let now = try blockingWait { [store] in try await store.segments.get(segment.id) }
            if let now, now.volume != segment.volume, now.state == .growing || now.state == .finished { return try open(now.place) }
            throw missing(segment.place, error)
        }
    }

    private func open(_ place: FootagePlace) throws -> any FootageFile {
        do { return try layout.volumes.open(place) } catch  where Self.isMissing(error) { throw missing(place, error) }
    }

    private static func isMissing(_ error: any Error) -> Bool {
        (error as? FileError)?.isMissing ?? ((error as? NVRError)?.kind == .notFound)
    }

    private func missing(_ place: FootagePlace, _ error: any Error) -> NVRError {
        logger.warning(
            "a file of footage is missing; its row stays until `vibenvr check --repair`",
            metadata: ["path": "\(place.path)", "volume": "\(place.volume)"])
        return NVRError(.notFound, "File not found", underlying: error)
    }

    func note(_ segment: Segment, _ text: String) {
        logger.warning("a file of footage \(text)", metadata: ["path": "\(segment.path)"])
    }

    static func name(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    private func picture(_ place: FootagePlace, time: WallTime) async throws -> StoredMedia {
        try await threads.run(on: place.volume) { [self] in
            let file = try open(place)
            let length = try file.length()
            return StoredMedia(
                file: file, volume: place.volume, length: length, contentType: "image/jpeg", etag: "p\(Self.hash(place.path))-\(length)",
                lastModified: time,
                fileName: Self.name(place.path))
        }
    }

    func firstPicture(of segment: Segment) async throws -> StoredMedia {
        try await threads.run(on: segment.volume) { [self] in
            let file = try open(segment)
            let reader = file.boxes
            do {
                let head = try FragmentedFile(length: segment.initLength, read: reader)
                guard case .video(let entry)? = head.indexedTrack?.kind, let track = head.indexedTrack,
                    let first = try FragmentIndex(packed: segment.index).entries.first,
                    let sample = try SampleLocation.samples(of: first, defaults: head.defaults, read: reader).first(where: { $0.trackID == track.id })
                else { throw NVRError(.notFound, "File not found") }
                let picture = try StillPicture.decode(
                    try file.read(at: sample.offset, count: sample.size), entry: entry, time: segment.start, width: 640)
                return StoredMedia(
                    jpeg: picture.jpeg, etag: "k\(segment.id)", lastModified: segment.start,
                    fileName: Self.name(segment.path.dropLast(4) + ".jpg"))
            } catch let error as ISOBMFFError {
                note(segment, "cannot be read: \(error)")
                throw NVRError(.notFound, "File not found", underlying: error)
            }
        }
    }

    // MARK: Events

    /// The picture of an event: its snapshot or thumbnail, else the first keyframe of its footage.
    package func thumbnail(of event: Event) async throws -> StoredMedia {
        if let path = event.thumbnailPath ?? event.picturePath {
            return try await picture(FootagePlace(event.volume, path), time: event.start)
        }
        let segments = try await segments(event.cameraID, TimeRange(start: event.start, end: event.start.advanced(byMicroseconds: 1)))
        guard let segment = segments.first else { throw NVRError(.notFound, "the event has no picture") }
        return try await firstPicture(of: segment)
    }

    /// One MP4 of an event: of motion with the seconds before and after it that its camera keeps, of a continuous segment the
    /// segment. A segment that still grows is given as the file it is, since its beginning never changes.
    package func video(of event: Event) async throws -> StoredMedia {
        if event.medium == .snapshot, let path = event.picturePath {
            return try await picture(FootagePlace(event.volume, path), time: event.start)
        }
        if let id = event.segmentID {
            guard let segment = try await store.segments.get(id), segment.state == .growing || segment.state == .finished else {
                throw NVRError(.notFound, "the event's footage is gone")
            }
            if segment.state == .growing { return try await file(of: growing.current(segment)) }
            return try await movie(key: "e\(event.id)", segments: [segment], range: segment.range, isFinal: true)
        }
        let range = try await range(of: event)
        let segments = try await segments(event.cameraID, range)
        let isFinal = event.end != nil && !segments.contains { $0.state == .growing }
        return try await movie(key: "e\(event.id)", segments: segments, range: range, isFinal: isFinal)
    }

    /// What the video of an event shows: its segment, or its time with what the camera is to show before and after.
    package func range(of event: Event) async throws -> TimeRange {
        if let id = event.segmentID {
            guard let segment = try await store.segments.get(id) else { throw NVRError(.notFound, "the event's footage is gone") }
            return growing.current(segment).range
        }
        let camera = try await store.cameras.get(event.cameraID)
        let before = Int64(camera?.recording.capturedBefore ?? 5) * 1_000_000
        let after = Int64(camera?.recording.capturedAfter ?? 10) * 1_000_000
        let end = event.end ?? WallTime(microseconds: clock.wall())
        return TimeRange(start: event.start.advanced(byMicroseconds: -before), end: end.advanced(byMicroseconds: after))
    }

    /// Listed segments of the main stream, or of the sub-stream when there are none, that hold anything of a range, oldest first.
    package func segments(_ camera: ID<Camera>, _ range: TimeRange) async throws -> [Segment] {
        for role in StreamRole.allCases {
            var found: [Segment] = []
            for row in try await store.segments.covering(camera, role, range) {
                if let segment = try await current(row) { found.append(segment) }
            }
            for id in growing.overlapping(camera, role, range) where !found.contains(where: { $0.id == id }) {
                if let row = try await store.segments.get(id), let segment = try await current(row) { found.append(segment) }
            }
            if !found.isEmpty { return found.sorted { $0.start < $1.start } }
        }
        return []
    }

    /// A row as far as its file is now; nil while nothing is known of what the file holds. A row that was read as that of a growing segment
    /// may be finished by now, and one that was only just listed is not known to grow yet.
    private func current(_ row: Segment) async throws -> Segment? {
        let segment = growing.current(row)
        guard segment.state == .growing, segment.index.isEmpty else { return segment.state == .intended ? nil : segment }
        guard let again = try await store.segments.get(row.id).map({ growing.current($0) }) else { return nil }
        return again.index.isEmpty || again.state != .growing && again.state != .finished ? nil : again
    }

    /// Bytes of the fragments that hold a range; nil when there is no footage of it, or when an index of it is damaged. `segment`: one
    /// of the main stream that is known to hold something of the range.
    package func bytes(of camera: ID<Camera>, _ range: TimeRange, in segment: Segment? = nil) async throws -> Int64? {
        let found: [Segment]
        if let segment, segment.role == .main, segment.start <= range.start, range.end <= segment.end {
            found = [growing.current(segment)]
        } else {
            found = try await segments(camera, range)
        }
        guard !found.isEmpty else { return nil }
        var sum: Int64 = 0
        for segment in found {
            let scale = Int64(segment.timescale)
            func ticks(_ time: WallTime) -> Int64 { time.microseconds(since: segment.start) * scale / 1_000_000 }
            let (start, end) = (max(0, ticks(range.start)), max(1, ticks(range.end)))
            guard start < end else { continue }
            do {
                sum += try FragmentIndex(packed: segment.index).entries(overlapping: start..<end).reduce(0) { $0 + $1.size }
            } catch {
                logger.warning(
                    "the index of a recording cannot be read: the size of what it holds is not known",
                    metadata: ["path": "\(segment.path)", "error": "\(error)"])
                return nil
            }
        }
        return sum
    }

    // MARK: Movies

    /// The movie of a range, kept ready for the player's next request. `isExact`: begins and ends on the frame, by an edit list.
    func movie(
        key: String, segments: [Segment], range: TimeRange, isFinal: Bool, isExact: Bool = false, fileName: String? = nil
    ) async throws -> StoredMedia {
        guard !segments.isEmpty else { throw NVRError(.notFound, "there is no footage of this time") }
        guard segments.count <= Self.mostSegments else { throw NVRError(.exhausted, "the range is too long for one file") }
        let signature =
            segments.map { "\($0.id):\($0.bytes):\($0.state.rawValue)" }.joined(separator: ",")
            + "|\(range.start.microseconds)-\(isFinal ? range.end.microseconds : 0)"
        let now = clock.monotonic()
        let ready = built.withLock { built -> StoredMedia? in
            guard var hit = built[key] else { return nil }
            let isSame = hit.signature == signature
            let isSnapshot = !isFinal && !hit.isFinal && now - hit.lastUse < Self.snapshotLife
            guard isSame || isSnapshot else { return nil }
            hit.lastUse = now
            built[key] = hit
            return hit.media
        }
        if let ready { return ready }
        let media = try await threads.run(on: Set(segments.map(\.volume))) { [self] in
            try build(
                segments: segments, range: range, isExact: isExact, etag: "m\(key)-\(Self.hash(signature))", fileName: fileName)
        }
        built.withLock { built in
            built[key] = Built(signature: signature, isFinal: isFinal, media: media, lastUse: now)
            while built.count > Self.keptMovies, let oldest = built.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                built.removeValue(forKey: oldest.key)
            }
        }
        return media
    }

    /// Lays the range out over the segments' files. What is missing or damaged behind our back is left out.
    private func build(segments: [Segment], range: TimeRange, isExact: Bool, etag: String, fileName: String?) throws -> StoredMedia {
        var files: [any FootageFile] = []
        // Why some footage cannot be reached now.
        var absence: NVRError?
        // One for each codec: no player shows a track that changes it.
        var videos: [MovieTrack] = []
        var audio: MovieTrack?
        var origin: WallTime?
        var first: Segment?
        var run: Int64?
        var sources: [FootageExcerpt.Source] = []
        // Where the last footage ends, and how much of long gaps is left out of the movie, whose samples last 13 hours at most.
        var until: WallTime?
        var skipped: Int64 = 0
        for segment in segments {
            do {
                let file = try open(segment)
                let available = try file.length()
                let reader = file.boxes
                let head = try FragmentedFile(length: segment.initLength, read: reader)
                guard let videoTrack = head.tracks.first(where: \.isVideo) else { continue }
                let audioTrack = head.tracks.first { !$0.isVideo }
                let timescale = Int64(segment.timescale)
                func ticks(_ time: WallTime) -> Int64 {
                    let elapsed = time.microseconds(since: segment.start)
                    return elapsed / 1_000_000 * timescale + elapsed % 1_000_000 * timescale / 1_000_000
                }
                let index = try FragmentIndex(packed: segment.index)
                let begin = index.keyframeEntry(atOrBefore: max(0, ticks(range.start))) ?? 0
                let end = ticks(range.end)
                let entries = index.entries[min(begin, index.entries.count)...].prefix { $0.start < end && $0.end <= available }
                guard let firstEntry = entries.first else { continue }
                if try available < Self.length(of: segment, in: file) { note(segment, "is shorter than its row says") }
                let fileNumber = files.count
                files.append(file)
                first = first ?? segment
                sources.append(Self.source(segment))
                if let until { skipped += max(0, segment.start.microseconds(since: until) - Self.longestGap) }
                let last = entries.last ?? firstEntry
                until = max(until ?? segment.start, segment.start.advanced(byMicroseconds: Self.microseconds(last.endTime, timescale)))
                let start = origin ?? segment.start.advanced(byMicroseconds: firstEntry.start * 1_000_000 / timescale)
                origin = start
                // Where the segment's own time zero lies in the movie, in ticks of each track.
                let shift = segment.start.microseconds(since: start) - skipped
                func offset(_ scale: Int64) -> Int64 { shift / 1_000_000 * scale + shift % 1_000_000 * scale / 1_000_000 }
                let (video, videoDescription) = Self.describe(&videos, videoTrack.kind)
                var audioDescription = 0
                if let audioTrack {
                    if audio == nil { audio = MovieTrack(timescale: audioTrack.timescale, descriptions: [], samples: []) }
                    if audio?.timescale == audioTrack.timescale, var track = audio {
                        audioDescription = Self.describe(&track, audioTrack.kind)
                        audio = track
                    }
                }
                // The pre-roll of a motion recording may hold frames that the recording before it has, too: they are taken once.
                func isRepeated(_ sample: MovieSample, in track: MovieTrack?) -> Bool {
                    guard run == segment.run, let last = track?.samples.last, last.file != fileNumber || last.decodeTime >= sample.decodeTime else {
                        return false
                    }
                    return sample.decodeTime + sample.duration / 2 < last.decodeTime + last.duration
                }
                func isBeyond(_ sample: MovieSample, _ scale: Int64) -> Bool {
                    isExact && sample.decodeTime >= Self.ticks(range.end.microseconds(since: start) - skipped, scale)
                }
                for entry in entries {
                    for sample in try SampleLocation.samples(of: entry, defaults: head.defaults, read: reader) {
                        func moved(_ scale: Int64, _ description: Int) -> MovieSample {
                            MovieSample(
                                file: fileNumber, offset: sample.offset, size: sample.size, decodeTime: sample.decodeTime + offset(scale),
                                duration: sample.duration, compositionOffset: sample.compositionOffset, isKeyframe: sample.isKeyframe,
                                description: description)
                        }
                        if sample.trackID == videoTrack.id {
                            let placed = moved(timescale, videoDescription)
                            if !isRepeated(placed, in: videos[video]), !isBeyond(placed, timescale) { videos[video].samples.append(placed) }
                        } else if let audioTrack, sample.trackID == audioTrack.id, audio?.timescale == audioTrack.timescale {
                            let placed = moved(Int64(audioTrack.timescale), audioDescription)
                            // Sound before the first picture would make the movie begin with darkness.
                            if placed.decodeTime >= 0, !isRepeated(placed, in: audio), !isBeyond(placed, Int64(audioTrack.timescale)) {
                                audio?.samples.append(placed)
                            }
                        }
                    }
                }
                run = segment.run
            } catch let error as ISOBMFFError {
                note(segment, "cannot be read: \(error)")
            } catch let error as NVRError where error.kind == .notFound {
                continue
            } catch let error as NVRError where error.kind == .unavailable {
                absence = error
            }
        }
        videos.removeAll(where: \.samples.isEmpty)
        guard let scale = videos.first?.timescale, let first, let origin else { throw absence ?? NVRError(.notFound, "File not found") }
        let tracks = videos + (audio.map { $0.samples.isEmpty ? [] : [$0] } ?? [])
        // What lies before the begin of the range is decoded, since the first frame needs it, and not shown.
        let lead = range.start.microseconds(since: origin)
        let movie = try Movie(
            tracks: tracks, creationTime: origin.microseconds / 1_000_000,
            presentationStart: isExact && lead > 0 ? Self.ticks(lead, Int64(scale)) : nil)
        let end = until ?? origin
        let shown = isExact ? TimeRange(start: max(origin, range.start), end: min(end, range.end)) : TimeRange(start: origin, end: end)
        return StoredMedia(
            movie: movie, files: files, volumes: Set(segments.map(\.volume)), etag: etag, lastModified: segments.last?.end ?? origin,
            fileName: fileName ?? Self.name(first.path),
            excerpt: FootageExcerpt(range: shown, sources: sources))
    }

    /// Microseconds without footage that a movie shows as they were: one picture that stands still. Longer gaps are shortened to it.
    private static let longestGap: Int64 = 12 * 3_600_000_000

    private static func source(_ segment: Segment) -> FootageExcerpt.Source {
        FootageExcerpt.Source(
            id: segment.id, role: segment.role, run: segment.run, path: segment.path, range: segment.range, width: segment.width,
            height: segment.height, codecs: segment.codecs)
    }

    /// Ticks of a timescale as microseconds.
    static func microseconds(_ ticks: Int64, _ timescale: Int64) -> Int64 {
        ticks / timescale * 1_000_000 + ticks % timescale * 1_000_000 / timescale
    }

    /// Microseconds as ticks of a timescale.
    static func ticks(_ microseconds: Int64, _ timescale: Int64) -> Int64 {
        microseconds / 1_000_000 * timescale + microseconds % 1_000_000 * timescale / 1_000_000
    }

    /// The number of the track of a codec, and of a sample description in it, added when they are new.
    static func describe(_ tracks: inout [MovieTrack], _ kind: TrackDescription.Kind) -> (track: Int, description: Int) {
        func codec(_ kind: TrackDescription.Kind?) -> Substring? { kind?.codecString.prefix { $0 != "." } }
        let known = tracks.firstIndex { codec($0.descriptions.first) == codec(kind) }
        if known == nil { tracks.append(MovieTrack(timescale: UInt32(StreamDescription.videoTimescale), descriptions: [], samples: [])) }
        let track = known ?? tracks.count - 1
        return (track, describe(&tracks[track], kind))
    }

    /// The number of a sample description in a track, added when it is new.
    static func describe(_ track: inout MovieTrack, _ kind: TrackDescription.Kind) -> Int {
        if let known = track.descriptions.firstIndex(of: kind) { return known }
        track.descriptions.append(kind)
        return track.descriptions.count - 1
    }

    /// FNV-1a, 64 bits: names a content, protects nothing.
    static func hash(_ text: String) -> String {
        var value: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(value, radix: 16)
    }
}
