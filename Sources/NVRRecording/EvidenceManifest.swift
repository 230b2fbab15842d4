import NVRBase
import NVRModel

#if canImport(Glibc)
    import Glibc
#endif

/// What a signed export says of itself: `manifest.json`, as canonical JSON (RFC 8785: members sorted, no spaces), of the same length
/// whatever the checksums are.
package struct EvidenceManifest: Sendable {
    package static let format = "vibenvr-evidence"
    package static let formatVersion: Int64 = 1
    package static let fileName = "manifest.json"
    package static let signatureName = "manifest.sig"
    package static let keyName = "public-key.pem"

    /// One movie of the export.
    struct File: Sendable {
        var name: String
        var size: Int64
        var camera: ID<Camera>
        var cameraName: String
        var excerpt: FootageExcerpt
    }

    var version: String
    var instance: String
    var exportedAt: WallTime
    var exportedBy: ExportRequest.Person
    var range: TimeRange
    var isExact: Bool
    var files: [File]
    /// Cameras that have no footage of the range.
    var missing: [ExportRequest.Subject]
    var fingerprint: String

    /// Hexadecimal SHA-256 of each file in the place of `hashes`.
    func bytes(hashes: [String]) -> [UInt8] {
        let value: JSONValue = [
            "cameras_without_footage": .array(missing.map { ["id": .integer($0.camera.rawValue), "name": .string($0.name)] }),
            "exported_at": .string(exportedAt.iso8601),
            "exported_by": ["id": .integer(exportedBy.id.rawValue), "username": .string(exportedBy.name), "via": .string(exportedBy.via)],
            "files": .array(zip(files, hashes).map(Self.json)), "format": .string(Self.format),
            "format_version": .integer(Self.formatVersion), "instance": .string(instance),
            "key": ["algorithm": "Ed25519", "fingerprint_sha256": .string(fingerprint)], "product": "VibeNVR",
            "requested": [
                "end": .string(range.end.iso8601), "exact": .bool(isExact), "start": .string(range.start.iso8601),
            ], "version": .string(version),
        ]
        return value.serializedBytes()
    }

    private static func json(_ file: File, _ hash: String) -> JSONValue {
        [
            "camera": ["id": .integer(file.camera.rawValue), "name": .string(file.cameraName)],
            "codecs": .array(Set(file.excerpt.sources.map(\.codecs)).sorted().map(JSONValue.string)),
            "end": .string(file.excerpt.range.end.iso8601), "end_local": .string(LocalTime.text(file.excerpt.range.end)),
            "height": JSONValue(file.excerpt.sources.last?.height), "name": .string(file.name),
            "segments": .array(
                file.excerpt.sources.map { source in
                    [
                        "end": .string(source.range.end.iso8601), "id": .integer(source.id.rawValue), "path": .string(source.path),
                        "run": .integer(source.run), "start": .string(source.range.start.iso8601), "stream": .string(source.role.rawValue),
                    ]
                }),
            "sha256": .string(hash), "size": .integer(file.size), "start": .string(file.excerpt.range.start.iso8601),
            "start_local": .string(LocalTime.text(file.excerpt.range.start)), "width": JSONValue(file.excerpt.sources.last?.width),
        ]
    }
}

/// Times as the clocks on the server's wall show them (environment `TZ`).
enum LocalTime {
    static func fields(_ time: WallTime) -> tm {
        var seconds = time_t(time.microseconds / 1_000_000)
        var fields = tm()
        // Fails only for years that no row holds; the zeroed fields are then harmless.
        _ = localtime_r(&seconds, &fields)
        return fields
    }

    /// As archives write it.
    static func moment(_ time: WallTime) -> ZipArchive.Moment {
        let local = fields(time)
        return ZipArchive.Moment(
            year: Int(local.tm_year) + 1900, month: Int(local.tm_mon) + 1, day: Int(local.tm_mday), hour: Int(local.tm_hour),
            minute: Int(local.tm_min), second: Int(local.tm_sec))
    }

    /// `2026-11-28T13:00:00+01:00`.
    static func text(_ time: WallTime) -> String {
        let local = fields(time)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let offset = local.tm_gmtoff / 60
        let date = "\(Int(local.tm_year) + 1900)-\(two(Int(local.tm_mon) + 1))-\(two(Int(local.tm_mday)))"
        let clock = "\(two(Int(local.tm_hour))):\(two(Int(local.tm_min))):\(two(Int(local.tm_sec)))"
        return "\(date)T\(clock)\(offset < 0 ? "-" : "+")\(two(abs(offset) / 60)):\(two(abs(offset) % 60))"
    }
}
