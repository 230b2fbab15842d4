package import Logging
package import NVRBase
package import NVRCameras
package import NVRModel
package import NVRRecording
package import NVRStore

/// What the web side tells of the server's health.
package struct WebHealth: Sendable {
    package var log: HealthLog
    package var days: RecordedDays
    /// Bytes of each camera that have reached the disk.
    package var synced: @Sendable () -> [ID<Camera>: Int64] = { [:] }
    /// The threads that write to volumes.
    package var writing: @Sendable () -> [DiskWriter.ThreadState] = { [] }
    /// Backups of the database; nil where none are made.
    package var backups: @Sendable () -> DatabaseCare.Reading? = { nil }
    package var webhook: @Sendable () -> HealthWebhook.Counters = { HealthWebhook.Counters() }

    package init(log: HealthLog, days: RecordedDays) {
        self.log = log
        self.days = days
    }

    /// One that knows of nothing but the database.
    package init(store: Store, growing: GrowingSegments, clock: any NVRClock, logger: Logger) {
        self.init(
            log: HealthLog(store: store, clock: clock, logger: logger),
            days: RecordedDays(store: store, growing: growing, calendar: .server, clock: clock, logger: logger))
    }
}

extension RecordedDays.Calendar {
    /// Days as the clocks of the server show them.
    package static let server = RecordedDays.Calendar(
        day: { Int(LocalDay.date(at: $0).daysSince1970) }, range: { LocalDay.range(of: CivilDate(daysSince1970: Int64($0))) })
}

extension MetricsText {
    /// The numbers of the server's health.
    static func text(_ health: WebHealth, cameras: [Camera]) -> String {
        var out = Writer()
        let open = health.log.open
        out.family(
            "vibenvr_health_problems", "gauge", "Things that are wrong now.",
            Dictionary(grouping: open, by: \.kind.rawValue).sorted { $0.key < $1.key }.map { ("kind=\"\($0.key)\"", Double($0.value.count)) })
        out.family(
            "vibenvr_health_events_total", "counter", "Things that went wrong since the program started.",
            health.log.counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { ("kind=\"\($0.key.rawValue)\"", Double($0.value)) })
        let stalled = Set(open.filter { $0.kind == .recordingStalled }.compactMap(\.cameraID))
        out.family(
            "vibenvr_camera_recording_stalled", "gauge", "1 while footage should reach the disk and does not.",
            cameras.map { ("camera=\"\($0.id)\"", stalled.contains($0.id) ? 1 : 0) })
        let synced = health.synced()
        out.family(
            "vibenvr_camera_synced_bytes_total", "counter", "Footage that the disk has confirmed.",
            cameras.map { ("camera=\"\($0.id)\"", Double(synced[$0.id] ?? 0)) })
        let writing = health.writing()
        out.family(
            "vibenvr_writing_thread_stuck", "gauge", "1 while the thread that writes to a volume is stuck in a call of its disk.",
            writing.map { ("volume=\"\($0.volume)\"", $0.isStuck ? 1 : 0) })
        out.family(
            "vibenvr_writing_refused_total", "counter", "Pictures that were turned away, since too much waited for their volume.",
            writing.map { ("volume=\"\($0.volume)\"", Double($0.refused)) })
        if let backups = health.backups() {
            out.single(
                "vibenvr_database_backup_timestamp_seconds", "gauge", "When the newest backup of the database was made; 0 when there is none.",
                backups.newest.map { $0.seconds.rounded() } ?? 0)
            out.single("vibenvr_database_backup_bytes", "gauge", "Bytes of all backups of the database.", Double(backups.bytes))
            out.single("vibenvr_database_backup_failures_total", "counter", "Backups of the database that failed.", Double(backups.failures))
        }
        let webhook = health.webhook()
        out.single("vibenvr_health_webhooks_sent_total", "counter", "Messages about health that were delivered.", Double(webhook.sent))
        out.single(
            "vibenvr_health_webhooks_lost_total", "counter", "Messages about health that were not.", Double(webhook.failed + webhook.dropped))
        return out.text
    }
}
