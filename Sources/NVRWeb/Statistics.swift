import NVRAccounts
package import NVRModel
package import NVRStore

/// The numbers behind `/stats`, `/metrics` and retention hints, gathered at one moment. Bytes unless said otherwise.
package struct Statistics: Sendable {
    /// A file system's size and free space.
    package struct Volume: Sendable, Equatable {
        package var totalBytes: Int64
        package var freeBytes: Int64

        package init(totalBytes: Int64, freeBytes: Int64) {
            self.totalBytes = totalBytes
            self.freeBytes = freeBytes
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

    package var cameras: [Camera]
    package var health: [ID<Camera>: CameraHealth]
    package var movies: [ID<Camera>: Holding]
    package var pictures: [ID<Camera>: Holding]
    /// Footage of the last 24 hours.
    package var recentBytes: [ID<Camera>: Int64]
    package var eventTotals: [EventTotal]
    package var eventsLastDay: Int
    package var databaseBytes: Int64
    package var volume: Volume?
    package var load: HostLoad.Reading
    /// Seconds since the program started.
    package var uptime: Int
    /// Where recordings lie; nil when the asker need not know.
    package var recordingPath: String?

    /// Reads the database; `volume` and `load` are taken by the caller.
    static func gather(
        from store: Store, health: [ID<Camera>: CameraHealth], visibleTo caller: Identity?, volume: Volume?, load: HostLoad.Reading,
        uptime: Int,
        recordingPath: String?, now: WallTime
    ) async throws -> Statistics {
        func sees(_ id: ID<Camera>) -> Bool { caller.map { Access.allows($0, .view, camera: id) } ?? true }
        let dayAgo = now.advanced(byMicroseconds: -86_400_000_000)
        var movies: [ID<Camera>: Holding] = [:]
        for total in try await store.segments.totals() where sees(total.cameraID) {
            movies[total.cameraID, default: Holding()].count += total.count
            movies[total.cameraID, default: Holding()].bytes += total.bytes
        }
        let eventTotals = try await store.events.totals().filter { sees($0.cameraID) }
        var pictures: [ID<Camera>: Holding] = [:]
        for total in eventTotals where total.medium == .snapshot {
            pictures[total.cameraID, default: Holding()].count += total.count
            pictures[total.cameraID, default: Holding()].bytes += total.bytes
        }
        let lastDay = EventFilter(
            allowed: caller.flatMap { Access.visibleCameras($0, .replay) }, range: TimeRange(start: dayAgo, end: now.advanced(byMicroseconds: 1)),
            limit: 0)
        return Statistics(
            cameras: try await store.cameras.all().filter { sees($0.id) }, health: health.filter { sees($0.key) }, movies: movies,
            pictures: pictures, recentBytes: try await store.segments.bytes(since: dayAgo).filter { sees($0.key) },
            eventTotals: eventTotals,
            eventsLastDay: try await store.events.count(lastDay) ?? eventTotals.reduce(0) { $0 + $1.count },
            databaseBytes: try await store.bytes(), volume: volume, load: load, uptime: uptime, recordingPath: recordingPath)
    }

    // MARK: Sums

    var allMovies: Holding { movies.values.reduce(Holding(), +) }
    var allPictures: Holding { pictures.values.reduce(Holding(), +) }
    var dailyBytes: Int64 { recentBytes.values.reduce(0, +) }
    var eventCount: Int { eventTotals.reduce(0) { $0 + $1.count } }

    func eventCount(_ medium: Event.Medium) -> Int { eventTotals.reduce(0) { $0 + ($1.medium == medium ? $1.count : 0) } }

    /// Active cameras without a picture.
    var troubledCameras: Int {
        cameras.count { $0.general.isActive && [.unreachable, .unauthorized].contains(health[$0.id]?.status) }
    }

    /// The longest that any camera keeps its recordings, in days; nil when one keeps them for ever or there is none.
    var retentionDays: Int? {
        let days = cameras.map { Self.days(keptAs: $0.recording.preserve) }
        return days.contains(nil) ? nil : days.compactMap { $0 }.max()
    }

    /// Days of the API's wordings, such as "For One Week"; nil for "Forever" and for words that are none of them.
    package static func days(keptAs text: String) -> Int? {
        switch text {
        case "For One Day": 1
        case "For One Week": 7
        case "For Two Weeks": 14
        case "For One Month": 30
        case "For Three Months": 90
        case "For Six Months": 180
        case "For One Year": 365
        default: nil
        }
    }

    // MARK: JSON

    /// The answer of `/stats`: the keys of wire/stats.txt; null where a thing does not exist here.
    package var json: JSONValue {
        [
            "active_cameras": JSONValue(cameras.count { $0.general.isActive }), "total_errors": JSONValue(troubledCameras),
            "total_events": JSONValue(eventCount), "events_24h": JSONValue(eventsLastDay), "video_count": JSONValue(eventCount(.video)),
            "picture_count": JSONValue(eventCount(.snapshot)), "storage": storageJSON,
            "resources": [
                "cpu_percent": Self.rounded(load.cpuPercent, 1), "memory_mb": Self.megabytes(load.residentBytes),
                "backend_cpu": Self.rounded(load.cpuPercent, 1), "backend_mem_mb": Self.megabytes(load.residentBytes),
                // Recording is part of this program: there is no second process to tell of.
                "engine_cpu": nil, "engine_mem_mb": nil,
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
            "database": ["size_mb": Self.megabytes(databaseBytes), "event_count": JSONValue(eventCount)],
            "details": detailsJSON, "system_status": .string(troubledCameras == 0 ? "Healthy" : "Degraded"), "uptime": .string(uptimeText),
            "hw_accel": ["enabled": false, "type": "unknown", "status": "disabled"],
        ]
    }

    private var storageJSON: JSONValue {
        let used = allMovies.bytes + allPictures.bytes
        let quota = cameras.reduce(0) { $0 + $1.recording.maxStorage + $1.pictures.maxStorage }
        return [
            "total_gb": Self.gigabytes(volume?.totalBytes, 1), "used_gb": Self.gigabytes(used, 2),
            "free_gb": Self.gigabytes(volume?.freeBytes, 1),
            "percent": Self.percent(used, of: volume?.totalBytes), "estimated_retention_days": Self.rounded(lasting(used, dailyBytes), 1),
            "daily_rate_gb": Self.gigabytes(dailyBytes, 2), "configured_retention": JSONValue(retentionDays.map { "Max \($0) Days" }),
            "configured_retention_days": JSONValue(retentionDays),
            "required_storage_gb": retentionDays.map { Self.gigabytes(dailyBytes.multipliedClamped(by: Int64($0)), 1) } ?? .null,
            "total_quota_gb": .number(quota),
            "quota_percent": quota > 0 ? JSONValue(Int(min(Double(used) / (quota * 1_073_741_824) * 100, 1e6))) : 0,
        ]
    }

    /// Days until the volume is full when footage grows as in the last day; nil while nothing grows.
    private func lasting(_ held: Int64, _ daily: Int64) -> Double? {
        guard daily > 0, let volume else { return nil }
        return (Double(held) + Double(volume.freeBytes)) / Double(daily)
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
            let movies = movies[camera.id] ?? Holding()
            let pictures = pictures[camera.id] ?? Holding()
            let daily = recentBytes[camera.id] ?? 0
            var object = holdings(movies, pictures)
            object["daily_rate_gb"] = Self.gigabytes(daily, 2)
            object["estimated_retention_days"] = Self.rounded(lasting(movies.bytes + pictures.bytes, daily), 1)
            perCamera[camera.id.description] = .object(object)
        }
        let all = allMovies + allPictures
        return [
            "global": .object(holdings(allMovies, allPictures)), "cameras": .object(perCamera),
            "profiles": [
                "default": [
                    "name": "Default Profile", "path": JSONValue(recordingPath), "size_gb": Self.gigabytes(all.bytes, 2),
                    "count": JSONValue(all.count),
                ]
            ],
        ]
    }

    /// `0d 0h 2m`.
    package var uptimeText: String { "\(uptime / 86_400)d \(uptime / 3600 % 24)h \(uptime / 60 % 60)m" }

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
