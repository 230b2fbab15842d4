package import NVRModel

/// For how many days each camera's recordings will be there when everything goes on as it does: the rules of retention, applied to the
/// pace of every camera. Where cameras share a limit, the oldest goes first whoever made it, so that all keep the same time but those
/// that may keep less by themselves. Pure.
package struct RetentionForecast: Sendable, Hashable {
    /// What ends the stay.
    package enum Limit: String, Sendable, Hashable {
        case age
        case cameraLimit = "camera_limit"
        case profileLimit = "profile_limit"
        case totalLimit = "total_limit"
        case freeSpace = "free_space"
        /// Nothing is deleted: the disk is full then, and recording stops.
        case recordingStops = "recording_stops"
    }

    package struct Stay: Sendable, Hashable {
        /// Nil: nothing is recorded now, so nobody knows.
        package var days: Double?
        package var limit: Limit?
        package var bytesADay: Int64
        /// Recordings there are now.
        package var bytes: Int64
    }

    /// A camera that records.
    package struct Flow: Sendable, Hashable {
        package var camera: ID<Camera>
        package var volume: VolumeID
        package var bytesADay: Int64
        package var bytes: Int64

        package init(camera: ID<Camera>, volume: VolumeID = .standard, bytesADay: Int64, bytes: Int64) {
            self.camera = camera
            self.volume = volume
            self.bytesADay = bytesADay
            self.bytes = bytes
        }
    }

    /// A volume with what may be recorded on it.
    package struct Room: Sendable, Hashable {
        package var free: Int64
        package var total: Int64
        package var floor: Int64
        /// Bytes of recordings that may be deleted.
        package var deletable: Int64

        package init(free: Int64, total: Int64, floor: Int64, deletable: Int64) {
            self.free = free
            self.total = total
            self.floor = floor
            self.deletable = deletable
        }
    }

    package private(set) var stays: [ID<Camera>: Stay] = [:]
    package let isDeleting: Bool
    package let rooms: [VolumeID: Room]

    package init(_ flows: [Flow], rules: RetentionRules, rooms: [VolumeID: Room], isDeleting: Bool) {
        self.isDeleting = isDeleting
        self.rooms = rooms
        let running = flows.filter { $0.bytesADay > 0 }
        for flow in flows { stays[flow.camera] = Stay(days: nil, limit: nil, bytesADay: flow.bytesADay, bytes: flow.bytes) }
        for flow in running {
            stays[flow.camera]?.days = .infinity
            guard isDeleting else { continue }
            if let days = rules.days(.continuous, of: flow.camera) { lower(flow.camera, to: Double(days), .age, rules) }
            if let bytes = rules.cameras[flow.camera]?.recordingBytes {
                lower(flow.camera, to: Double(bytes) / Double(flow.bytesADay), .cameraLimit, rules)
            }
        }
        if isDeleting {
            for (volume, bytes) in rules.volumeBytes { share(bytes, among: running.filter { $0.volume == volume }, .profileLimit, rules) }
            if let bytes = rules.totalBytes { share(bytes, among: running, .totalLimit, rules) }
        }
        for (volume, room) in rooms {
            share(
                max(0, room.free + room.deletable - (isDeleting ? room.floor : 0)), among: running.filter { $0.volume == volume },
                isDeleting ? .freeSpace : .recordingStops, rules)
        }
        for (camera, stay) in stays where stay.days == .infinity { stays[camera]?.days = nil }
    }

    private mutating func lower(_ camera: ID<Camera>, to days: Double, _ limit: Limit, _ rules: RetentionRules) {
        // The minimum wins over every limit but the disk's own.
        let days = limit == .freeSpace || limit == .recordingStops ? days : max(days, Double(rules.minimumDays))
        guard days < stays[camera]?.days ?? .infinity else { return }
        stays[camera]?.days = days
        stays[camera]?.limit = limit
    }

    /// Lowers the stays of cameras so that together they have so many bytes.
    private mutating func share(_ bytes: Int64, among flows: [Flow], _ limit: Limit, _ rules: RetentionRules) {
        let ordered = flows.sorted { (stays[$0.camera]?.days ?? 0) < (stays[$1.camera]?.days ?? 0) }
        var left = Double(bytes)
        var pace = ordered.reduce(0) { $0 + Double($1.bytesADay) }
        for (index, flow) in ordered.enumerated() {
            let own = stays[flow.camera]?.days ?? 0
            // All from here on keep at least `own` days if there is room for it.
            if own * pace > left {
                let days = pace > 0 ? left / pace : 0
                for other in ordered[index...] { lower(other.camera, to: days, limit, rules) }
                return
            }
            left -= own * Double(flow.bytesADay)
            pace -= Double(flow.bytesADay)
        }
    }
}
