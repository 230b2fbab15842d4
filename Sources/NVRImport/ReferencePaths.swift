package import NVRRecording

/// Where the files of the old installation are now: its database has the paths of its containers. Only what lies below a folder that somebody
/// named is ever opened, and no link is followed there.
package struct ReferencePaths: Sendable {
    /// A folder of the old installation and the one it is here.
    package struct Mapping: Sendable, Hashable {
        package var from: String
        package var to: String

        package init(from: String, to: String) {
            self.from = from
            self.to = to
        }

        /// `FROM=TO`, both absolute, or a server's `sftp://NUMBER=TO`; nil for anything else.
        package init?(_ text: String) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, parts[0].hasPrefix("/") || parts[0].hasPrefix("sftp://"), parts[1].hasPrefix("/"), !text.utf8.contains(0) else {
                return nil
            }
            self.init(from: Self.plain(parts[0]), to: Self.plain(parts[1]))
        }

        private static func plain(_ path: String) -> String {
            var path = path
            while path.count > 1, path.hasSuffix("/") { path.removeLast() }
            return path
        }
    }

    /// A file: the folder that somebody named, and the path below it.
    package struct Place: Sendable, Hashable {
        package var root: String
        package var path: String

        package init(root: String, path: String) {
            self.root = root
            self.path = path
        }
    }

    /// Why a path is not opened, for a person.
    package enum Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        case unmapped
        case remote
        case escapes
        case missing
        case isLink
        case failed(String)

        package var description: String {
            switch self {
            case .unmapped: "its path is in none of the folders that were given; name its folder with --map"
            case .remote: "it lies on an SFTP server: fetch it first and name its folder with --map sftp://NUMBER=/folder"
            case .escapes: "its path leads out of the folders that were given"
            case .missing: "its file is not there"
            case .isLink: "its path leads through a symbolic link; name the folder behind it with --map"
            case .failed(let reason): reason
            }
        }
    }

    /// The folders by which the containers of VibeNVR know the one folder of recordings.
    private static let recordingFolders = ["/var/lib/vibe/recordings", "/var/lib/motion", "/data"]

    private let mappings: [Mapping]

    /// `recordings`: the folder of the old recordings here. Of `mappings`, the one that fits most of a path counts.
    package init(recordings: String?, mappings: [Mapping]) {
        let standard = recordings.map { folder in Self.recordingFolders.map { Mapping(from: $0, to: folder) } } ?? []
        let named = Set(mappings.map(\.from))
        self.mappings = (mappings + standard.filter { !named.contains($0.from) }).sorted { $0.from.utf8.count > $1.from.utf8.count }
    }

    /// Throws `Refusal`.
    package func place(_ path: String) throws(Refusal) -> Place {
        if path.hasPrefix("sftp://") {
            // What was fetched may be named by the whole of it.
            guard mappings.contains(where: { path.hasPrefix($0.from + "/") }) else { throw .remote }
        }
        guard path.utf8.count <= 4096, !path.utf8.contains(0) else { throw .escapes }
        guard let mapping = mappings.first(where: { path.hasPrefix($0.from == "/" ? "/" : $0.from + "/") }) else { throw .unmapped }
        let parts = path.dropFirst(mapping.from.count).split(separator: "/")
        guard !parts.isEmpty, parts.count <= 64, parts.allSatisfy({ $0 != "." && $0 != ".." }) else { throw .escapes }
        return Place(root: mapping.to, path: parts.joined(separator: "/"))
    }

    /// A folder of the old installation as it is here; nil when nobody named one for it.
    package func folder(_ path: String) -> String? {
        guard let mapping = mappings.first(where: { path == $0.from || path.hasPrefix($0.from == "/" ? "/" : $0.from + "/") }) else { return nil }
        let rest = path.dropFirst(mapping.from.count)
        guard !rest.split(separator: "/").contains("..") else { return nil }
        return mapping.to + rest
    }

    /// Opens a file for reading. Throws `Refusal`. Blocks.
    package func open(_ path: String) throws(Refusal) -> POSIXFile {
        let place = try place(path)
        do throws(FileError) {
            return try POSIXFile.openPlain(place.path, below: place.root)
        } catch {
            if error.isMissing { throw .missing }
            throw error.isLink ? .isLink : .failed("it cannot be opened: \(error.reason)")
        }
    }
}
