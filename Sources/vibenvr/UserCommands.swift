import ArgumentParser
#if canImport(Glibc)
    import Glibc
#endif
import NVRAccounts
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Make users and reset passwords from the shell of this machine.",
        subcommands: [Create.self, ResetPassword.self, List.self])

    /// The password is read from standard input, so that it is in no history or process list.
    static func readPassword(_ prompt: String) throws -> String {
        let isTerminal = isatty(STDIN_FILENO) == 1
        var old = termios()
        if isTerminal {
            say(prompt)
            tcgetattr(STDIN_FILENO, &old)
            var silent = old
            silent.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(STDIN_FILENO, TCSANOW, &silent)
        }
        defer {
            if isTerminal {
                tcsetattr(STDIN_FILENO, TCSANOW, &old)
                say("")
            }
        }
        guard let line = readLine(), !line.isEmpty else { throw ValidationError("a password is needed on standard input") }
        return line
    }

    static func withAccounts<Result>(_ data: DataOptions, _ body: (Accounts, Store) async throws -> Result) async throws -> Result {
        try POSIXFile.makeDirectories(data.path)
        let key = try SigningKey.load(environment: environment("SECRET_KEY"), dataDirectory: data.path)
        let store = try Store.open(
            at: data.databasePath, keys: SecretKeys(explicit: environment("SECRET_KEY"), previous: environment("SECRET_KEY_OLD")))
        do {
            let result = try await body(Accounts(store: store, key: key), store)
            try store.close()
            return result
        } catch let error as NVRError {
            throw StartFailure(message: error.message)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a user. The password is read from standard input.")
        @OptionGroup var data: DataOptions
        @Argument(help: "The name to sign in with.") var username: String
        @Option(name: .long, help: "admin or viewer.") var role = "admin"
        @Option(name: .long, help: "E-mail address.") var email: String?

        mutating func run() async throws {
            guard let role = User.Role(rawValue: role) else { throw ValidationError("the role must be admin or viewer, not '\(role)'") }
            let (username, email) = (username, email)
            let password = try readPassword("Password for \(username):")
            let user = try await withAccounts(data) { accounts, _ in
                try await accounts.create(username: username, password: password, email: email, role: role)
            }
            say("user \(user.username) (\(user.role.rawValue)) made")
        }
    }

    struct ResetPassword: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-password", abstract: "Give a user a new password, read from standard input; sessions end.")
        @OptionGroup var data: DataOptions
        @Argument(help: "The user's name.") var username: String

        mutating func run() async throws {
            let username = username
            let password = try readPassword("New password for \(username):")
            try await withAccounts(data) { accounts, store in
                guard let credentials = try await store.users.credentials(username: username) else {
                    throw NVRError(.notFound, "there is no user \(username); `vibenvr user list` shows them")
                }
                _ = try await accounts.setPassword(of: credentials.user.id, to: password)
            }
            say("the password of \(username) is changed; restart a running server so that old sessions end at once")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the users.")
        @OptionGroup var data: DataOptions

        mutating func run() async throws {
            let users = try await withAccounts(data) { _, store in try await store.users.all() }
            for user in users { say("\(user.username)\t\(user.role.rawValue)\(user.isActive ? "" : "\tinactive")") }
        }
    }
}
