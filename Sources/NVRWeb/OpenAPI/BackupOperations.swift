import NVRBackup
import NVRModel

/// Backups of the configuration.
extension OpenAPIDocument {
    private static let passphrase = Schema.text(0...BackupCipher.longestPassphrase).described("Empty counts as none.")
    private static let wrong = "No backup, a wrong passphrase, or something in it that is refused; nothing was changed."
    private static let busy = "Another restore is running, or no active administrator would be left; nothing was changed."
    private static let noBackup = "There is no such backup."

    static let backupOperations: [Operation] = [
        Operation("GET /settings/backup/export", "exportBackup", .backups, "The configuration as a file")
            .explained("Everything but footage and events, in plain text: passwords of cameras, keys of buckets and hashes of users too.")
            .answers(.named("BackupDocument"), "The backup.", headers: [.attachment]),
        Operation("POST /settings/backup/export", "exportEncryptedBackup", .backups, "The configuration as a file, encrypted with a passphrase")
            .body(
                .object(
                    [:],
                    optional: ["passphrase": passphrase.described("At least \(BackupCipher.shortestPassphrase) characters; without it, plain text.")]),
                required: false
            )
            .answers(.map(of: .anything), "The backup.", headers: [.attachment])
            .refuses(400, "The passphrase is too short."),
        Operation("GET /settings/backup/list", "listBackups", .backups, "Backups in the folder of the server")
            .answers(.array(of: .named("BackupFile")), "Newest first."),
        Operation("POST /settings/backup/run", "runBackup", .backups, "Make a backup in the folder of the server")
            .answers(
                .object(["filename": .text, "size": .id, "created_at": .dateTime, "message": .text]), "It is made."
            )
            .refuses(507, "The disk is full."),
        restores(
            Operation("POST /settings/backup/import", "importBackup", .backups, "Restore a backup")
                .explained(
                    "One of this server or of VibeNVR. What it knows becomes as it was, in one step, or nothing changes; what it does not know stays. A backup of what was there is made before."
                )
                .body(.object(["file": .binary], optional: ["passphrase": passphrase]), as: "multipart/form-data")
                .body(.named("BackupDocument"))),
        restores(
            Operation("POST /settings/backup/restore-file/{filename}", "restoreBackup", .backups, "Restore a backup of the folder")
                .explained("As an import. Files that the server encrypted open with its own passphrase.")
                .body(.object([:], optional: ["passphrase": passphrase]), required: false)
        ).refuses(404, noBackup),
        Operation("DELETE /settings/backup/{filename}", "deleteBackup", .backups, "Delete a backup of the folder")
            .answers(message, "It is deleted.").refuses(400, "No name of a backup.").refuses(404, noBackup),
    ]

    private static func restores(_ operation: Operation) -> Operation {
        operation.answers(.named("Restored"), "It is restored.").refuses(400, wrong).refuses(409, busy).refuses(507, "The disk is full.")
    }

    static let backupSchemas: [(String, Schema)] = [
        ("BackupFile", .object(["filename": .text, "size": Schema.id.described("Bytes."), "created_at": .dateTime])),
        (
            "BackupDocument",
            .object(
                ["cameras": .array(of: .map(of: .anything))],
                optional: [
                    "timestamp": .text, "version": Schema.text.example("1.0"), "made_by": .text, "instance": .text,
                    "settings": .array(of: .map(of: .anything)), "groups": .array(of: .map(of: .anything)),
                    "storage_profiles": .array(of: .map(of: .anything)),
                    "s3_profiles": .array(of: .map(of: .anything)), "associations": .array(of: .map(of: .anything)),
                    "users": .array(of: .map(of: .anything)), "api_tokens": .array(of: .map(of: .anything)),
                    "recovery_codes": .array(of: .map(of: .anything)), "trusted_devices": .array(of: .map(of: .anything)),
                    "federated_nodes": .array(of: .map(of: .anything)),
                ])
        ),
        (
            "Restored",
            .object([
                "message": .text,
                "restored": Schema.object([
                    "settings": .integer, "storage_profiles": .integer, "s3_profiles": .integer, "cameras": .integer, "groups": .integer,
                    "users": .integer,
                    "api_tokens": .integer,
                ]).described("What is new or has changed."),
                "warnings": Schema.array(of: .text).described("What was left out, and what needs a look."),
                "warnings_said": .saidList,
                "users_without_password": Schema.array(of: .text).described("An administrator has to set one."),
                "safety_backup": Schema.text.described("What was there before, in the folder of the server."),
            ])
        ),
    ]
}
