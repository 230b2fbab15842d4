import ArgumentParser
#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import NVRRecording

struct Decrypt: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make files that any player shows of encrypted footage.",
        discussion: """
            For when only the files and the key are left; needs no server and no database. The files themselves stay as they are. Folders are \
            gone through, and their structure is kept below --out. Pieces of events from a bucket are read, too. Ends with code 1 when \
            anything was damaged; what could be read up to there is written all the same.
            """)

    @OptionGroup var footageKeys: FootageKeyOptions

    @Argument(help: "Encrypted files (.mp4, .jpg), or folders with such files.") var files: [String]

    @Option(name: .long, help: "Folder for what is made; it is made if it is not there. (default: the current one)")
    var out = "."

    @Flag(name: .long, help: "Write over files that are there.")
    var force = false

    mutating func run() throws {
        let cipher = FootageCipher(keys: try footageKeys.keys())
        guard !cipher.keys.isEmpty else { throw StartFailure(message: "give the key with --footage-key-file, FOOTAGE_KEY_FILE or FOOTAGE_KEY") }
        var failures = 0
        var (made, clear) = (0, 0)
        for path in files {
            for (source, name) in try Self.expand(path) {
                do {
                    let report = try FootageDecryption.write(source, to: "\(out)/\(name)", cipher, replacing: force)
                    made += 1
                    say("\(out)/\(name): \(report.bytes) bytes" + (report.note.map { " (\($0))" } ?? ""))
                    if report.isDamaged { failures += 1 }
                } catch let error as NVRError where error.kind == .conflict {
                    clear += 1
                    say("\(source): \(error.message)")
                } catch let error as NVRError {
                    failures += 1
                    say("\(source): \(error.message)")
                } catch let error as FileError {
                    failures += 1
                    say("\(error)")
                }
            }
        }
        say("\(made) files made, \(clear) not encrypted, \(failures) with errors")
        if failures > 0 { throw ExitCode.failure }
    }

    /// The files of an argument, and the names they get.
    private static func expand(_ path: String) throws -> [(source: String, name: String)] {
        let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard FootageDecryption.isFolder(trimmed) else { return [(trimmed, trimmed.split(separator: "/").last.map(String.init) ?? trimmed)] }
        return FootageDecryption.files(below: trimmed).map { ("\(trimmed)/\($0)", $0) }
    }
}
