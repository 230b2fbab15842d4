import GRDB

/// The list of schema changes, oldest first. A migration that was released is never edited.
enum Migrations {
    /// `secrets` seals what earlier schemas held in plain text.
    static func migrator(_ secrets: SecretBox) -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("M0001_Create") { try M0001_Create.run($0) }
        migrator.registerMigration("M0002_Groups") { try M0002_Groups.run($0) }
        migrator.registerMigration("M0003_Accounts") { try M0003_Accounts.run($0) }
        migrator.registerMigration("M0004_Audit") { try M0004_Audit.run($0) }
        migrator.registerMigration("M0005_Secrets") { try M0005_Secrets.run($0, secrets) }
        migrator.registerMigration("M0006_StreamingSecrets") { try M0006_StreamingSecrets.run($0) }
        // It rebuilds no table; checking every reference of millions of rows would take longer than all it does.
        migrator.registerMigration("M0007_Timeline", foreignKeyChecks: .immediate) { try M0007_Timeline.run($0) }
        migrator.registerMigration("M0008_Holds") { try M0008_Holds.run($0) }
        // As M0007.
        migrator.registerMigration("M0009_Volumes", foreignKeyChecks: .immediate) { try M0009_Volumes.run($0) }
        migrator.registerMigration("M0010_Health") { try M0010_Health.run($0) }
        migrator.registerMigration("M0011_Offsite") { try M0011_Offsite.run($0) }
        migrator.registerMigration("M0012_EventTags", foreignKeyChecks: .immediate) { try M0012_EventTags.run($0) }
        migrator.registerMigration("M0013_Moves", foreignKeyChecks: .immediate) { try M0013_Moves.run($0) }
        // As M0007.
        migrator.registerMigration("M0014_Retention", foreignKeyChecks: .immediate) { try M0014_Retention.run($0) }
        migrator.registerMigration("M0015_Buckets", foreignKeyChecks: .immediate) { try M0015_Buckets.run($0) }
        migrator.registerMigration("M0016_FootageKeys", foreignKeyChecks: .immediate) { try M0016_FootageKeys.run($0) }
        migrator.registerMigration("M0017_Imports", foreignKeyChecks: .immediate) { try M0017_Imports.run($0) }
        migrator.registerMigration("M0018_EventOrder", foreignKeyChecks: .immediate) { try M0018_EventOrder.run($0) }
        // As M0007.
        migrator.registerMigration("M0019_SealedSegments", foreignKeyChecks: .immediate) { try M0019_SealedSegments.run($0) }
        migrator.registerMigration("M0020_FootageIndex", foreignKeyChecks: .immediate) { try M0020_FootageIndex.run($0) }
        migrator.registerMigration("M0021_SealedTotals", foreignKeyChecks: .immediate) { try M0021_SealedTotals.run($0) }
        return migrator
    }

    /// The entry of a migration that nobody knows because a bit of its name has changed; nil when there is none.
    static func damaged(_ db: Database, _ migrator: DatabaseMigrator) throws -> String? {
        let applied = try migrator.appliedIdentifiers(db)
        let missing = Set(migrator.migrations).subtracting(applied)
        return try String.fetchAll(db, sql: "SELECT identifier FROM grdb_migrations ORDER BY 1").first { entry in
            !migrator.migrations.contains(entry) && missing.contains { Soundness.isDamaged(entry, insteadOf: $0) }
        }
    }
}
