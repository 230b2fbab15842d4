import HTTPTypes
import Hummingbird
import NVRBackup
import NVRBase
import NVRModel
import NVRStore

/// Backups of the configuration, for administrators.
struct BackupRoutes: Sendable {
    let backups: Backups

    /// Bytes of a form with a backup: the backup and what surrounds it.
    private static let largestForm = BackupFolder.largestFile + (64 << 10)

    var routes: [Route] {
        [
            Route(.get, "/settings/backup/export", .admin) { _ in try await export(nil) },
            Route(.post, "/settings/backup/export", .admin) { try await export(try Self.passphrase(in: $0)) },
            Route(.get, "/settings/backup/list", .admin, list),
            Route(.post, "/settings/backup/run", .admin, run),
            Route(.post, "/settings/backup/import", .admin, largestBody: Self.largestForm, importBackup),
            Route(.post, "/settings/backup/restore-file/{filename}", .admin, restoreFile),
            Route(.delete, "/settings/backup/{filename}", .admin, delete),
        ]
    }

    private func export(_ passphrase: Secret?) async throws -> Response {
        let (name, text) = try await backups.export(passphrase: passphrase)
        return Response(
            status: .ok,
            headers: [.contentType: "application/json", .cacheControl: "no-store", .contentDisposition: "attachment; filename=\(name)"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private func list(_ call: Call) async throws -> Response { Response(json: .array(try await backups.list().map(\.json))) }

    private func run(_ call: Call) async throws -> Response {
        guard case .object(var object) = try await backups.make(.manual).json else { return Response(json: .null) }
        object["message"] = "Manual backup completed successfully"
        return Response(json: .object(object))
    }

    /// A form with the file, and with `passphrase` when it is encrypted; or the document itself.
    private func importBackup(_ call: Call) async throws -> Response {
        if MultipartForm.boundary(call.head.headerFields[.contentType] ?? "") == nil, Self.isJSON(call) {
            return Self.answer(try await backups.restore(call.body.readableBytesView, passphrase: nil))
        }
        let form = try MultipartForm(call)
        let passphrase = form.text("passphrase").flatMap { $0.isEmpty ? nil : Secret($0) }
        return Self.answer(try await backups.restore(try form.file("file").body.readableBytesView, passphrase: passphrase))
    }

    private func restoreFile(_ call: Call) async throws -> Response {
        Self.answer(try await backups.restore(file: call.parameters["filename"] ?? "", passphrase: try Self.passphrase(in: call)))
    }

    private func delete(_ call: Call) async throws -> Response {
        let name = call.parameters["filename"] ?? ""
        try await backups.delete(name)
        return Response(json: ["message": .string("Backup \(name) deleted")])
    }

    private static func answer(_ restored: Backups.Restored) -> Response {
        let report = restored.report
        var object: JSONObject = [
            "message": "Configuration restored successfully",
            "restored": [
                "settings": JSONValue(report.settings), "storage_profiles": JSONValue(report.storageProfiles),
                "s3_profiles": JSONValue(report.s3Profiles), "cameras": JSONValue(report.cameras),
                "groups": JSONValue(report.groups), "users": JSONValue(report.users), "api_tokens": JSONValue(report.apiKeys),
            ],
            "users_without_password": .array(report.usersWithoutPassword.map(JSONValue.string)),
            "safety_backup": .string(restored.safetyBackup.name),
        ]
        object.say("warnings", report.warnings)
        return Response(json: .object(object))
    }

    private static func isJSON(_ call: Call) -> Bool {
        call.head.headerFields[.contentType]?.lowercased().hasPrefix("application/json") == true
    }

    /// The `passphrase` of a JSON body; nil when it has none, or when there is no body.
    private static func passphrase(in call: Call) throws -> Secret? {
        guard call.body.readableBytes > 0 else { return nil }
        switch try call.object()["passphrase"] {
        case nil, .null: return nil
        case .some(let sent):
            let place: [FieldProblem.Step] = [.key("body"), .key("passphrase")]
            let text = try FieldCheck.text(sent, length: 0...BackupCipher.longestPassphrase, isPlain: false, loc: place).get()
            return text.isEmpty ? nil : Secret(text)
        }
    }
}
