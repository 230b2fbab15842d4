#if canImport(Glibc)
    import Glibc
#endif
package import NVRModel

/// The only place that knows how files of footage are named: `{camera id}/{pattern}.{extension}` below the folder of a volume.
package struct RecordingLayout: Sendable {
    /// Where the folders are.
    package let volumes: Volumes

    package init(volumes: Volumes) { self.volumes = volumes }

    /// With the default folder alone.
    package init(root: String, cipher: FootageCipher = FootageCipher()) { volumes = Volumes(root: root, cipher: cipher) }

    package var cipher: FootageCipher { volumes.cipher }

    /// Absolute path of the default folder for recordings, without a slash at its end.
    package var root: String { volumes.root }

    /// The absolute path of a relative one in the default folder.
    package func absolute(_ relative: String) -> String { "\(root)/\(relative)" }

    /// The absolute path of a file. Throws `unavailable` when its volume is not to be used now.
    package func absolute(_ place: FootagePlace) throws -> String { try volumes.file(place) }

    /// A relative path for a file that begins at `time`, in the server's time zone.
    ///
    /// - Parameters:
    ///   - pattern: `movie_file_name` or `picture_file_name`: strftime letters, `%q` a number within the second, `%v` an event number.
    ///   - attempt: 0 first; higher numbers give other names when a file of that name is there.
    package func path(camera: ID<Camera>, pattern: String, time: WallTime, fileExtension: String, attempt: Int) -> String {
        var name = Self.expand(pattern, camera: camera, time: time, number: attempt)
        if attempt >= Self.plainNames {
            name += "-\(time.microseconds)-\(attempt)"
        } else if attempt > 0, !pattern.contains("%q") {
            name += "-\(attempt)"
        }
        return "\(camera)/\(name).\(fileExtension)"
    }

    /// Attempts after which a name also tells the microsecond, so that a pattern without a time never runs out of names.
    static let plainNames = 20
    /// Bytes of one part of a path at most: file systems take 255, and room is left for numbers and endings.
    private static let longestPart = 180
    /// Letters that mean what they mean in strftime(3).
    private static let standardLetters: Set<Character> = [
        "C", "e", "b", "B", "h", "a", "A", "u", "w", "U", "V", "W", "G", "g", "k", "l", "P", "Z", "F", "T", "R",
    ]

    /// Replaces the pattern's letters (`FilePattern.specifiers`); unknown ones stay as they are. Nothing that climbs out of a folder
    /// survives, and no part is longer than file systems take.
    private static func expand(_ pattern: String, camera: ID<Camera>, time: WallTime, number: Int) -> String {
        var seconds = time_t(time.microseconds / 1_000_000 - (time.microseconds % 1_000_000 < 0 ? 1 : 0))
        var local = tm()
        localtime_r(&seconds, &local)
        func padded(_ value: Int32, _ width: Int = 2) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        var output = ""
        var characters = pattern.makeIterator()
        while let character = characters.next() {
            guard character == "%" else {
                output.append(plain(character))
                continue
            }
            switch characters.next() {
            case "Y": output += padded(local.tm_year + 1900, 4)
            case "y": output += padded((local.tm_year + 1900) % 100)
            case "m": output += padded(local.tm_mon + 1)
            case "d": output += padded(local.tm_mday)
            case "H": output += padded(local.tm_hour)
            case "I": output += padded((local.tm_hour + 11) % 12 + 1)
            case "M": output += padded(local.tm_min)
            case "S": output += padded(local.tm_sec)
            case "p": output += local.tm_hour < 12 ? "AM" : "PM"
            case "j": output += padded(local.tm_yday + 1, 3)
            case "q", "v": output += padded(Int32(clamping: number))
            case "s": output += String(seconds)
            case "t": output += String(camera.rawValue)
            case "f":
                let digits = String((time.microseconds % 1_000_000 + 1_000_000) % 1_000_000)
                output += String(repeating: "0", count: 6 - digits.count) + digits
            case "z":
                let offset = local.tm_gmtoff / 60
                output += (offset < 0 ? "-" : "+") + padded(Int32(abs(offset) / 60)) + padded(Int32(abs(offset) % 60))
            case "%": output += "%"
            case .some(let letter) where standardLetters.contains(letter): output += standard(letter, &local)
            case .some(let other): output += "%\(plain(other))"
            case nil: output += "%"
            }
        }
        let parts = output.split(separator: "/").filter { $0 != "." && $0 != ".." }
        return parts.isEmpty ? "recording" : parts.map(shortened).joined(separator: "/")
    }

    /// One letter as strftime(3) writes it in the C locale.
    private static func standard(_ letter: Character, _ time: inout tm) -> String {
        var buffer = [CChar](repeating: 0, count: 64)
        let count = strftime(&buffer, buffer.count, "%\(letter)", &time)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func plain(_ character: Character) -> Character { character == "\0" || character == "\\" ? "_" : character }

    private static func shortened(_ part: Substring) -> Substring {
        var part = part
        while part.utf8.count > longestPart { part.removeLast() }
        return part
    }
}

/// What a segment file says about itself in a `uuid` box, so that footage can be listed again when the database is lost.
package struct SegmentIdentity: Sendable, Equatable {
    /// The extended type of the box: 16 bytes chosen for this product.
    package static let boxType: [UInt8] = [
        0x76, 0x69, 0x62, 0x65, 0x6E, 0x76, 0x72, 0x2D, 0x73, 0x65, 0x67, 0x6D, 0x65, 0x6E, 0x74, 0x31,
    ]

    package var cameraID: ID<Camera>
    package var role: StreamRole
    package var run: Int64
    package var start: WallTime

    package init(cameraID: ID<Camera>, role: StreamRole, run: Int64, start: WallTime) {
        self.cameraID = cameraID
        self.role = role
        self.run = run
        self.start = start
    }

    /// `camera=1;stream=main;run=…;start_us=…` as ASCII.
    package var payload: [UInt8] {
        Array("camera=\(cameraID);stream=\(role.rawValue);run=\(run);start_us=\(start.microseconds)".utf8)
    }

    package init?(payload: [UInt8]) {
        guard payload.count < 512 else { return nil }
        var fields: [Substring: Substring] = [:]
        let text = String(decoding: payload, as: UTF8.self)
        for part in text.split(separator: ";") {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { fields[pair[0]] = pair[1] }
        }
        guard let camera = fields["camera"].flatMap({ Int64($0) }), let role = fields["stream"].flatMap({ StreamRole(rawValue: String($0)) }),
            let run = fields["run"].flatMap({ Int64($0) }), let start = fields["start_us"].flatMap({ Int64($0) })
        else { return nil }
        self.init(cameraID: ID(camera), role: role, run: run, start: WallTime(microseconds: start))
    }
}
