package import NVRModel

/// When a backup is due and which old ones go, as the settings `backup_auto_*` say. Pure.
package struct BackupSchedule: Sendable, Hashable {
    package var isEnabled: Bool
    /// Hours between backups.
    package var everyHours: Int
    /// Scheduled backups that are kept, and safety backups likewise.
    package var keep: Int

    package init(isEnabled: Bool, everyHours: Int, keep: Int) {
        self.isEnabled = isEnabled
        self.everyHours = max(1, everyHours)
        self.keep = max(1, keep)
    }

    package init(_ values: SettingValues) {
        self.init(
            isEnabled: values[Settings.backupAutoEnabled], everyHours: values[Settings.backupAutoFrequencyHours],
            keep: values[Settings.backupAutoRetention])
    }

    private static let hour: Int64 = 3_600_000_000

    /// Whether a scheduled backup should be made now, given those that are there. A file that claims to be of the future, since the
    /// clock was set back, counts as made an unknown time ago.
    package func isDue(at now: WallTime, files: [BackupFile]) -> Bool {
        guard isEnabled else { return false }
        let past = files.filter { $0.occasion == .auto && $0.writtenAt <= now }.map(\.writtenAt)
        guard let last = past.max() else { return true }
        return now.microseconds(since: last) >= Int64(everyHours) * Self.hour
    }

    /// Files of an occasion that are more than are kept, the oldest. Manual backups stay until somebody deletes them.
    package func surplus(_ files: [BackupFile], of occasion: BackupFile.Occasion) -> [BackupFile] {
        guard occasion != .manual else { return [] }
        let newestFirst = files.filter { $0.occasion == occasion }.sorted { ($0.writtenAt, $0.name) > ($1.writtenAt, $1.name) }
        return Array(newestFirst.dropFirst(keep))
    }
}
