import Crypto
package import NVRBase
import NVRModel
import Zlib

/// Checks a signed export, from anybody, without a data folder: that every byte of it is as it was when it was signed, and by which key.
/// Blocks.
package enum EvidenceCheck {
    /// What an export that is sound says of itself.
    package struct Report: Sendable, Equatable {
        package struct File: Sendable, Equatable {
            package var name: String
            /// Bytes.
            package var size: Int64
            package var sha256: String
            package var camera: String
            /// ISO 8601 in UTC.
            package var start: String
            package var end: String
        }

        package var files: [File]
        package var exportedAt: String
        package var exportedBy: String
        package var instance: String
        package var version: String
        /// SHA-256 of the key that the signature was checked with.
        package var fingerprint: String
    }

    private static let mostManifestBytes: Int64 = 64 << 20
    /// Bytes read at a time.
    private static let chunk = 1 << 20

    /// - Parameter key: who has to have signed it; nil takes the key in the archive, which anybody may have put there.
    /// - Throws: `invalid` with what is wrong, or what `read` throws.
    package static func check(length: Int64, key: EvidencePublicKey?, _ read: ZipArchive.Read) throws -> Report {
        let (zip, checksums) = try ZipArchive.read(length: length, read)
        let names = zip.entries.map(\.name)
        let closing = [EvidenceManifest.fileName, EvidenceManifest.signatureName, EvidenceManifest.keyName]
        guard names.suffix(closing.count).elementsEqual(closing) else {
            throw NVRError(.invalid, "this is no signed export: \(EvidenceManifest.fileName) and its signature are missing")
        }
        func small(_ name: String) throws -> [UInt8] {
            guard let index = names.firstIndex(of: name), zip.entries[index].size <= mostManifestBytes else {
                throw NVRError(.invalid, "\(name) is missing or too large")
            }
            let bytes = try read(zip.contentOffset(of: index), Int(zip.entries[index].size))
            guard bytes.count == Int(zip.entries[index].size), CRC32.of(bytes) == checksums[index] else {
                throw NVRError(.invalid, "\(name) was changed: its checksum is another")
            }
            return bytes
        }
        let manifest = try small(EvidenceManifest.fileName)
        let signature = try small(EvidenceManifest.signatureName)
        let enclosed = try EvidencePublicKey(pem: String(decoding: try small(EvidenceManifest.keyName), as: UTF8.self))
        let signer = key ?? enclosed
        guard signer.fingerprint == enclosed.fingerprint else {
            throw NVRError(.invalid, "it was signed with another key: \(enclosed.fingerprint)")
        }
        guard signer.isSignature(signature, of: manifest) else {
            throw NVRError(.invalid, "the signature does not belong to \(EvidenceManifest.fileName)")
        }
        var report = try report(of: manifest, fingerprint: signer.fingerprint)
        guard report.files.map(\.name) == names.dropLast(closing.count).map({ $0 }) else {
            throw NVRError(.invalid, "the archive holds other files than the manifest names")
        }
        for index in report.files.indices {
            let file = report.files[index]
            guard zip.entries[index].size == file.size else { throw NVRError(.invalid, "\(file.name) has another length") }
            let (sum, hash) = try sums(of: zip.contentOffset(of: index), file.size, read)
            guard hash == file.sha256 else { throw NVRError(.invalid, "\(file.name) was changed: its SHA-256 is \(hash), not \(file.sha256)") }
            guard sum == checksums[index] else { throw NVRError(.invalid, "\(file.name): the checksum of the archive was changed") }
            report.files[index] = file
        }
        return report
    }

    private static func sums(of offset: Int64, _ size: Int64, _ read: ZipArchive.Read) throws -> (crc: UInt32, sha256: String) {
        var (crc, hash, done) = (CRC32(), SHA256(), Int64(0))
        while done < size {
            let bytes = try read(offset + done, Int(min(Int64(chunk), size - done)))
            guard !bytes.isEmpty else { throw NVRError(.invalid, "the archive is shorter than it was") }
            crc.update(bytes)
            hash.update(data: bytes)
            done += Int64(bytes.count)
        }
        return (crc.value, hexadecimal(Array(hash.finalize())))
    }

    /// Reads the manifest, whose signature is good: what is missing in it was never there.
    private static func report(of bytes: [UInt8], fingerprint: String) throws -> Report {
        let refusal = NVRError(.invalid, "the manifest cannot be read: it may come from a newer version of this program")
        guard let manifest = try? JSONValue(parsing: bytes), manifest["format"]?.string == EvidenceManifest.format,
            manifest["format_version"] == .integer(EvidenceManifest.formatVersion), let listed = manifest["files"]?.array,
            manifest["key"]?["fingerprint_sha256"]?.string == fingerprint
        else { throw refusal }
        let files = try listed.map { entry in
            guard let name = entry["name"]?.string, case .integer(let size)? = entry["size"], let hash = entry["sha256"]?.string else {
                throw refusal
            }
            return Report.File(
                name: name, size: size, sha256: hash, camera: entry["camera"]?["name"]?.string ?? "", start: entry["start"]?.string ?? "",
                end: entry["end"]?.string ?? "")
        }
        return Report(
            files: files, exportedAt: manifest["exported_at"]?.string ?? "", exportedBy: manifest["exported_by"]?["username"]?.string ?? "",
            instance: manifest["instance"]?.string ?? "", version: manifest["version"]?.string ?? "", fingerprint: fingerprint)
    }
}

extension EvidenceCheck {
    /// Checks the file at a path. Throws `unavailable` when it cannot be opened, and as `check(length:key:_:)` does.
    package static func check(path: String, key: EvidencePublicKey?) throws -> Report {
        let file: POSIXFile
        do { file = try POSIXFile.openExisting(path) } catch { throw NVRError(.unavailable, "\(error)", underlying: nil) }
        return try check(length: try file.length(), key: key) { try file.read(at: $0, count: $1) }
    }
}
