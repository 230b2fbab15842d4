import NVRModel
import NVRStore

#if canImport(Glibc)
    import Glibc
#endif

/// A point of time that tests count from, and steps after it in seconds.
func at(_ seconds: Double) -> WallTime { WallTime(microseconds: 1_700_000_000_000_000 + Int64(seconds * 1_000_000)) }

func range(_ start: Double, _ end: Double) -> TimeRange { TimeRange(start: at(start), end: at(end)) }

let cameraA = ID<Camera>(1)
let cameraB = ID<Camera>(2)

func draft(_ camera: ID<Camera>, _ start: Double, role: StreamRole = .main, path: String? = nil) -> Segment {
    Segment(
        id: ID(0), cameraID: camera, role: role, run: 1, path: path ?? "\(camera)/\(role.rawValue)/\(start).mp4", start: at(start),
        end: at(start), bytes: 0, state: .intended, width: 1920, height: 1080, codecs: "avc1.640028", initLength: 0, timescale: 90_000,
        index: [])
}

extension SegmentStore {
    /// A finished segment.
    func make(
        _ camera: ID<Camera>, _ start: Double, _ end: Double, bytes: Int64 = 100, role: StreamRole = .main, isContinuous: Bool = false
    ) async throws -> ID<Segment> {
        let id = try await intend(draft(camera, start, role: role), isContinuous: isContinuous)
        _ = try await begin(id, end: at(start), bytes: 10, initLength: 10)
        try await finish(id, SegmentClosing(end: at(end), bytes: bytes, index: [1, 2, 3]))
        return id
    }
}

extension Event {
    static func draft(
        _ camera: ID<Camera>, _ start: Double, _ end: Double? = nil, medium: Medium = .video, kind: Kind = .motion, picture: String? = nil,
        thumbnail: String? = nil, bytes: Int64? = nil
    ) -> Event {
        Event(
            id: ID(0), cameraID: camera, medium: medium, kind: kind, start: at(start), end: end.map { at($0) }, picturePath: picture,
            thumbnailPath: thumbnail, bytes: bytes)
    }
}

/// A folder that is removed with its files when the test ends.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/nvrstore-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return "/tmp" }
            return String(cString: made)
        }
    }

    deinit {
        for name in ["nvr.db", "nvr.db-wal", "nvr.db-shm", "secret-box.key"] { unlink(path + "/" + name) }
        rmdir(path)
    }
}
