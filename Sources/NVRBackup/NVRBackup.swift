// NVRBackup holds backups of the configuration: their document, their encryption, their folder, their schedule, and restoring them.
