import ArgumentParser
#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import NVRRecording

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a signed export: that nothing in it was changed, and who signed it.",
        discussion: """
            Works anywhere, without a server and its data. Ends with code 1 when anything differs. Without --key, the key inside the archive \
            is taken: then compare its fingerprint with the one of your server (GET /exports/public-key), or anybody could have signed it.
            """)

    @Argument(help: "The .zip of an export with a manifest.") var file: String

    @Option(name: .long, help: "PEM file of the public key that has to have signed it.")
    var key: String?

    mutating func run() throws {
        do {
            let expected = try key.map { try Self.readKey($0) }
            let report = try EvidenceCheck.check(path: try absolutePath(file), key: expected)
            for file in report.files {
                say("ok       \(Self.plain(file.name)): \(file.size) bytes, SHA-256 \(Self.plain(file.sha256))")
                say("         camera \(Self.plain(file.camera)), \(Self.plain(file.start)) to \(Self.plain(file.end))")
            }
            say(
                "ok       manifest: exported by \(Self.plain(report.exportedBy)) at \(Self.plain(report.exportedAt)),"
                    + " server \(Self.plain(report.instance)), version \(Self.plain(report.version))")
            say("ok       signature: Ed25519, key \(report.fingerprint)" + (expected == nil ? " (the one in the archive)" : " (the one given)"))
        } catch let error as NVRError where error.kind == .unavailable {
            throw StartFailure(message: "\(file) cannot be read: \(error.message)")
        } catch let error as NVRError {
            say("CHANGED  \(Self.plain(file)): \(Self.plain(error.message))")
            throw ExitCode.failure
        } catch let error as FileError {
            throw StartFailure(message: "\(error)")
        }
    }

    private static func readKey(_ path: String) throws -> EvidencePublicKey {
        let file = try POSIXFile.openExisting(try absolutePath(path))
        return try EvidencePublicKey(pem: String(decoding: try file.read(at: 0, count: 4096), as: UTF8.self))
    }

    /// Without what could steer a terminal: names come from whoever made the archive.
    private static func plain(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : $0 }))
    }
}
