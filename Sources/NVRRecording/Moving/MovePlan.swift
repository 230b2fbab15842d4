package import NVRModel
package import NVRStore

/// What is to move to which volume: the rules of the cameras, and what they say of footage. Pure: time is passed in.
package struct MovePlan: Sendable, Hashable {
    /// Footage of a camera that is older than so much moves to a volume.
    package struct Rule: Sendable, Hashable {
        package var camera: ID<Camera>
        package var target: VolumeID
        /// Microseconds.
        package var age: Int64

        package init(camera: ID<Camera>, target: VolumeID, age: Int64) {
            self.camera = camera
            self.target = target
            self.age = age
        }

        /// Footage that begins before this and has ended by then is old enough.
        package func limit(now: WallTime) -> WallTime { now.advanced(byMicroseconds: -age) }
    }

    /// Of the cameras that name a volume to move to and after how many hours.
    package static func rules(_ cameras: [Camera]) -> [Rule] {
        cameras.compactMap { camera in
            guard let target = camera.storage.archiveVolume, let hours = camera.storage.archiveAfterHours else { return nil }
            return Rule(camera: camera.id, target: target, age: Int64(hours) * 3_600_000_000)
        }
    }

    /// Those of a page of files of the rule's camera that move now, in the order of the page: what lies where it cannot be read, and all that
    /// goes where it cannot be written, waits.
    package static func moves(_ page: [MovableFile], by rule: Rule, now: WallTime, usable: Set<VolumeID>) -> [MovableFile] {
        guard usable.contains(rule.target) else { return [] }
        let limit = rule.limit(now: now)
        return page.filter { file in
            file.place.volume != rule.target && file.start < limit && usable.contains(file.place.volume)
        }
    }
}

/// Keeps copying below a rate without bursts. Pure: time is passed in, monotonic microseconds.
package struct MovePace: Sendable, Hashable {
    /// Bytes a second; nil = as fast as the disks allow.
    package var rate: Int64?
    private var free: Int64

    package init(rate: Int64?, now: Int64) {
        self.rate = rate
        free = now
    }

    /// Counts bytes that were copied; gives the microseconds to wait before the next.
    package mutating func copied(_ bytes: Int64, now: Int64) -> Int64 {
        guard let rate, rate > 0 else { return 0 }
        // A pause gives no credit.
        free = max(free, now) + bytes * 1_000_000 / rate
        return free - now
    }
}
