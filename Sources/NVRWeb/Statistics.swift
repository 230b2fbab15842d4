package import NVRModel
package import NVRRecording
import NVRStore

/// The numbers behind `/stats`, `/metrics` and retention hints, gathered at one moment. Bytes unless said otherwise.
package struct Statistics: Sendable {
    /// A file system's size and free space.
    package struct Volume: Sendable, Equatable {
        package var totalBytes: Int64
        package var freeBytes: Int64
        /// Tells whether two folders share their space; nil when it is not known.
        package var fileSystem: UInt64?

        package init(totalBytes: Int64, freeBytes: Int64, fileSystem: UInt64? = nil) {
            self.totalBytes = totalBytes
            self.freeBytes = freeBytes
            self.fileSystem = fileSystem
        }
    }

    /// Files of one kind.
    package struct Holding: Sendable, Equatable {
        package var count = 0
        package var bytes: Int64 = 0

        package init(count: Int = 0, bytes: Int64 = 0) {
            self.count = count
            self.bytes = bytes
        }

        static func + (left: Holding, right: Holding) -> Holding {
            Holding(count: left.count + right.count, bytes: left.bytes + right.bytes)
        }
    }

    /// Those that the asker may see.
    package var cameras: [Camera]
    package var health: [ID<Camera>: CameraHealth]
    package var numbers: StoredNumbers
    /// The file system of the recordings; nil when it does not answer.
    package var volume: Volume?
    /// Those of storage profiles that answer.
    package var profileVolumes: [ID<StorageProfile>: Volume] = [:]
    /// For how long each camera's recordings will be there, where it is known.
    package var forecast: [ID<Camera>: RetentionForecast.Stay] = [:]
    package var load: HostLoad.Reading
    /// Seconds since the program started.
    package var uptime: Int
    /// Where recordings lie; nil when the asker need not know where anything does.
    package var recordingPath: String?

    package init(
        cameras: [Camera], health: [ID<Camera>: CameraHealth], numbers: StoredNumbers, volume: Volume?, load: HostLoad.Reading, uptime: Int,
        recordingPath: String?
    ) {
        self.cameras = cameras
        self.health = health
        self.numbers = numbers
        self.volume = volume
        self.load = load
        self.uptime = uptime
        self.recordingPath = recordingPath
    }

    // MARK: Sums

    var allMovies: Holding { numbers.movies.values.reduce(Holding(), +) }
    var allPictures: Holding { numbers.pictures.values.reduce(Holding(), +) }
    var usedBytes: Int64 { allMovies.bytes + allPictures.bytes }
    var dailyBytes: Int64 { numbers.bytesADay.values.reduce(0, +) }
    var eventCount: Int { numbers.eventTotals.reduce(0) { $0 + $1.count } }

    /// The space of the recording folder and of the profiles' folders together, each file system counted once, and the bytes that lie
    /// there; nil when the recording folder does not answer.
    var disk: (total: Int64, free: Int64, held: Int64)? {
        guard let volume else { return nil }
        var disk = (total: volume.totalBytes, free: volume.freeBytes, held: numbers.volumes[.standard]?.bytes ?? 0)
        var counted: Set<UInt64?> = [volume.fileSystem]
        for (id, other) in profileVolumes {
            disk.held += numbers.volumes[VolumeID(id)]?.bytes ?? 0
            guard counted.insert(other.fileSystem).inserted else { continue }
            disk.total += other.totalBytes
            disk.free += other.freeBytes
        }
        return disk
    }

    func eventCount(_ medium: Event.Medium) -> Int { numbers.eventTotals.reduce(0) { $0 + ($1.medium == medium ? $1.count : 0) } }

    /// Active cameras without a picture.
    var troubledCameras: Int {
        cameras.count { $0.general.isActive && [.unreachable, .unauthorized].contains(health[$0.id]?.status) }
    }

    /// The longest that any camera keeps its recordings, in days; nil when one keeps them for ever or there is none.
    var retentionDays: Int? {
        let days = cameras.map { KeepingTime.days(of: $0.recording.preserve) }
        return days.contains(nil) ? nil : days.compactMap { $0 }.max()
    }

    // MARK: JSON

    /// The answer of `/stats`: the keys of wire/stats.txt; null where a thing does not exist here.
    package var json: JSONValue {
        [
            "active_cameras": JSONValue(cameras.count { $0.general.isActive }), "total_errors": JSONValue(troubledCameras),
            "total_events": JSONValue(eventCount), "events_24h": JSONValue(numbers.eventsLastDay), "video_count": JSONValue(eventCount(.video)),
            "picture_count": JSONValue(eventCount(.snapshot)), "storage": storageJSON,
            "resources": [
                "cpu_percent": Self.rounded(load.cpuPercent, 1), "memory_mb": Self.megabytes(load.residentBytes),
                "backend_cpu": Self.rounded(load.cpuPercent, 1), "backend_mem_mb": Self.megabytes(load.residentBytes),
                // Recording is part of this program: there is no second process to tell of.
                "engine_cpu": nil, "engine_mem_mb": nil, "host_cpu_percent": Self.rounded(load.hostCPUPercent, 1),
                "host_memory_mb": Self.megabytes(load.hostUsedBytes), "host_memory_total_mb": Self.megabytes(load.hostTotalBytes),
            ],
            "network": ["recv_mbps": Self.rounded(load.receivedMbps, 2), "sent_mbps": Self.rounded(load.sentMbps, 2)],
            "engine": [
                "status": "ONLINE", "hw_accel": false, "hw_accel_type": "unknown",
                "mqtt": ["enabled": false, "host": "Not configured", "connected": false],
                "ai": [
                    "initialized": false, "hardware": nil, "model_type": nil, "last_inference_time": nil, "inference_count": 0,
                    "last_inference_attempt": nil,
                ],
            ],
            "database": ["size_mb": Self.megabytes(numbers.databaseBytes), "event_count": JSONValue(eventCount)],
            "details": detailsJSON, "system_status": .string(troubledCameras == 0 ? "Healthy" : "Degraded"), "uptime": .string(uptimeText),
            "hw_accel": ["enabled": false, "type": "unknown", "status": "disabled"],
        ]
    }

    private var storageJSON: JSONValue {
        let used = usedBytes
        let daily = dailyBytes
        let disk = disk
        let quota = cameras.reduce(0) { $0 + $1.recording.maxStorage + $1.pictures.maxStorage }
        return [
            "total_gb": Self.gigabytes(disk?.total, 1), "used_gb": Self.gigabytes(used, 2),
            "free_gb": Self.gigabytes(disk?.free, 1), "percent": Self.percent(disk?.held ?? 0, of: disk?.total),
            "estimated_retention_days": Self.rounded(lasting(used, daily), 1), "daily_rate_gb": Self.gigabytes(daily, 2),
            "configured_retention": JSONValue(retentionDays.map { "Max \($0) Days" }), "configured_retention_days": JSONValue(retentionDays),
            "required_storage_gb": retentionDays.map { Self.gigabytes(daily.multipliedClamped(by: Int64($0)), 1) } ?? .null,
            "total_quota_gb": .number(quota),
            "quota_percent": quota > 0 ? JSONValue(Int(min(Double(used) / (quota * 1_073_741_824) * 100, 1e6))) : 0,
        ]
    }

    /// Days of footage that there will be when the disks are full: what is held, and what the free space takes at the pace of all
    /// cameras together. Nil while nothing grows.
    private func lasting(_ held: Int64, _ daily: Int64) -> Double? {
        guard daily > 0, let disk else { return nil }
        return Double(held) / Double(daily) + Double(disk.free) / Double(max(1, dailyBytes))
    }

    /// The same of one camera, which may fill its own limit before.
    private func lasting(_ camera: Camera, _ held: Int64, _ daily: Int64) -> Double? {
        guard let days = lasting(held, daily) else { return nil }
        let limit = (camera.recording.maxStorage + camera.pictures.maxStorage) * 1_073_741_824
        return camera.recording.maxStorage > 0 ? min(days, limit / Double(daily)) : days
    }

    private var detailsJSON: JSONValue {
        func holdings(_ movies: Holding, _ pictures: Holding) -> JSONObject {
            [
                "movies": ["count": JSONValue(movies.count), "size_gb": Self.gigabytes(movies.bytes, 2)],
                "images": ["count": JSONValue(pictures.count), "size_gb": Self.gigabytes(pictures.bytes, 2)],
            ]
        }
        var perCamera = JSONObject()
        for camera in cameras {
            let movies = numbers.movies[camera.id] ?? Holding()
            let pictures = numbers.pictures[camera.id] ?? Holding()
            let daily = numbers.bytesADay[camera.id] ?? 0
            var object = holdings(movies, pictures)
            object["daily_rate_gb"] = Self.gigabytes(daily, 2)
            let stay = forecast[camera.id]
            object["estimated_retention_days"] = Self.rounded(stay.map(\.days) ?? lasting(camera, movies.bytes + pictures.bytes, daily), 1)
            object["retention_limited_by"] = JSONValue(stay?.limit?.rawValue)
            perCamera[camera.id.description] = .object(object)
        }
        return ["global": .object(holdings(allMovies, allPictures)), "cameras": .object(perCamera), "profiles": profilesJSON]
    }

    private var profilesJSON: JSONValue {
        func profile(_ name: String, _ path: String?, _ holding: Holding, _ volume: Volume?) -> JSONValue {
            [
                "name": .string(name), "path": JSONValue(path), "size_gb": Self.gigabytes(holding.bytes, 2), "count": JSONValue(holding.count),
                "total_gb": Self.gigabytes(volume?.totalBytes, 1), "free_gb": Self.gigabytes(volume?.freeBytes, 1),
            ]
        }
        func held(_ volume: VolumeID) -> Holding { numbers.volumes[volume] ?? Holding() }
        var object: JSONObject = ["default": profile("Default Profile", recordingPath, held(.standard), volume)]
        guard recordingPath != nil else { return .object(object) }
        for other in numbers.profiles {
            object[other.id.description] = profile(other.name, other.path, held(VolumeID(other.id)), profileVolumes[other.id])
        }
        return .object(object)
    }

    /// The answer of `/v1/homepage/stats`: the keys of wire/v1_homepage_stats.txt, for dashboards.
    package var homepageJSON: JSONValue {
        let running = cameras.filter(\.general.isActive)
        let newest = numbers.newestEvent
        let disk = disk
        return [
            "cameras_total": JSONValue(cameras.count),
            "cameras_online": JSONValue(running.count { health[$0.id]?.status == .connected }),
            "cameras_recording": JSONValue(running.count { health[$0.id]?.isRecording == true }),
            "events_today": JSONValue(numbers.eventsToday), "events_this_week": JSONValue(numbers.eventsThisWeek),
            "events_this_month": JSONValue(numbers.eventsThisMonth),
            "last_event_time": JSONValue(newest.map { LocalOffset.server.text($0.start) }),
            "last_event_camera": JSONValue(newest.flatMap { event in cameras.first { $0.id == event.cameraID }?.general.name }),
            "storage_used_gb": Self.gigabytes(usedBytes, 2), "storage_total_gb": Self.gigabytes(disk?.total, 1),
            "storage_percent": Self.percent(disk?.held ?? 0, of: disk?.total), "uptime": .string(shortUptime),
        ]
    }

    /// `0d 0h 2m`.
    package var uptimeText: String { "\(uptime / 86_400)d \(uptime / 3600 % 24)h \(uptime / 60 % 60)m" }

    /// `5d 12h 30m`, without what is zero in front.
    private var shortUptime: String {
        let (days, hours, minutes) = (uptime / 86_400, uptime / 3600 % 24, uptime / 60 % 60)
        return days > 0 ? "\(days)d \(hours)h \(minutes)m" : hours > 0 ? "\(hours)h \(minutes)m" : "\(minutes)m"
    }

    static func rounded(_ value: Double?, _ digits: Int) -> JSONValue {
        guard let value, value.isFinite else { return .null }
        let scale = digits == 1 ? 10.0 : 100.0
        return .number((value * scale).rounded() / scale)
    }

    private static func gigabytes(_ bytes: Int64?, _ digits: Int) -> JSONValue { rounded(bytes.map { Double($0) / 1_073_741_824 }, digits) }
    static func megabytes(_ bytes: Int64?) -> JSONValue { rounded(bytes.map { Double($0) / 1_048_576 }, 1) }

    private static func percent(_ part: Int64, of whole: Int64?) -> JSONValue {
        guard let whole, whole > 0 else { return .null }
        return JSONValue(Int(Double(part) / Double(whole) * 100))
    }
}

extension Int64 {
    /// The product, or the largest number where it does not fit.
    fileprivate func multipliedClamped(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }
}
