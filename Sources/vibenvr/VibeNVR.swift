// The executable: commands, configuration, and the one function that puts the parts together.

import ArgumentParser

@main
struct VibeNVR: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "vibenvr",
        abstract: "A network video recorder: records IP cameras, finds motion, keeps and shows footage.",
        version: version,
        subcommands: [
            Serve.self, Demo.self, Check.self, Adopt.self, Verify.self, KeyCommand.self, Decrypt.self, ImportCommand.self, UserCommand.self,
        ])
}
