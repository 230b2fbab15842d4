import HTTPTypes
import NIOCore
import NVRBase
import NVRModel
import Zlib

/// Cameras in uploaded files: JSON, or an archive of JSON files. Everything is read in memory; nothing of an archive reaches a disk.
enum CameraFiles {
    /// Bytes of an upload with its form around it.
    static let largestUpload = 9 << 20
    /// Bytes of one JSON file; a camera has about four thousand.
    private static let largestFile = 8 << 20
    private static let largestEntry = 1 << 20
    /// Bytes of a compressed archive when it is unpacked.
    private static let largestUnpacked = 32 << 20

    /// The cameras of a file. Throws a 400 for a file that holds none.
    static func candidates(in file: ByteBuffer, rules: CameraURL.Rules) throws -> [CameraTransfer.Candidate] {
        guard file.readableBytes <= largestFile else { throw HTTPFailure.bodyTooLarge }
        let bytes = Array(file.readableBytesView)
        var candidates: [CameraTransfer.Candidate] = []
        if TarArchive.isArchive(bytes) {
            let entries = try TarArchive.read(bytes, limits: .init(headers: 2 * CameraTransfer.mostCameras, entryBytes: largestEntry))
            for entry in entries where entry.name.hasSuffix(".json") {
                candidates += try read(entry.bytes, name: entry.name, rules, offset: candidates.count)
            }
        } else {
            candidates = try read(bytes, name: nil, rules, offset: 0)
        }
        guard candidates.count <= CameraTransfer.mostCameras else {
            throw HTTPFailure(.badRequest, "A file may hold at most \(CameraTransfer.mostCameras) cameras")
        }
        guard !candidates.isEmpty else { throw HTTPFailure(.badRequest, "The file holds no cameras") }
        return candidates
    }

    /// The cameras of a backup of motionEye: a compressed archive of its configuration, an archive, or one `camera-*.conf` alone.
    static func motionEye(in file: ByteBuffer, rules: CameraURL.Rules) throws -> [CameraTransfer.Candidate] {
        guard file.readableBytes <= largestFile else { throw HTTPFailure.bodyTooLarge }
        var bytes = Array(file.readableBytesView)
        if Gzip.isCompressed(bytes) {
            do {
                bytes = try Gzip.decompress(bytes, atMost: largestUnpacked)
            } catch {
                throw HTTPFailure(.badRequest, error == .tooLarge ? "The archive unpacks to too much" : "The archive is damaged")
            }
        }
        var texts: [[UInt8]] = [bytes]
        if TarArchive.isArchive(bytes) {
            let entries = try TarArchive.read(bytes, limits: .init(headers: 2 * CameraTransfer.mostCameras, entryBytes: largestFile))
            texts = entries.filter { MotionEyeCamera.isCamera($0.name) }.map(\.bytes)
        }
        let candidates = texts.compactMap { String(validating: $0, as: UTF8.self) }.map(MotionEyeCamera.exported)
        guard candidates.contains(where: { $0["rtsp_url"] != nil }), candidates.count <= CameraTransfer.mostCameras else {
            throw HTTPFailure(.badRequest, "The file holds no network cameras of motionEye")
        }
        return candidates.enumerated().map { CameraTransfer.candidate($1, rules: rules, place: $0) }
    }

    private static func read(_ bytes: [UInt8], name: String?, _ rules: CameraURL.Rules, offset: Int) throws -> [CameraTransfer.Candidate] {
        let document: JSONValue
        do {
            document = try JSONValue(parsing: bytes)
        } catch {
            throw HTTPFailure(.badRequest, "Invalid JSON file\(place(name)): \(error.message) at byte \(error.offset)")
        }
        guard let candidates = CameraTransfer.candidates(in: document, rules: rules, offset: offset) else {
            throw HTTPFailure(.badRequest, "The file\(place(name)) has neither 'camera' nor 'cameras'")
        }
        return candidates
    }

    private static func place(_ name: String?) -> String { name.map { " \($0.prefix(100))" } ?? "" }

    /// An archive of one file for each camera.
    static func archive(_ cameras: [(id: ID<Camera>, name: String, document: JSONValue)], at time: WallTime) -> [UInt8] {
        TarArchive.write(
            cameras.map { camera in
                TarArchive.Entry(
                    name: "camera-\(camera.id)-\(MediaPath.urlSafe(camera.name).prefix(60)).json",
                    bytes: Array(CameraTransfer.document(camera.document).serialized().utf8))
            }, modified: time.microseconds / 1_000_000)
    }
}
