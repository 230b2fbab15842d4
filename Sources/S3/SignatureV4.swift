import Crypto
import FoundationEssentials

/// AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed AWS API request"; for S3 "Authenticating Requests: Using the
/// Authorization Header"). Pure: the time is passed in.
package struct SignatureV4: Sendable {
    /// The payload hash of a body that is not signed.
    package static let unsignedPayload = "UNSIGNED-PAYLOAD"
    private static let algorithm = "AWS4-HMAC-SHA256"

    private let credentials: S3Credentials
    private let region: String
    private let service: String

    package init(credentials: S3Credentials, region: String, service: String = "s3") {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// The value of the Authorization field.
    ///
    /// - Parameters:
    ///   - path: percent-encoded, as it is sent.
    ///   - query: not encoded.
    ///   - headers: all that are to be signed: `host` and every `x-amz-…` at least.
    ///   - payloadHash: SHA-256 of the body in hexadecimal, or `unsignedPayload`.
    ///   - time: as `timestamp` writes it; has to be sent as `x-amz-date`.
    package func authorization(
        method: String, path: String, query: [(name: String, value: String)], headers: [(name: String, value: String)], payloadHash: String,
        time: String
    ) -> String {
        let fields = headers.map { ($0.name.lowercased(), Self.trimmed($0.value)) }.sorted { $0.0 < $1.0 }
        let names = fields.map(\.0).joined(separator: ";")
        let request = [
            method, path, URIEncoding.query(query), fields.map { "\($0.0):\($0.1)\n" }.joined(), names, payloadHash,
        ].joined(separator: "\n")
        let day = String(time.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let toSign = [Self.algorithm, time, scope, Self.hash(Array(request.utf8))].joined(separator: "\n")
        let signature = Hex.text(Self.authenticate(toSign, key: key(day: day)))
        return "\(Self.algorithm) Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
    }

    private func key(day: String) -> [UInt8] {
        [day, region, service, "aws4_request"].reduce(Array("AWS4\(credentials.secretKey)".utf8)) { Self.authenticate($1, key: $0) }
    }

    private static func authenticate(_ text: String, key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: SymmetricKey(data: Data(key))))
    }

    /// SHA-256 in hexadecimal.
    package static func hash(_ bytes: [UInt8]) -> String { Hex.text(SHA256.hash(data: bytes)) }

    /// Without white space at the ends, and with single spaces within.
    private static func trimmed(_ value: String) -> String {
        value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }

    /// `20130524T000000Z` of seconds since 1970 UTC.
    package static func timestamp(_ seconds: Int64) -> String {
        let seconds = min(max(seconds, 0), 253_402_300_799)
        let (days, second) = (Int(seconds / 86_400), Int(seconds % 86_400))
        // Days to a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func padded(_ value: Int, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        return padded(year, 4) + padded(month, 2) + padded(day, 2) + "T" + padded(second / 3600, 2) + padded(second / 60 % 60, 2)
            + padded(second % 60, 2) + "Z"
    }
}
