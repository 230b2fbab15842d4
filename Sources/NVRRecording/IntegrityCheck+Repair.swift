import ISOBMFF
import NVRModel
import NVRStore

/// Mending rows: the files decide. No file that holds anything is deleted.
extension IntegrityCheck {
    /// Rows that a repair may remove without force: half of those that were looked at.
    static func mayRemove(_ count: Int, of rows: Int) -> Bool { count <= rows / 2 }

    func repair(_ found: [(entry: SegmentEntry, problem: Problem)], _ options: Options, _ report: inout Report) async throws {
        let removals = found.count { Self.removes($0.problem) }
        var left: Set<ID<Segment>> = []
        if removals > 0, !options.isForced, !Self.mayRemove(removals, of: report.segments) {
            report.refusal =
                "\(removals) of \(report.segments) rows have no readable file: that is more than half, so they stay. Is the disk of the recordings "
                + "there? If the footage is really gone, repair with force."
            left = Set(found.filter { Self.removes($0.problem) }.map(\.entry.id))
        }
        for (entry, problem) in found where !left.contains(entry.id) && !report.silent.contains(entry.volume) {
            if try await repair(entry, problem, options, &report) { report.repaired += 1 }
        }
    }

    private static func removes(_ problem: Problem) -> Bool {
        switch problem {
        case .missingFile, .unreadable: true
        default: false
        }
    }

    private func repair(_ entry: SegmentEntry, _ problem: Problem, _ options: Options, _ report: inout Report) async throws -> Bool {
        if let remote = layout.volumes.remote(entry.volume) { return try await repair(entry, problem, in: remote, options, &report) }
        switch problem {
        // Out of descriptors, a disk that was pulled: while the server runs, nothing goes for what may pass.
        case .unreadable where isLive: return false
        case .missingFile, .unreadable:
            // What is held stays as it is: its file may come back, and what is left of it may be read by somebody.
            let garbage = try await store.segments.markGarbage([entry.id])
            guard !garbage.isEmpty else { return false }
            let isGone = try await onDisk(entry.volume, options, &report) { [layout] turn in
                guard layout.volumes.confirm(entry.volume) else { return false }
                for item in garbage {
                    // The volume may have hung for long: by now the name may be another's.
                    try turn.goOn()
                    try Self.putAside(try layout.absolute(item.place))
                }
                return layout.volumes.confirm(entry.volume)
            }
            // Lost in this very moment: what is to go waits for its return.
            guard isGone ?? false else { return false }
            try await store.segments.removeGarbage(garbage.map(\.id))
            return true
        case .shortFile, .longFile:
            guard let segment = try await store.segments.get(entry.id) else { return false }
            let closing = try await onDisk(entry.volume, options, &report) { [layout] _ in
                try Self.cut(try layout.absolute(entry.place), segment, layout.cipher)
            }
            guard let closing = closing ?? nil else { return false }
            try await store.segments.finish(entry.id, closing)
            return true
        case .wrongRow:
            // The row goes without its file, which is listed again as one that no row knows.
            _ = try await store.segments.commit([.discard(entry.id)])
            return true
        case .alteredFile, .unlisted, .locked, .database: return false
        }
    }

    /// Cuts a file behind its last whole fragment, as a start after a crash does, and gives its row; nil when there is no fragment.
    private static func cut(_ path: String, _ segment: Segment, _ cipher: FootageCipher) throws -> SegmentClosing? {
        let scan = try StartupRecovery.scan(path, cipher)
        guard var closing = scan.closing(of: segment) else { return nil }
        closing.bytes = try scan.cut(path)
        return closing
    }

    /// An empty file goes; any other that cannot be read is kept under a name that nobody takes for footage.
    private static func putAside(_ path: String) throws {
        guard let length = POSIXFile.length(at: path) else { return }
        if length == 0 { try POSIXFile.remove(path) } else { try POSIXFile.rename(path, to: path + ".damaged") }
    }
}
