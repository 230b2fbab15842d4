import NVRBase
package import NVRModel

/// Pictures, on the writing thread of the volume where they lie.
extension DiskWriter {
    /// Writes a picture whole or not at all, over an older one of the same path. Throws `unavailable` while the disk hangs.
    package func store(picture: [UInt8], path: String) async throws {
        try await answered(on: lane(of: .standard)) { [layout] in
            let absolute = try layout.absolute(FootagePlace(.standard, path))
            if let folder = POSIXFile.parent(of: absolute) { try POSIXFile.makeDirectories(folder) }
            try Self.write(try layout.cipher.stored(picture: picture), to: absolute, replacing: true)
        }
    }

    /// Deletes a picture that nothing refers to; a missing one is no error. Throws `unavailable` while the disk hangs.
    package func remove(picture path: String, volume: VolumeID = .standard) async throws {
        _ = try await answered(on: lane(of: volume)) { [layout] in try POSIXFile.remove(try layout.absolute(FootagePlace(volume, path))) }
    }

    private func answered<Value: Sendable>(on lane: WritingLane, _ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await run(on: lane, patience: WritingLane.patience, body)
        } catch is DiskThread.Unanswered {
            throw NVRError(.unavailable, "the disk does not answer")
        }
    }

    /// Writes a snapshot under the first free name of its pattern to a volume, or to the default one when that is not there or hangs.
    /// `isTaken`: whether a path is known already, on whatever volume.
    package func store(
        snapshot: [UInt8], camera: ID<Camera>, pattern: String, time: WallTime, volume: VolumeID = .standard,
        isTaken: @escaping @Sendable (String) async throws -> Bool = { _ in false }
    ) async throws -> FootagePlace {
        let wished = target(of: volume)
        if wished != .standard {
            let lane = lane(of: wished)
            do {
                let place = try await run(
                    on: lane, patience: WritingLane.patience,
                    late: { [layout] (place: FootagePlace?) in
                        // It was written elsewhere meanwhile. What cannot be removed is a picture that nobody knows.
                        if let place { _ = try? POSIXFile.remove(try layout.absolute(place)) }
                    }
                ) { [self] in
                    try confirm(wished) ? store(snapshot, camera, pattern, time, on: lane, isTaken) : nil
                }
                if let place { return place }
            } catch let error as FileError where error.isOfVolume {
                distrust(wished, reason: error.systemText)
            } catch is DiskThread.Unanswered {
                distrust(wished, reason: Self.silence)
            }
        }
        let lane = lane(of: .standard)
        return try await answered(on: lane) { [self] in try store(snapshot, camera, pattern, time, on: lane, isTaken) }
    }

    private func store(
        _ snapshot: [UInt8], _ camera: ID<Camera>, _ pattern: String, _ time: WallTime, on lane: WritingLane,
        _ isTaken: @escaping @Sendable (String) async throws -> Bool
    ) throws -> FootagePlace {
        for attempt in 0..<100 {
            let path = layout.path(camera: camera, pattern: pattern, time: time, fileExtension: "jpg", attempt: attempt)
            let place = FootagePlace(lane.volume, path)
            try demandPresence(lane.volume)
            let absolute = try layout.absolute(place)
            if try POSIXFile.exists(absolute) || lane.thread.outside({ try blockingWait({ try await isTaken(path) }) }) { continue }
            try makeFolder(of: absolute, on: lane.volume)
            try Self.write(try layout.cipher.stored(picture: snapshot), to: absolute, replacing: false)
            return place
        }
        throw NVRError(.conflict, "100 snapshots named like \(pattern) are there already for one second")
    }

    private static func write(_ bytes: [UInt8], to path: String, replacing: Bool) throws {
        let folder = POSIXFile.parent(of: path)
        let temporary = path + ".part"
        try POSIXFile.remove(temporary)
        do {
            let file = try POSIXFile.create(temporary)
            try bytes.withUnsafeBytes { try file.write([$0], at: 0) }
            try file.sync()
            try POSIXFile.rename(temporary, to: path)
        } catch {
            // The failure itself is reported; a leftover is overwritten by the next try.
            _ = try? POSIXFile.remove(temporary)
            throw error
        }
        if let folder { try POSIXFile.syncDirectory(folder) }
    }
}
