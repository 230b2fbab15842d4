import Crypto
import NVRBase
package import NVRModel
import Zlib

/// What somebody wants to take away.
package struct ExportRequest: Sendable {
    /// A camera, or an event of it, and what its file is to be called.
    package struct Subject: Sendable, Equatable {
        package var camera: ID<Camera>
        package var name: String
        package var fileName: String
        /// What is wanted of the camera in place of the range of the request.
        package var event: Event?

        package init(camera: ID<Camera>, name: String, fileName: String, event: Event? = nil) {
            self.camera = camera
            self.name = name
            self.fileName = fileName
            self.event = event
        }
    }

    /// Who takes it.
    package struct Person: Sendable, Equatable {
        package var id: ID<User>
        package var name: String
        /// By what they were recognised.
        package var via: String

        package init(id: ID<User>, name: String, via: String) {
            self.id = id
            self.name = name
            self.via = via
        }
    }

    package var subjects: [Subject]
    package var range: TimeRange
    /// Begin and end on the frame.
    package var isExact: Bool
    /// With a manifest and a signature.
    package var isSigned: Bool
    package var person: Person
    /// Of the archive.
    package var fileName: String

    package init(subjects: [Subject], range: TimeRange, isExact: Bool, isSigned: Bool, person: Person, fileName: String) {
        self.subjects = subjects
        self.range = range
        self.isExact = isExact
        self.isSigned = isSigned
        self.person = person
        self.fileName = fileName
    }
}

/// A ZIP of movies that exists only as a plan: its length is known, its bytes are made while they are read, once, from the beginning
/// to the end. A signed one ends with the manifest, whose checksums come from the bytes that were handed out before it.
package struct ExportArchive: Sendable {
    /// Bytes.
    package var length: Int64 { zip.totalLength }
    package let fileName: String
    /// On which volumes the movies lie.
    package var volumes: Set<VolumeID> { movies.reduce(into: []) { $0.formUnion($1.volumes) } }
    private let zip: ZipArchive
    private let movies: [StoredMedia]
    private let closing: Closing

    /// What follows the movies.
    private enum Closing: Sendable {
        case nothing
        /// `missing.txt`.
        case note([UInt8])
        case evidence(EvidenceManifest, EvidenceKey)
    }

    /// `movies`: one for each of `subjects`, which have names that differ.
    init(
        _ movies: [(subject: ExportRequest.Subject, media: StoredMedia)], missing: [ExportRequest.Subject], of request: ExportRequest,
        at time: WallTime, signing: (manifest: EvidenceManifest, key: EvidenceKey)?
    ) throws {
        self.movies = movies.map(\.media)
        fileName = request.fileName
        var entries = movies.map { ZipArchive.Entry(name: $0.subject.fileName, size: $0.media.length, isStreamed: true) }
        if let signing {
            closing = .evidence(signing.manifest, signing.key)
            let blank = signing.manifest.bytes(hashes: movies.map { _ in String(repeating: "0", count: 64) })
            for (name, size) in [
                (EvidenceManifest.fileName, blank.count), (EvidenceManifest.signatureName, 64),
                (EvidenceManifest.keyName, signing.key.publicKey.pem.utf8.count),
            ] { entries.append(ZipArchive.Entry(name: name, size: Int64(size), isStreamed: false)) }
        } else if !missing.isEmpty {
            let text = "No footage of the time from \(request.range.start.iso8601) to \(request.range.end.iso8601):\r\n"
            let note = Array((text + missing.map(Self.line).joined()).utf8)
            closing = .note(note)
            entries.append(ZipArchive.Entry(name: "missing.txt", size: Int64(note.count), isStreamed: false))
        } else {
            closing = .nothing
        }
        zip = try ZipArchive(entries, modified: LocalTime.moment(time))
    }

    private static func line(_ subject: ExportRequest.Subject) -> String {
        "\(subject.name) (camera \(subject.camera)\(subject.event.map { ", event \($0.id)" } ?? ""))\r\n"
    }

    package func reader() -> Reader { Reader(archive: self) }

    /// How far somebody has read. Reading blocks.
    package struct Reader: Sendable {
        private let archive: ExportArchive
        private var entry = 0
        /// In the bytes of the entry; nil before its header.
        private var offset: Int64?
        private var checksum = CRC32()
        private var hash = SHA256()
        private var checksums: [UInt32] = []
        private var hashes: [String] = []
        private var isFinished = false

        fileprivate init(archive: ExportArchive) { self.archive = archive }

        /// The next bytes, about `count` of a movie; empty at the end. Throws when footage was deleted or cut off underneath.
        package mutating func next(_ count: Int) throws -> [UInt8] {
            guard entry < archive.movies.count else {
                guard !isFinished else { return [] }
                isFinished = true
                return try ending()
            }
            guard let place = offset else {
                offset = 0
                return archive.zip.header(of: entry, checksum: 0)
            }
            let media = archive.movies[entry]
            if place < media.length {
                let bytes = try media.read(offset: place, count: count)
                guard !bytes.isEmpty else { throw NVRError(.dataLoss, "the footage became shorter while it was exported") }
                checksum.update(bytes)
                if case .evidence = archive.closing { hash.update(data: bytes) }
                offset = place + Int64(bytes.count)
                return bytes
            }
            let descriptor = archive.zip.descriptor(of: entry, checksum: checksum.value)
            checksums.append(checksum.value)
            if case .evidence = archive.closing { hashes.append(hexadecimal(Array(hash.finalize()))) }
            (checksum, hash, offset) = (CRC32(), SHA256(), nil)
            entry += 1
            return descriptor
        }

        /// The small files behind the movies and the directory.
        private mutating func ending() throws -> [UInt8] {
            var contents: [[UInt8]] = []
            switch archive.closing {
            case .nothing: break
            case .note(let text): contents = [text]
            case .evidence(let manifest, let key):
                let bytes = manifest.bytes(hashes: hashes)
                contents = [bytes, try key.signature(of: bytes), Array(key.publicKey.pem.utf8)]
            }
            var output: [UInt8] = []
            for (index, content) in contents.enumerated() {
                let sum = CRC32.of(content)
                checksums.append(sum)
                output += archive.zip.header(of: archive.movies.count + index, checksum: sum) + content
            }
            return output + archive.zip.directory(checksums: checksums)
        }
    }
}
