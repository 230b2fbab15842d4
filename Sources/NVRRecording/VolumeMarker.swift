#if canImport(Glibc)
    import Glibc
#endif
package import NVRModel

/// What the file `.vibenvr-volume` in the folder of a storage profile says: to whom the folder belongs. A mount point without its volume has
/// none, and another volume another one.
package struct VolumeMarker: Sendable, Hashable {
    package static let fileName = ".vibenvr-volume"
    /// Bytes of the file that are looked at.
    private static let most = 1024

    /// The random name of the installation.
    package var instance: String
    package var volume: VolumeID

    package init(instance: String, volume: VolumeID) {
        self.instance = instance
        self.volume = volume
    }

    /// `key=value` lines.
    package var text: String { "vibenvr-volume=1\ninstance=\(instance)\nprofile=\(volume)\n" }

    package init?(text: String) {
        var fields: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let pair = line.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { fields[pair[0]] = pair[1] }
        }
        guard fields["vibenvr-volume"] == "1", let instance = fields["instance"], !instance.isEmpty,
            let volume = fields["profile"].flatMap({ Int64($0) })
        else { return nil }
        self.init(instance: String(instance), volume: VolumeID(rawValue: volume))
    }

    /// What a look into a folder found.
    package enum Look: Sendable, Hashable {
        case found(VolumeMarker)
        /// The folder is there, without a marker.
        case bare
        /// There is a marker that makes no sense.
        case unreadable
        /// The folder is not there, or the system says why it cannot be looked at.
        case failed(String)
    }

    /// Looks for the marker of a folder. Blocks.
    package static func look(in folder: String) -> Look {
        var status = stat()
        guard stat(folder, &status) == 0 else { return .failed(errno == ENOENT ? "its folder is not there" : String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFDIR else { return .failed("it is not a folder") }
        do {
            let file = try POSIXFile.openExisting("\(folder)/\(fileName)")
            let bytes = try file.read(at: 0, count: most)
            guard let marker = VolumeMarker(text: String(decoding: bytes, as: UTF8.self)) else { return .unreadable }
            return .found(marker)
        } catch {
            return error.isMissing ? .bare : .failed(error.systemText)
        }
    }

    /// Puts the marker into a folder that has none: whole or not at all, and on the disk when it returns. Blocks.
    package func write(in folder: String) throws(FileError) {
        let path = "\(folder)/\(Self.fileName)"
        let draft = path + ".part"
        try POSIXFile.remove(draft)
        let file = try POSIXFile.create(draft)
        var failure: FileError?
        Array(text.utf8).withUnsafeBytes { bytes in
            do throws(FileError) { try file.write([bytes], at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.sync()
        try POSIXFile.rename(draft, to: path)
        try POSIXFile.syncDirectory(folder)
    }
}
