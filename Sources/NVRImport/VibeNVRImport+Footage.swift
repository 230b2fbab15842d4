import NVRBase
import NVRMedia
import NVRModel
import NVRRecording
import NVRStore

extension VibeNVRImport {
    /// What became of an event.
    enum Brought {
        case event(Event)
        /// Its segments are listed as continuous recordings, which are events.
        case listed
    }

    /// Brings the files of an event. Nil when there is nothing to show for it. Throws a reason.
    func bring(_ event: ReferenceEvent) throws -> Brought? {
        guard let camera = cameras[event.camera] else { throw ReasonedRefusal("its camera is not there") }
        guard event.medium == .video else { return try snapshot(event, camera) }
        let range = try footage(event, camera)
        if event.kind == .continuous { return .listed }
        var made = Event(
            id: ID(0), cameraID: camera.id, medium: .video, kind: event.kind, start: range.start, end: range.end, width: event.width,
            height: event.height, score: event.score, metadata: event.metadata)
        made.thumbnailPath = thumbnail(event, camera, at: range.start)
        return .event(made)
    }

    // MARK: Pictures

    private func snapshot(_ event: ReferenceEvent, _ camera: Camera) throws -> Brought? {
        let file = try paths.open(event.file)
        report.pictures += 1
        if options.isDry { return .listed }
        let target = FootageImporter.Target(camera: camera.id, fileName: camera.pictures.fileName, listsSegments: false)
        let picture = try importer.picture(file, target, at: event.stamp)
        return .event(
            Event(
                id: ID(0), cameraID: camera.id, medium: .snapshot, kind: event.kind == .continuous ? .manual : event.kind, start: event.stamp,
                picturePath: picture.path, bytes: picture.bytes, width: picture.width, height: picture.height, metadata: event.metadata))
    }

    /// An event without its thumbnail shows the first picture of its footage.
    private func thumbnail(_ event: ReferenceEvent, _ camera: Camera, at time: WallTime) -> String? {
        guard let path = event.thumbnail else { return nil }
        do {
            let file = try paths.open(path)
            if options.isDry {
                report.pictures += 1
                return nil
            }
            let target = FootageImporter.Target(camera: camera.id, fileName: camera.recording.fileName, listsSegments: false)
            let picture = try importer.picture(file, target, at: time)
            report.pictures += 1
            return picture.path
        } catch {
            report.leaveOut("thumbnail of event \(event.id), \(path)", "\(error)")
            return nil
        }
    }

    // MARK: Recordings

    /// Sees to it that there is footage of an event's recording; gives the time that it shows.
    private func footage(_ event: ReferenceEvent, _ camera: Camera) throws -> TimeRange {
        if let start = files[event.file].map(WallTime.init(microseconds:)) {
            // Two events of one recording, or one of an earlier run.
            let store = store
            let wanted = TimeRange(start: start, end: start.advanced(byMicroseconds: event.duration ?? 1))
            let covered = try blockingWait { try await store.imports.covered(camera.id, wanted) }
            let end = event.duration.map(start.advanced(byMicroseconds:)) ?? covered.map(\.end).max() ?? start
            return TimeRange(start: start, end: end)
        }
        let file = try paths.open(event.file)
        let clip: Clip
        do {
            clip = try Clip(file, event, patterns: [camera.recording.fileName, "%Y-%m-%d/%H-%M-%S"], store: store, camera: camera.id)
        } catch let refusal as MovieFile.Refusal {
            if let codec = refusal.codec { report.noteUnplayable(codec, try file.length()) }
            throw refusal
        }
        if clip.shift != 0 { noteShift(event, clip.shift) }
        let range = TimeRange(start: clip.start, end: clip.start.advanced(byMicroseconds: clip.duration ?? event.duration ?? 0))
        guard !clip.gaps.isEmpty else {
            report.covered += 1
            try note(event, clip.start)
            return range
        }
        let made = try take(clip, event, camera)
        if made.isEmpty, !options.isDry { throw ReasonedRefusal("no picture in it can be shown") }
        try note(event, clip.start)
        return TimeRange(start: range.start, end: max(range.end, made.map(\.range.end).max() ?? range.end))
    }

    private func take(_ clip: Clip, _ event: ReferenceEvent, _ camera: Camera) throws -> [FootageImporter.Made] {
        let target = FootageImporter.Target(camera: camera.id, fileName: camera.recording.fileName, listsSegments: event.kind == .continuous)
        if options.isDry {
            let isReady = clip.isWhole && options.links
            count(!isReady ? .written : importer.linkObstacle(clip.file) == nil ? .linked : .copied, clip.length)
            return []
        }
        if options.links, clip.isWhole, let ready = clip.ready {
            let made = try importer.take(clip.file, ready, target, start: clip.start, run: clip.start.microseconds, links: true)
            count(made.isLinked ? .linked : .copied, made.bytes)
            return [made]
        }
        clip.movie.setStart(clip.start)
        let (made, brokenOff) = try importer.write(clip.movie, target, of: clip.gaps, size: clip.length)
        if let brokenOff { report.leaveOut("the end of \(event.file)", "\(brokenOff)") }
        for segment in made { count(.written, segment.bytes) }
        return made
    }

    private enum Way { case written, linked, copied }

    private func count(_ way: Way, _ bytes: Int64) {
        switch way {
        case .written:
            report.written += 1
            report.writtenBytes += bytes
        case .linked:
            report.linked += 1
            report.linkedBytes += bytes
        case .copied:
            report.copied += 1
            report.copiedBytes += bytes
        }
    }

    private func note(_ event: ReferenceEvent, _ start: WallTime) throws {
        files[event.file] = start.microseconds
        guard !options.isDry else { return }
        let (store, source, path) = (store, source, event.file)
        try blockingWait { try await store.imports.note([path: start.microseconds], .file, of: source) }
    }

    private func noteShift(_ event: ReferenceEvent, _ shift: Int64) {
        let hours = Double(shift) / 3_600_000_000
        report.leaveOut(
            event.file,
            "nothing, but its name is \(abs(hours)) h \(hours < 0 ? "ahead of" : "behind") its row, which was believed: is --time-zone right?")
    }
}

/// A recording of the old installation, looked at: when it is from, and what of it is not there yet.
private struct Clip {
    let file: POSIXFile
    let movie: MovieFile
    let ready: ReadyFootage?
    let length: Int64
    /// Microseconds; nil when the file does not tell.
    let duration: Int64?
    let start: WallTime
    /// By how much the clock of its name was off, microseconds.
    let shift: Int64
    /// The stretches of time that are to be taken.
    let gaps: [TimeRange]
    /// All of it is to be taken, and it plays as it is.
    let isWhole: Bool

    init(_ file: POSIXFile, _ event: ReferenceEvent, patterns: [String], store: Store, camera: ID<Camera>) throws {
        self.file = file
        length = try file.length()
        guard length > 0 else { throw ReasonedRefusal("its file is empty") }
        let name = event.file.lastIndex(of: ".").map { String(event.file[event.file.index(after: $0)...]) } ?? ""
        let length = length
        movie = try file.withDescriptor { try MovieFile.open(descriptor: $0, length: length, fileExtension: name, start: event.stamp) }
        let found = ReadyFootage(file)
        ready = movie.hasPlainLengths ? found : nil
        duration = found?.duration ?? movie.duration
        let clip = ClipTime.start(
            named: ClipTime.named(event.file, patterns: patterns), row: event.stamp, duration: duration ?? event.duration ?? 0)
        shift = clip.shift
        // What a file without a length has is told by reading it.
        let extent = duration ?? 3_600_000_000
        let wide = TimeRange(start: clip.start, end: clip.start.advanced(byMicroseconds: extent + FootageGaps.slack))
        let covered = try blockingWait { try await store.imports.covered(camera, wide) }
        start = FootageGaps.settled(clip.start, covered: covered)
        let range = TimeRange(start: start, end: start.advanced(byMicroseconds: extent))
        gaps = FootageGaps.of(range, covered: covered)
        isWhole = ready != nil && gaps == [range]
    }
}
