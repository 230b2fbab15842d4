import HTTPTypes
import Hummingbird
import Logging
import NIOPosix
import NVRBase
import NVRModel

/// The log of the server, for administrators. It holds no credentials: they are taken out before a line is written.
struct LogRoutes: Sendable {
    let folder: String
    let threads: NIOThreadPool
    let responder: MediaResponder
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.get, "/logs/", .admin, list),
            Route(.get, "/logs/download", .admin, download),
        ]
    }

    /// Lines that one request may ask for.
    private static let mostLines = 10_000

    /// One program does what several do elsewhere: its modules stand for them.
    private static let engine: Set<Substring> = ["NVRCameras", "NVRMedia", "NVRRecording", "NVRDetection", "RTSP", "Libav", "ISOBMFF"]
    private static let services = ["all", "backend", "engine", "frontend"]

    private func list(_ call: Call) async throws -> Response {
        var fields = FieldReader()
        func place(_ name: String) -> [FieldProblem.Step] { [.key("query"), .key(name)] }
        var service = ""
        if let text = call.query["service"] {
            service = fields.value(FieldCheck.choice(.string(text), of: Self.services, loc: place("service"))) ?? ""
        } else {
            fields.note(FieldProblem(type: "missing", loc: place("service"), msg: "Field required", input: .null))
        }
        let lines = fields.integer(call.query, "lines", default: 100, limits: 1...Self.mostLines)
        var level = Logger.Level.trace
        if let text = call.query["level"]?.lowercased(), !text.isEmpty {
            let choices = Logger.Level.allCases.map(\.rawValue)
            level = fields.value(FieldCheck.choice(.string(text), of: choices, loc: place("level"))).flatMap(Logger.Level.init(rawValue:)) ?? .trace
        }
        let search = fields.value(FieldCheck.text(.string(call.query["search"] ?? ""), length: 0...200, loc: place("search")))?.lowercased() ?? ""
        try fields.finish()
        // The page is part of the program that answers it: it writes no log.
        guard service != "frontend" else { return Response(json: []) }
        let found = try await threads.runIfActive { [folder, service, level] in
            try LogArchive(folder: folder).tail(lines) { line in
                if level > .trace, LogLine.level(of: line).map({ $0 >= level }) != true { return false }
                if service != "all", LogLine.source(of: line).map(Self.engine.contains) ?? false != (service == "engine") { return false }
                return search.isEmpty || line.lowercased().contains(search)
            }
        }
        return Response(json: .array(found.map(JSONValue.string)))
    }

    /// All files in one, oldest first.
    private func download(_ call: Call) async throws -> Response {
        let archive = try await threads.runIfActive { [folder] in LogArchive(folder: folder) }
        let now = WallTime(microseconds: clock.wall())
        let content = MediaContent(
            contentType: "text/plain; charset=utf-8", length: archive.length, etag: "\"\(archive.length)-\(now.microseconds)\"",
            lastModified: HTTPDate(seconds: now.microseconds.flooredDivision(by: 1_000_000).quotient),
            fileName: "vibenvr-\(String(LocalOffset.server.text(now).map { $0 == " " ? "_" : $0 == ":" ? "-" : $0 })).log",
            read: { try archive.read(at: $0, count: $1) })
        return responder.response(to: call, with: content, of: [], disposition: .attachment, clock: clock)
    }
}
