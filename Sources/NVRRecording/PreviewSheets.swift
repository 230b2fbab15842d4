import ISOBMFF
package import Logging
import NVRBase
import NVRMedia
package import NVRModel
import NVRStore
import Synchronization

/// The pictures of an hour of a camera as one JPEG of tiles, for scrubbing without a request for each: what is on it and where.
package struct PreviewSheet: Sendable, Equatable {
    package struct Tile: Sendable, Equatable {
        /// Row by row from the upper left.
        package var index: Int
        /// Of the keyframe.
        package var time: WallTime
    }

    package static let columns = 12
    package static let rows = 10
    /// Microseconds from tile to tile.
    package static let interval: Int64 = 30_000_000
    package static let tileWidth = 160

    /// A full hour UTC.
    package var range: TimeRange
    /// Tiles that have a picture.
    package var tiles: [Tile]
    package var tileHeight: Int
    /// Names what is on it: another one when footage came or went.
    package var version: String
    /// The hour is over and nothing of it is being written any more.
    package var isComplete: Bool
}

/// Makes sheets of previews when they are asked for, and keeps them in a folder. Sheets are made one after another by a thread of low
/// priority, so that who drags along a timeline is not kept waiting.
package final class PreviewSheets: Sendable {
    /// A keyframe that becomes a tile.
    private struct Keyframe: Sendable {
        var segment: Segment
        var entry: FragmentIndexEntry
        var position: Int
    }

    /// Requests that may wait for their sheets.
    private static let mostWaiting = 16

    private let playback: Playback
    private let cache: PictureCache
    private let logger: Logger
    private let threads: VolumeThreads
    private let waiting = Mutex(0)

    package init(playback: Playback, cache: PictureCache, logger: Logger) {
        self.playback = playback
        self.cache = cache
        self.logger = logger
        threads = VolumeThreads("sheets", volumes: playback.volumes, stackBytes: 1 << 20, niceness: 10)
    }

    /// What the sheet of the hour of a time holds; nothing is decoded. Throws `notFound` for an hour without footage.
    package func sheet(of camera: ID<Camera>, at time: WallTime) async throws -> PreviewSheet { try await plan(camera, time).sheet }

    private func plan(_ camera: ID<Camera>, _ time: WallTime) async throws -> (sheet: PreviewSheet, keyframes: [Int: Keyframe]) {
        let hour: Int64 = 3_600_000_000
        // Far times have no footage, and no neighbours either.
        guard time.microseconds > -(1 << 60), time.microseconds < 1 << 60 else { throw Self.nothing }
        let start = WallTime(microseconds: time.microseconds.quotientRoundedDown(by: hour) * hour)
        let range = TimeRange(start: start, end: start.advanced(byMicroseconds: hour))
        var keyframes: [Int: Keyframe] = [:]
        var tiles: [PreviewSheet.Tile] = []
        var isGrowing = false
        let segments = try await playback.segments(camera, range)
        for segment in segments {
            isGrowing = isGrowing || segment.state == .growing
            for (position, entry) in try FragmentIndex(packed: segment.index).entries.enumerated() where entry.startsWithKeyframe {
                let time = segment.start.advanced(byMicroseconds: Playback.microseconds(entry.start, Int64(segment.timescale)))
                guard time >= range.start, time < range.end else { continue }
                let slot = Int(time.microseconds(since: range.start) / PreviewSheet.interval)
                guard keyframes[slot] == nil else { continue }
                keyframes[slot] = Keyframe(segment: segment, entry: entry, position: position)
                tiles.append(PreviewSheet.Tile(index: slot, time: time))
            }
        }
        guard let first = segments.first, !tiles.isEmpty else { throw Self.nothing }
        tiles.sort { $0.index < $1.index }
        let shape = Double(first.height) / Double(max(1, first.width))
        let height = min(max(Int((Double(PreviewSheet.tileWidth) * shape / 2).rounded()) * 2, 40), 320)
        let content = tiles.compactMap { tile in keyframes[tile.index].map { "\(tile.index):\($0.segment.id):\($0.position)" } }.joined(
            separator: ",")
        let sheet = PreviewSheet(
            range: range, tiles: tiles, tileHeight: height, version: Playback.hash("\(height)|\(content)"),
            isComplete: !isGrowing && range.end.microseconds <= playback.clock.wall())
        return (sheet, keyframes)
    }

    private static let nothing = NVRError(.notFound, "there is no footage of this time")

    private static func prefix(_ camera: ID<Camera>, _ hour: WallTime) -> String { "\(camera)-\(hour.microseconds / 1_000_000)-" }

    /// The JPEG of the hour of a time. `isWanted` is asked while it is made: a sheet that nobody waits for any more is given up. Throws
    /// `notFound` for an hour without footage and `unavailable` when too many sheets are being waited for.
    package func picture(of camera: ID<Camera>, at time: WallTime, isWanted: @escaping @Sendable () -> Bool) async throws -> StoredMedia {
        let (sheet, keyframes) = try await plan(camera, time)
        let isQueued = waiting.withLock { waiting in
            guard waiting < Self.mostWaiting else { return false }
            waiting += 1
            return true
        }
        guard isQueued else { throw NVRError(.unavailable, "too many sheets of previews are being made; try again") }
        defer { waiting.withLock { $0 -= 1 } }
        let prefix = Self.prefix(camera, sheet.range.start)
        let name = prefix + sheet.version
        let bytes = try await threads.run(on: Set(keyframes.values.map(\.segment.volume))) { [self] in
            // Somebody who waited before may have made it.
            if let ready = cache.read(name) { return ready }
            let bytes = try make(sheet, keyframes, isWanted)
            do {
                // Of an hour that goes on there is one sheet, the newest.
                try cache.remove(prefix: prefix, except: name)
                try cache.store(bytes, as: name)
            } catch let error as FileError {
                logger.warning("a sheet of previews could not be kept", metadata: ["error": "\(error)"])
            }
            return bytes
        }
        return StoredMedia(
            jpeg: bytes, etag: "s\(name)", lastModified: sheet.tiles.last?.time ?? sheet.range.start, fileName: "\(prefix)previews.jpg")
    }

    private func make(_ sheet: PreviewSheet, _ keyframes: [Int: Keyframe], _ isWanted: () -> Bool) throws -> [UInt8] {
        let picture = try StillSheet(
            columns: PreviewSheet.columns, rows: PreviewSheet.rows, tileWidth: PreviewSheet.tileWidth, tileHeight: sheet.tileHeight)
        for tile in sheet.tiles {
            guard isWanted() else { throw Playback.unwanted }
            guard let keyframe = keyframes[tile.index] else { continue }
            do {
                let file = try playback.open(keyframe.segment)
                if let (bytes, entry) = try Playback.keyframe(keyframe.entry, in: file, of: keyframe.segment) {
                    try picture.place(bytes, entry: entry, at: tile.index)
                }
            } catch let error as ISOBMFFError {
                playback.note(keyframe.segment, "cannot be read: \(error)")
            } catch let error as NVRError where error.kind == .notFound || error.kind == .unavailable {
                continue
            }
        }
        return try picture.jpeg()
    }

    /// Removes the sheets of hours whose footage, or some of it, is deleted.
    package func forget(_ footage: [(camera: ID<Camera>, range: TimeRange)]) async {
        let hour: Int64 = 3_600_000_000
        var prefixes: Set<String> = []
        for (camera, range) in footage {
            var start = range.start.microseconds.quotientRoundedDown(by: hour) * hour
            // A segment lasts minutes; anything longer is damaged and not worth a walk through years.
            for _ in 0..<48 where start < range.end.microseconds {
                prefixes.insert(Self.prefix(camera, WallTime(microseconds: start)))
                start += hour
            }
        }
        do {
            try await threads.run(on: .standard) { [cache, prefixes] in for prefix in prefixes { try cache.remove(prefix: prefix) } }
        } catch {
            logger.warning("sheets of previews of deleted footage could not be removed", metadata: ["error": "\(error)"])
        }
    }
}

extension Int64 {
    /// Division that rounds towards the smaller number.
    fileprivate func quotientRoundedDown(by divisor: Int64) -> Int64 { (self - (self % divisor + divisor) % divisor) / divisor }
}
