/// Why something did not work with a bucket, in words for a person. Never holds a secret: what servers say is cut and cleaned, and the
/// request is not part of it.
package enum S3Error: Error, Sendable, Hashable, CustomStringConvertible {
    /// The server answered with an error: the status, the code of the XML body (or of the status, when there is none) and its message.
    case refused(status: Int, code: String, message: String)
    /// No connection, or one that broke off.
    case unreachable(String)
    /// Nothing moved for too long.
    case timeout(String)
    /// The answer is not what the protocol promises.
    case malformed(String)

    package var description: String {
        switch self {
        case .refused(let status, let code, let message): Self.explained(status, code, message)
        case .unreachable(let reason): "the server cannot be reached: \(reason)"
        case .timeout(let phase): "the server does not answer (\(phase))"
        case .malformed(let what): "the answer of the server makes no sense: \(what)"
        }
    }

    private static func explained(_ status: Int, _ code: String, _ message: String) -> String {
        let said = message.isEmpty ? "\(code), status \(status)" : "\(code), status \(status): \(message)"
        return switch code {
        case "SignatureDoesNotMatch": "the secret key is wrong (\(said))"
        case "InvalidAccessKeyId": "the access key is not known there (\(said))"
        case "AccessDenied", "Forbidden": "the keys do not permit this (\(said))"
        case "NoSuchBucket": "there is no such bucket (\(said))"
        case "RequestTimeTooSkewed": "the clocks of this machine and of the server differ too much (\(said))"
        case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "Moved":
            "the bucket is in another region or at another address (\(said))"
        case "EntityTooLarge": "the object is too large for the server (\(said))"
        case "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull": "the bucket is full (\(said))"
        default: "the server refused (\(said))"
        }
    }

    /// Whether the keys or what they permit are the matter: trying again soon helps nothing.
    package var isUnauthorized: Bool {
        guard case .refused(let status, _, _) = self else { return false }
        return status == 401 || status == 403
    }

    package var isMissing: Bool {
        guard case .refused(let status, let code, _) = self else { return false }
        return status == 404 && code != "NoSuchBucket"
    }

    /// Whether a multipart upload is gone: it was completed, aborted, or swept by the bucket's rules.
    package var isUploadGone: Bool {
        guard case .refused(let status, let code, _) = self else { return false }
        return status == 404 && code != "NoSuchBucket" && code != "NoSuchKey"
    }

    /// Whether another try may go better without anybody changing anything.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .timeout: true
        case .refused(let status, let code, _): status >= 500 || status == 429 || status == 408 || code == "SlowDown" || code == "RequestTimeout"
        case .malformed: false
        }
    }

    /// The error of an answer.
    static func of(status: Int, body: [UInt8]) -> S3Error {
        var code = ""
        var message = ""
        // Proxies answer with pages of their own, which say nothing more than the status does.
        if let root = try? XMLNode(parsing: body), root.name == "Error" {
            code = clean(root["Code"] ?? "", most: 64)
            message = clean(root["Message"] ?? "", most: 200)
        }
        if code.isEmpty { code = name(of: status) }
        return .refused(status: status, code: code, message: message)
    }

    private static func name(of status: Int) -> String {
        switch status {
        case 300...399: "Moved"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "NotFound"
        case 416: "InvalidRange"
        case 429: "SlowDown"
        case 507: "InsufficientStorage"
        default: "Status\(status)"
        }
    }

    /// What a server says is not ours: one short line of plain characters.
    static func clean(_ text: String, most: Int) -> String {
        String(text.unicodeScalars.prefix(most).map { $0.value >= 0x20 && $0.value != 0x7F ? Character($0) : " " })
    }
}
