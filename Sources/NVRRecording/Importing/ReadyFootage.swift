import ISOBMFF
import NVRMedia
import NVRModel

/// What is found in a file of another product that can be played here exactly as it is: fragments that begin at keyframes, on our own clock of
/// video, whole to the last byte. Only box headers and the boxes that describe are read.
package struct ReadyFootage: Sendable, Equatable {
    package var bytes: Int64
    package var initLength: Int64
    /// Packed fragment index.
    package var index: [UInt8]
    /// Microseconds.
    package var duration: Int64
    package var width: Int
    package var height: Int
    package var codecs: String

    /// Microseconds of the longest fragment: what a player has to load before it can begin anywhere.
    private static let longestFragment: Int64 = 30 * Int64(StreamDescription.videoTimescale)
    /// Ticks before the first frame.
    private static let latestStart = Int64(StreamDescription.videoTimescale) / 2

    /// Nil for a file that has to be written anew. Blocks.
    package init?(_ file: POSIXFile) {
        // A file that cannot be read this way may still be readable in another: the caller goes that way.
        guard let length = try? file.length(),
            let scanned = try? FragmentedFile(length: length, read: { offset, count in try file.read(at: offset, count: count) })
        else { return nil }
        let entries = scanned.index.entries
        guard scanned.ending == .whole, scanned.completeLength == length, let track = scanned.indexedTrack, case .video(let entry) = track.kind,
            Int(track.timescale) == StreamDescription.videoTimescale, entry.width > 0, entry.height > 0, let first = entries.first,
            let last = entries.last, scanned.tracks.count <= 2, scanned.tracks.filter(\.isVideo).count == 1,
            (0...Self.latestStart).contains(first.start), last.endTime > first.start,
            last.endTime < Int64(StreamDescription.videoTimescale) * 3600
        else { return nil }
        var before = first.start
        for entry in entries {
            // Each begins where the one before ended, so that nothing is shown twice or at another time.
            guard entry.startsWithKeyframe, entry.duration > 0, entry.duration <= Self.longestFragment, abs(entry.start - before) <= 90_000 / 2 else {
                return nil
            }
            before = entry.endTime
        }
        // Sound that nobody could play would make the file another one than what is written of it.
        guard scanned.defaults.count == scanned.tracks.count else { return nil }
        bytes = length
        initLength = scanned.initRange.upperBound
        index = scanned.index.packed()
        duration = last.endTime * 1_000_000 / Int64(StreamDescription.videoTimescale)
        width = entry.width
        height = entry.height
        codecs = scanned.tracks.map(\.codecString).joined(separator: ",")
    }
}
