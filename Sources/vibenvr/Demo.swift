import ArgumentParser
import Foundation
import Logging
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve with a simulated camera that shows real footage.",
        discussion: "Starts an RTSP server as the camera, records it, and prints the address and the sign-in. Ctrl-C ends both.")

    @OptionGroup var options: ServerOptions

    @Option(
        name: .long,
        help: "Command that serves the camera and prints 'READY main-url sub-url'. {cache} becomes a folder it may keep files in.")
    var cameraCommand = "/usr/bin/python3 demo/camera.py --cache {cache}"

    mutating func run() async throws {
        var configuration = try options.resolved()
        if options.data.dataDir == nil, environment("VIBENVR_DATA") == nil { configuration.dataPath = "./data/demo" }
        configuration.allowLoopbackCameras = true
        if options.host == nil, environment("VIBENVR_HOST") == nil { configuration.host = "127.0.0.1" }
        if options.logLevel == nil, environment("LOG_LEVEL") == nil { configuration.logLevel = "notice" }
        let (logger, logFile) = try makeLogger(configuration.logLevel)
        try FileManager.default.createDirectory(atPath: configuration.dataPath + "/footage", withIntermediateDirectories: true)

        let command = cameraCommand.replacingOccurrences(of: "{cache}", with: "'\(configuration.dataPath)/footage'")
        let camera = try SimulatedCamera(command: command)
        defer { camera.stop() }
        let urls = try camera.waitUntilReady()

        let password = "demo-" + (0..<10).map { _ in String("abcdefghjkmnpqrstuvwxyz23456789".randomElement() ?? "x") }.joined()
        let host = configuration.host
        let scheme = configuration.tls == .off ? "http" : "https"
        try await serve(configuration, logger: logger, logFile: logFile) { server in
            if let user = try await server.store.users.credentials(username: "demo")?.user {
                _ = try await server.accounts.setPassword(of: user.id, to: password)
            } else {
                _ = try await server.accounts.create(username: "demo", password: password, role: .admin)
            }
            if let old = try await server.store.cameras.all().first(where: { $0.general.name == "Demo camera" }) {
                _ = try await server.store.cameras.update(old.id) { camera in
                    camera.streams.url = urls.main
                    camera.streams.subURL = urls.sub
                }
            } else {
                var demo = Camera(id: ID(0), createdAt: WallTime(microseconds: SystemClock().wall()), name: "Demo camera", url: urls.main)
                demo.streams.subURL = urls.sub
                demo.recording.mode = .continuous
                demo.recording.maxLength = 60
                _ = try await server.store.cameras.insert(demo)
            }
        } whenReady: { port in
            say("")
            say("  VibeNVR is running:  \(scheme)://\(host):\(port)")
            say("  sign in as:          demo")
            say("  password:            \(password)")
            say("")
            say("Ctrl-C ends the server and the simulated camera.")
        }
    }
}

/// The child process that plays the camera.
private final class SimulatedCamera {
    private let process = Process()
    private let output = Pipe()

    init(command: String) throws {
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "exec \(command)"]
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    /// Passes progress lines on until the camera serves. Throws when it ends before.
    func waitUntilReady() throws -> (main: String, sub: String) {
        var buffer = Data()
        while true {
            let piece = output.fileHandleForReading.availableData
            guard !piece.isEmpty else {
                throw StartFailure(message: "the simulated camera did not start; `make demo` installs what it needs")
            }
            buffer.append(piece)
            while let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[buffer.startIndex..<end], as: UTF8.self)
                buffer.removeSubrange(buffer.startIndex...end)
                let words = line.split(separator: " ").map(String.init)
                if words.first == "READY", words.count >= 2 { return (words[1], words.count > 2 ? words[2] : words[1]) }
                say(line)
            }
        }
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        // A child may have inherited a mask that blocks the polite signal.
        for _ in 0..<20 where process.isRunning { usleep(100_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }
}
