import NVRRecording
package import NVRStore

/// What an import did, or would do.
package struct ImportReport: Sendable {
    /// Cameras, users and settings.
    package var configuration = RestoreReport()
    package var events = 0
    /// Events that were brought by an earlier run.
    package var eventsKnown = 0
    /// Segments that were written anew, linked, and copied as they were, and the bytes of each.
    package var written = 0
    package var writtenBytes: Int64 = 0
    package var linked = 0
    package var linkedBytes: Int64 = 0
    package var copied = 0
    package var copiedBytes: Int64 = 0
    /// Recordings of a time of which there was footage already.
    package var covered = 0
    package var pictures = 0
    /// What was found before anything was changed.
    package var space = ImportSpace()
    /// Recordings of codecs that nothing here records or plays, and their bytes.
    package private(set) var unplayable: [String: (count: Int, bytes: Int64)] = [:]
    /// What was left out by reason: how often, and the first places.
    package private(set) var leftOut: [String: (count: Int, places: [String])] = [:]
    /// Why it ended before its end.
    package var stopped: String?

    private static let mostPlaces = 5
    private static let mostReasons = 200

    package init() {}

    package mutating func noteUnplayable(_ codec: String, _ bytes: Int64) {
        let key = unplayable[codec] != nil || unplayable.count < Self.mostPlaces ? codec : "others"
        let entry = unplayable[key] ?? (0, 0)
        unplayable[key] = (entry.count + 1, entry.bytes + bytes)
    }

    package mutating func leaveOut(_ place: String, _ reason: String) {
        let key = leftOut[reason] != nil || leftOut.count < Self.mostReasons ? reason : "other reasons"
        var entry = leftOut[key] ?? (0, [])
        entry.count += 1
        if entry.places.count < Self.mostPlaces { entry.places.append(String(place.prefix(200))) }
        leftOut[key] = entry
    }

    /// Lines for a person. `isDry`: nothing was done.
    package func lines(isDry: Bool) -> [String] {
        var lines: [String] = []
        let verb = isDry ? "would be " : ""
        lines.append(
            "\(configuration.cameras) cameras, \(configuration.groups) groups, \(configuration.users) users, \(configuration.apiKeys) API keys, "
                + "\(configuration.storageProfiles) storage profiles, \(configuration.settings) settings \(verb)brought")
        lines.append("\(events) events \(verb)brought" + (eventsKnown > 0 ? ", \(eventsKnown) were here already" : ""))
        lines.append("\(written) recordings \(verb)written in this product's form (\(Self.size(writtenBytes)))")
        lines.append("\(linked) recordings \(verb)linked to the originals (\(Self.size(linkedBytes)))")
        if copied > 0 { lines.append("\(copied) recordings \(verb)copied as they are (\(Self.size(copiedBytes)))") }
        lines += space.lines(isDry: isDry)
        if pictures > 0 { lines.append("\(pictures) pictures \(verb)copied") }
        if covered > 0 { lines.append("\(covered) recordings were left out because there is other footage of their time") }
        if isDry { lines.append("of recordings of the same time an import keeps one, which is not counted here") }
        if linked > 0, !isDry {
            lines.append("linked recordings take no space of their own; deleting them frees none until the originals are deleted, too")
        }
        for (codec, entry) in unplayable.sorted(by: { $0.key < $1.key }) {
            lines.append(
                "\(entry.count) recordings (\(Self.size(entry.bytes))) \(isDry ? "would not be" : "were not") brought: their video is \(codec), "
                    + "which this product neither records nor plays; the files stay where they are, and other players open them")
        }
        for name in configuration.usersWithoutPassword {
            lines.append("user \(name): the password could not be taken over; set one with `vibenvr user reset-password`")
        }
        lines += configuration.warnings
        for (reason, entry) in leftOut.sorted(by: { ($1.value.count, $0.key) < ($0.value.count, $1.key) }) {
            let more = entry.count > entry.places.count ? ", …" : ""
            lines.append("left out, \(entry.count)×: \(reason) (\(entry.places.joined(separator: ", "))\(more))")
        }
        if let stopped { lines.append("stopped: \(stopped)") }
        // Names come from a database that somebody else made.
        return lines.map(Self.plain)
    }

    fileprivate static func size(_ bytes: Int64) -> String {
        let megabytes = Double(bytes) / 1_000_000
        return megabytes < 1000 ? "\((megabytes * 10).rounded() / 10) MB" : "\((megabytes / 100).rounded() / 10) GB"
    }

    /// Without what could steer a terminal.
    private static func plain(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : $0 }))
    }
}

extension ImportSpace {
    /// What is missing, and what can be done.
    var refusal: String {
        "up to \(ImportReport.size(bytes)) in \(files) files have to be written here, and \(ImportReport.size(max(0, usable))) may be: make room, "
            + "or bring what fits with --partial and the rest in a later run; nothing was changed"
    }

    /// Lines for a person.
    fileprivate func lines(isDry: Bool) -> [String] {
        var lines = obstacles.sorted { $0.key.rawValue < $1.key.rawValue }.map { obstacle, count in
            "\(count) recordings \(isDry ? "could" : "can") not be linked, since \(obstacle.text)"
        }
        if isDry, files > 0 {
            lines.append(
                "up to \(ImportReport.size(bytes)) would be written, beside recordings that are linked or made anew from what can be linked; "
                    + "\(ImportReport.size(max(0, usable))) may be" + (isEnough ? "" : ": that is not enough without --partial"))
        }
        return lines
    }
}
