import Argon2
import NVRBackup
import NVRBase
import NVRModel
import Testing

@Suite("Backups: names, schedule, encryption")
struct PureTests {
    @Test("Names are plain file names that sort by time; nothing that climbs, hides or ends otherwise is one")
    func names() {
        let name = BackupFile.name(.auto, at: at(0))
        #expect(name == "vibe_backup_auto_20261118_110640Z.json")
        #expect(BackupFile.name(.manual, at: at(0), copy: 2) == "vibe_backup_manual_20261118_110640Z_2.json")
        #expect(BackupFile.exportName(at: at(0)) == "vibenvr_backup_20261118_110640Z.json")
        #expect(BackupFile.name(.auto, at: at(1)) > name)
        for good in [name, "vibenvr_auto_backup_20240101_000000.json", "a.json", "my-backup.2.json"] { #expect(BackupFile.isValid(good), "\(good)") }
        for bad in [
            "", ".json", "..json", "../x.json", "a/../b.json", "/etc/x.json", "a\\b.json", "a..b.json", ".hidden.json", "-rf.json", "x.txt",
            "x.json/",
            "x.json\0", "x\n.json", "é.json", "%2e%2e.json", String(repeating: "a", count: 130) + ".json", "x .json", "~.json",
        ] {
            #expect(!BackupFile.isValid(bad), "\(bad)")
        }
        #expect(BackupFile(name: name, bytes: 1, writtenAt: at(0)).occasion == .auto)
        #expect(BackupFile(name: "mine.json", bytes: 1, writtenAt: at(0)).occasion == nil)
    }

    private func file(_ occasion: BackupFile.Occasion, _ seconds: Int64) -> BackupFile {
        BackupFile(name: BackupFile.name(occasion, at: at(seconds)), bytes: 1, writtenAt: at(seconds))
    }

    @Test("A backup is due when the last scheduled one is old enough; backups of other kinds and of the future do not count")
    func due() {
        let daily = BackupSchedule(isEnabled: true, everyHours: 24, keep: 7)
        #expect(daily.isDue(at: at(0), files: []))
        #expect(!daily.isDue(at: at(24 * hour - 1), files: [file(.auto, 0)]))
        #expect(daily.isDue(at: at(24 * hour), files: [file(.auto, 0)]))
        #expect(!daily.isDue(at: at(24 * hour), files: [file(.auto, 0), file(.auto, 23 * hour)]))
        #expect(daily.isDue(at: at(24 * hour), files: [file(.auto, 0), file(.manual, 23 * hour), file(.safety, 23 * hour)]))
        // The clock was set back: a file of the future keeps nothing from being made.
        #expect(daily.isDue(at: at(0), files: [file(.auto, 1000 * hour)]))
        #expect(!daily.isDue(at: at(hour), files: [file(.auto, 1000 * hour), file(.auto, 0)]))
        #expect(!BackupSchedule(isEnabled: false, everyHours: 1, keep: 7).isDue(at: at(0), files: []))
        let values = SettingValues(stored: ["backup_auto_enabled": "true", "backup_auto_frequency_hours": "6", "backup_auto_retention": "2"])
        #expect(BackupSchedule(values) == BackupSchedule(isEnabled: true, everyHours: 6, keep: 2))
        #expect(BackupSchedule(SettingValues()) == BackupSchedule(isEnabled: false, everyHours: 24, keep: 7))
    }

    @Test("Of scheduled and safety backups the newest are kept, manual ones and foreign files all")
    func surplus() {
        let schedule = BackupSchedule(isEnabled: true, everyHours: 1, keep: 2)
        let files = [
            file(.auto, 1), file(.auto, 3), file(.auto, 2), file(.manual, 0), file(.safety, 0),
            BackupFile(name: "x.json", bytes: 1, writtenAt: at(0)),
        ]
        #expect(schedule.surplus(files, of: .auto) == [file(.auto, 1)])
        #expect(schedule.surplus(files, of: .manual).isEmpty && schedule.surplus(files, of: .safety).isEmpty)
        #expect(BackupSchedule(isEnabled: true, everyHours: 0, keep: 0).keep == 1)
    }

    private static let cost = PasswordHash.Parameters(memory: 64, passes: 1)

    @Test("An encrypted backup opens with its passphrase only, and not when anything in it was changed")
    func encryption() throws {
        let text = #"{"cameras":[],"note":"é"}"#
        let document = try BackupCipher.encrypted(text, with: Secret("correct horse"), cost: Self.cost)
        #expect(BackupCipher.isEncrypted(document) && !document.serialized().contains("cameras"))
        #expect(try BackupCipher.decrypted(document, with: Secret("correct horse")) == text)
        #expect(try BackupCipher.encrypted(text, with: Secret("correct horse"), cost: Self.cost) != document)
        for wrong in ["", "correct hors", "Correct horse", String(repeating: "x", count: 5000)] {
            #expect(#expect(throws: NVRError.self) { try BackupCipher.decrypted(document, with: Secret(wrong)) }?.kind == .invalid)
        }
        let data = try #require(document["data"]?.string)
        for (path, value) in [
            (["kdf", "memory_kib"], 65), (["kdf", "passes"], 2), (["kdf", "salt"], "AAAAAAAAAAAAAAAAAAAAAA=="), (["version"], 2),
            (["cipher"], "none"),
            (["kdf", "name"], "argon2i"), (["data"], .string(String(data.reversed()))), (["data"], ""), (["data"], nil), (["kdf"], nil),
            (["data"], .string("AAAA" + data.dropFirst(4))),
        ] as [([String], JSONValue?)] {
            let changed = document.changing(path, to: value)
            #expect(
                #expect(throws: NVRError.self, "\(path)") { try BackupCipher.decrypted(changed, with: Secret("correct horse")) }?.kind == .invalid)
        }
    }

    @Test("A backup cannot ask for the memory or the time of the machine")
    func greed() throws {
        let document = try BackupCipher.encrypted("{}", with: Secret("correct horse"), cost: Self.cost)
        for (key, value) in [
            ("memory_kib", 4_000_000_000), ("memory_kib", 1 << 20), ("memory_kib", -1), ("passes", 100_000), ("lanes", 100), ("lanes", 0),
        ] as [(String, Int64)] {
            let greedy = document.changing(["kdf", key], to: .integer(value))
            #expect(throws: NVRError.self, "\(key) \(value)") { try BackupCipher.decrypted(greedy, with: Secret("correct horse")) }
        }
        #expect(BackupCipher.refusal(of: Secret("short")) != nil && BackupCipher.refusal(of: Secret("long enough")) == nil)
        #expect(BackupCipher.refusal(of: Secret(String(repeating: "x", count: 2000))) != nil)
    }

    @Test("Only hashes that can be checked here, at a bounded cost, are taken over")
    func hashes() throws {
        let limit = PasswordHash.Parameters(memory: 256 << 10, passes: 16, lanes: 16)
        #expect(PasswordHash.isVerifiable(try hash(), atMost: limit))
        let made = "$argon2id$v=19$m=65536,t=3,p=4$wXhPCcFYa601JoRQ6t07Zw$HBqk8pqnKnMKnnyA5vYhFhBVjsHGAF0TSYKFNHUNkKw"
        #expect(PasswordHash.isVerifiable(made, atMost: limit))
        #expect(try PasswordHash.verify("x", made) == false)
        for bad in [
            "", "!", "$2b$12$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
            "$argon2id$v=19$m=1048576,t=3,p=4$wXhPCcFYa601JoRQ6t07Zw$HBqk8pqnKnMKnnyA5vYhFhBVjsHGAF0TSYKFNHUNkKw",
            "$argon2id$v=19$m=65536,t=99,p=4$wXhPCcFYa601JoRQ6t07Zw$HBqk8pqnKnMKnnyA5vYhFhBVjsHGAF0TSYKFNHUNkKw",
            "$argon2id$v=19$m=65536,t=3,p=4$wXhPCcFYa601JoRQ6t07Zw$", "$argon2id$v=19$m=65536,t=3,p=4$$HBqk8pqnKnMKnnyA5vYhFhBVjsHGAF0TSYKFNHUNkKw",
            made + "!", made.replacing("wXhP", with: "w=hP"), made + "$", String(made.dropLast()) + "x",
            "$argon2id$v=19$m=8,t=3,p=4$wXhPCcFYa601JoRQ6t07Zw$HBqk8pqnKnMKnnyA5vYhFhBVjsHGAF0TSYKFNHUNkKw",
        ] {
            #expect(!PasswordHash.isVerifiable(bad, atMost: limit), "\(bad)")
        }
    }
}
