import ArgumentParser
import NVRBase
import NVRRecording

/// What footage is encrypted with: shared by all commands that read or write it.
struct FootageKeyOptions: ParsableArguments {
    @Option(
        name: .long,
        help:
            "Encrypt footage with a key from this file, which `vibenvr key create` makes; further keys in it, one a line, open older footage. Env FOOTAGE_KEY_FILE, or the key itself in env FOOTAGE_KEY. (default: footage is not encrypted)"
    )
    var footageKeyFile: String?

    /// The keys; none when nobody names any. Ends the program when they are named and cannot be had: footage that somebody wants encrypted is never
    /// recorded in the clear.
    func keys() throws -> FootageKeys {
        let text = environment("FOOTAGE_KEY")
        do {
            // An option goes before the environment.
            if let footageKeyFile { return try FootageKeys.read(footageKeyFile) }
            switch (environment("FOOTAGE_KEY_FILE"), text) {
            case (_?, _?): throw NVRError(.invalid, "set either FOOTAGE_KEY_FILE or FOOTAGE_KEY, not both")
            case (let path?, nil): return try FootageKeys.read(path)
            case (nil, let text?): return try FootageKeys.parse(text, from: "FOOTAGE_KEY")
            case (nil, nil): return .none
            }
        } catch let error as NVRError {
            throw StartFailure(message: error.message)
        }
    }
}
