import NVRBase
package import NVRModel
import NVRStore

extension MediaRemoval {
    /// Segments looked at in one step.
    private static let step = 200
    /// Microseconds that a segment lasts at most: one that began this long before a time has ended by then.
    private static let longestSegment: Int64 = 300_000_000

    /// Deletes what a camera keeps for longer than it is set to, and the oldest of what is more than it may hold. What is being
    /// written stays, and so does what is held, which counts for no limit. A medium limits it to recordings or to snapshots.
    package func enforceLimits(of camera: Camera, medium: Event.Medium?, now: WallTime) async throws -> Removed {
        var events = 0
        if medium != .snapshot { events += try await trimRecordings(of: camera, now: now) }
        if medium != .video { events += try await trimSnapshots(of: camera, now: now) }
        return Removed(events: events, bytes: try await sweep())
    }

    private func trimRecordings(of camera: Camera, now: WallTime) async throws -> Int {
        let limit = KeepingTime.limit(of: camera.recording.preserve, at: now)
        var newestDeleted: WallTime?
        if let limit {
            newestDeleted = try await deleteOldest(of: camera.id, before: limit.advanced(byMicroseconds: -Self.longestSegment)) { _ in true }
        }
        if let most = Self.bytes(camera.recording.maxStorage) {
            var excess = try await store.segments.totals().reduce(-most) { $0 + ($1.cameraID == camera.id ? $1.bytes : 0) }
            if excess > 0 { excess -= try await store.holds.heldBytes(of: camera.id) }
            let newest = try await deleteOldest(of: camera.id, before: now) { bytes in
                defer { excess -= bytes }
                return excess > 0
            }
            newestDeleted = [newestDeleted, newest].compactMap { $0 }.max()
        }
        guard let last = [newestDeleted.map { $0.advanced(byMicroseconds: 1) }, limit].compactMap({ $0 }).max() else { return 0 }
        return try await store.events.deleteOld(camera.id, medium: .video, before: last, limit: limit ?? WallTime(microseconds: .min))
    }

    /// Marks a camera's oldest finished segments as long as `goesOn` says so of their bytes; gives the begin of the last.
    private func deleteOldest(of camera: ID<Camera>, before time: WallTime, _ goesOn: (Int64) -> Bool) async throws -> WallTime? {
        var last: WallTime?
        while true {
            let oldest = try await store.segments.oldest(camera, before: time, limit: Self.step)
            let finished = oldest.filter { $0.state == .finished }
            let chosen = finished.prefix { goesOn($0.bytes) }
            guard let newest = chosen.last else { return last }
            let gone = try await store.segments.markGarbage(chosen.map(\.id))
            last = newest.start
            // Held in this very moment, or the same would be found for ever.
            guard !gone.isEmpty else { return last }
            guard chosen.count == finished.count, oldest.count == Self.step else { return last }
        }
    }

    private func trimSnapshots(of camera: Camera, now: WallTime) async throws -> Int {
        var events = 0
        if let limit = KeepingTime.limit(of: camera.pictures.preserve, at: now) {
            events += try await store.events.deleteOld(camera.id, medium: .snapshot, before: limit, limit: limit)
        }
        if let most = Self.bytes(camera.pictures.maxStorage) { events += try await store.events.shrinkSnapshots(camera.id, to: most) }
        return events
    }

    /// Bytes of a limit in gigabytes; nil when there is none.
    private static func bytes(_ gigabytes: Double) -> Int64? { gigabytes > 0 ? Int64(gigabytes * 1_073_741_824) : nil }
}
