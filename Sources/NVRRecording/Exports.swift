package import NVRBase
import NVRModel
package import NVRStore

/// Makes archives of footage to take away. Any task may use it.
package struct Exports: Sendable {
    private let playback: Playback
    private let store: Store
    private let key: EvidenceKey
    private let version: String
    private let clock: any NVRClock

    /// `version`: of the program, for the manifest.
    package init(playback: Playback, store: Store, key: EvidenceKey, version: String, clock: any NVRClock) {
        self.playback = playback
        self.store = store
        self.key = key
        self.version = version
        self.clock = clock
    }

    package var publicKey: EvidencePublicKey { key.publicKey }

    /// The archive of a request: one movie for each camera that has footage of the range, or for each event. Throws `notFound` when none has any, and
    /// `exhausted` when a camera's footage is in too many pieces for one file.
    package func archive(_ request: ExportRequest) async throws -> ExportArchive {
        var found: [(subject: ExportRequest.Subject, media: StoredMedia)] = []
        var missing: [ExportRequest.Subject] = []
        var names: Set<String> = []
        for var subject in request.subjects {
            do {
                let media = try await media(of: subject, request)
                subject.fileName = Self.unique(Self.safe(subject.fileName), subject, &names)
                found.append((subject, media))
            } catch let error as NVRError where error.kind == .notFound {
                missing.append(subject)
            }
        }
        guard !found.isEmpty else { throw NVRError(.notFound, "there is no footage of this time") }
        let now = WallTime(microseconds: clock.wall())
        guard request.isSigned else { return try ExportArchive(found, missing: missing, of: request, at: now, signing: nil) }
        let manifest = EvidenceManifest(
            version: version, instance: try await store.settings.values()[Settings.instanceID], exportedAt: now, exportedBy: request.person,
            range: request.range,
            isExact: request.isExact,
            files: found.map { subject, media in
                EvidenceManifest.File(
                    name: subject.fileName, size: media.length, camera: subject.camera, cameraName: subject.name,
                    excerpt: media.excerpt ?? FootageExcerpt(range: request.range, sources: []))
            }, missing: missing, fingerprint: key.publicKey.fingerprint)
        return try ExportArchive(found, missing: missing, of: request, at: now, signing: (manifest, key))
    }

    private func media(of subject: ExportRequest.Subject, _ request: ExportRequest) async throws -> StoredMedia {
        guard let event = subject.event else {
            return try await playback.export(subject.camera, request.range, isExact: request.isExact, fileName: subject.fileName)
        }
        guard event.medium == .video else { return try await playback.video(of: event) }
        return try await playback.export(
            subject.camera, try await playback.range(of: event), isExact: request.isExact, fileName: subject.fileName)
    }

    /// A name that every system can unpack: no folders, no devices, no marks that some shells or systems refuse.
    private static func safe(_ name: String) -> String {
        var text = ""
        for scalar in name.unicodeScalars {
            let isBad = scalar.value < 0x20 || scalar.value == 0x7F || "/\\:*?\"<>|".unicodeScalars.contains(scalar)
            text.unicodeScalars.append(isBad ? "_" : scalar)
        }
        while text.hasPrefix(".") || text.hasPrefix(" ") { text.removeFirst() }
        // The end tells what kind of file it is.
        let end = text.suffix(32)
        while text.utf8.count > 160, text.count > 32 { text = String(text.dropLast(33)) + end }
        return text.isEmpty ? "footage.mp4" : text
    }

    private static func unique(_ name: String, _ subject: ExportRequest.Subject, _ names: inout Set<String>) -> String {
        // Systems that see no difference between cases unpack into one file.
        if names.insert(name.lowercased()).inserted { return name }
        let end = name.hasSuffix(".mp4") || name.hasSuffix(".jpg") ? String(name.suffix(4)) : ""
        let whose = subject.event.map { "event \($0.id)" } ?? "camera \(subject.camera)"
        let other = "\(name.dropLast(end.count)) (\(whose))\(end)"
        names.insert(other.lowercased())
        return other
    }
}
