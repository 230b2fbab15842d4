import NVRBackup
import NVRBase
import NVRModel
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("The folder of backups")
struct FolderTests {
    private let place = TemporaryFolder()
    private var folder: BackupFolder { BackupFolder(path: place.path + "/backups") }

    @Test("Backups are private files, newest first, each with a name of its own")
    func writing() throws {
        #expect(try folder.list().isEmpty)
        let first = try folder.write("one", .manual, at: at(0))
        let second = try folder.write("two", .manual, at: at(0))
        let third = try folder.write("three", .auto, at: at(1))
        #expect(first.name == "vibe_backup_manual_20261118_110640Z.json" && second.name == "vibe_backup_manual_20261118_110640Z_1.json")
        #expect(try folder.list() == [third, second, first])
        #expect(try folder.list().map(\.bytes) == [5, 3, 3])
        #expect(try String(decoding: folder.read(second.name), as: UTF8.self) == "two")
        var status = stat()
        #expect(stat(folder.path, &status) == 0 && status.st_mode & 0o777 == 0o700)
        #expect(stat(folder.path + "/" + first.name, &status) == 0 && status.st_mode & 0o777 == 0o600)
        try folder.delete(first.name)
        #expect(try folder.list() == [third, second])
        #expect(#expect(throws: NVRError.self) { try folder.delete(first.name) }?.kind == .notFound)
        #expect(#expect(throws: NVRError.self) { try folder.read(first.name) }?.kind == .notFound)
    }

    @Test("Nothing outside of the folder is read, listed or deleted: no path, no link, no pipe, no folder")
    func hostile() throws {
        let kept = try folder.write("kept", .manual, at: at(0))
        let secret = place.path + "/secret.json"
        let file = try #require(fopen(secret, "w"))
        fputs("secret", file)
        fclose(file)
        for bad in [
            "../secret.json", "/etc/passwd", secret, "..", ".", "", "a/b.json", "vibe\0.json", ".draft-1.json", kept.name + "/",
            "x.json/../" + kept.name,
        ] {
            #expect(#expect(throws: NVRError.self, "\(bad)") { try folder.read(bad) }?.kind == .invalid)
            #expect(#expect(throws: NVRError.self, "\(bad)") { try folder.delete(bad) }?.kind == .invalid)
        }
        #expect(symlink(secret, folder.path + "/link.json") == 0)
        #expect(symlink("link2.json", folder.path + "/link2.json") == 0)
        #expect(mkfifo(folder.path + "/pipe.json", 0o600) == 0)
        #expect(mkdir(folder.path + "/folder.json", 0o700) == 0)
        #expect(try folder.list() == [kept])
        for name in ["link.json", "link2.json", "pipe.json", "folder.json"] {
            #expect(#expect(throws: NVRError.self, "\(name)") { try folder.read(name) }?.kind == .notFound)
            #expect(#expect(throws: NVRError.self, "\(name)") { try folder.delete(name) }?.kind == .notFound)
        }
        #expect(access(secret, F_OK) == 0)
    }

    @Test("A file that is too large is refused, and a folder that is a link or a file is no folder")
    func odd() throws {
        let kept = try folder.write("kept", .manual, at: at(0))
        #expect(truncate(folder.path + "/" + kept.name, off_t(BackupFolder.largestFile + 1)) == 0)
        #expect(#expect(throws: NVRError.self) { try folder.read(kept.name) }?.kind == .invalid)
        #expect(symlink(folder.path, place.path + "/elsewhere") == 0)
        let linked = BackupFolder(path: place.path + "/elsewhere")
        #expect(throws: NVRError.self) { try linked.list() }
        #expect(throws: NVRError.self) { try linked.write("x", .manual, at: at(0)) }
        #expect(throws: NVRError.self) { try BackupFolder(path: folder.path + "/" + kept.name).write("x", .manual, at: at(0)) }
        #expect(throws: NVRError.self) { try BackupFolder(path: place.path + "/no/such").write("x", .manual, at: at(0)) }
    }
}
