import ArgumentParser
#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import NVRRecording

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make and look at keys that footage is encrypted with.", subcommands: [Create.self, Show.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a file with a new random key.",
            discussion: """
                The file (mode 0600) holds 32 random bytes in base 64. Keep a copy of it somewhere else: without the key, nobody can read the footage. \
                With --add, a file that is there gets another key: new footage takes it, and the older ones stay below it for what they have \
                encrypted.
                """)

        @Option(name: .long, help: "File to make.") var out: String

        @Flag(name: .long, help: "Put the new key in front of those in a file that is there.")
        var add = false

        mutating func run() throws {
            var text = FootageKeys.makeText() + "\n"
            if add {
                do {
                    // What is no list of keys is not made one.
                    _ = try FootageKeys.read(out)
                    let old = try POSIXFile.openExisting(out)
                    let bytes = try old.read(at: 0, count: Int(try old.length()))
                    guard bytes.count != FootageKeys.keyBytes else {
                        throw StartFailure(message: "\(out) is one key of 32 bytes and no text: write it in base 64 first (base64 < \(out))")
                    }
                    text += String(decoding: bytes, as: UTF8.self)
                } catch let error as NVRError {
                    throw StartFailure(message: error.message)
                }
            }
            do { try Self.write(text, to: out, replacing: add) } catch let error as FileError {
                throw StartFailure(
                    message: error.exists
                        ? "\(out) is there already: give another name, or --add to put a new key in front of those in it" : "\(error)")
            }
            let keys = try FootageKeys.read(out)
            say("\(out): key \(keys.writing?.description ?? "")")
            say("Keep a copy of it apart from the footage: without the key, nobody can read what is encrypted with it.")
        }

        private static func write(_ text: String, to path: String, replacing: Bool) throws {
            let draft = replacing ? path + ".\(getpid())" : path
            let file = try POSIXFile.create(draft, mode: 0o600)
            do {
                try Array(text.utf8).withUnsafeBytes { try file.write([$0], at: 0) }
                try file.sync()
                if replacing { try POSIXFile.rename(draft, to: path) }
            } catch {
                try POSIXFile.remove(draft)
                throw error
            }
            try POSIXFile.syncDirectory(POSIXFile.parent(of: path) ?? (path.hasPrefix("/") ? "/" : "."))
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell the names of keys, and which one a file of footage needs. No key is shown.")

        @OptionGroup var footageKeys: FootageKeyOptions

        @Argument(help: "Files of footage.") var files: [String] = []

        mutating func run() throws {
            let keys = try footageKeys.keys()
            guard !keys.isEmpty || !files.isEmpty else { throw ValidationError("give --footage-key-file, or files of footage") }
            if let first = keys.writing { say("\(first) for new footage") }
            for id in keys.ids.map(\.description).sorted() where id != keys.writing?.description { say("\(id)") }
            for path in files {
                do {
                    let id = try FootageCipher.keyID(of: try POSIXFile.openExisting(path))
                    say(
                        "\(path): "
                            + (id.map { "key \($0)" + (keys.isEmpty || keys.ids.contains($0) ? "" : ", which is not here") } ?? "not encrypted"))
                } catch let error as FileError {
                    throw StartFailure(message: "\(error)")
                }
            }
        }
    }
}
