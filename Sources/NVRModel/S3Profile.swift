/// A bucket of an S3-compatible server, with the keys to it and what is copied there.
package struct S3Profile: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    package var id: ID<S3Profile>
    /// Unique without regard to case.
    package var name: String
    /// `https://server[:port]`.
    package var endpoint: String
    package var region = "us-east-1"
    package var bucket: String
    /// What all keys begin with; empty or `a/b`, without slashes at the ends.
    package var prefix = ""
    /// `path` or `virtual-host`.
    package var addressing = "path"
    package var accessKey: String
    /// A secret: sealed in the database, in no answer and no description.
    package var secretKey: String
    /// Takes a certificate that nobody vouches for.
    package var allowsSelfSigned = false
    /// Bytes a second that uploads may take; 0 = no limit.
    package var maxRate = 0
    /// Whether the events of every camera are copied there, also of those that come later.
    package var copiesAllCameras = false
    /// Else those of these.
    package var cameraIDs: Set<ID<Camera>> = []
    /// Gigabytes that archived footage may take there; 0 = no limit.
    package var maxSize = 0.0
    package var createdAt: WallTime
    /// When the bucket was given the marker that tells it from others; nil before that.
    package var markedAt: WallTime?

    package init(
        id: ID<S3Profile>, name: String, endpoint: String, bucket: String, accessKey: String, secretKey: String, createdAt: WallTime
    ) {
        self.id = id
        self.name = name
        self.endpoint = endpoint
        self.bucket = bucket
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.createdAt = createdAt
    }

    package var description: String { "S3 profile \(id) (\(name))" }
    package var customMirror: Mirror { Mirror(self, children: ["id": id, "name": name]) }

    /// Whether anything is copied there.
    package var copiesEvents: Bool { copiesAllCameras || !cameraIDs.isEmpty }

    package func copies(_ camera: ID<Camera>) -> Bool { copiesAllCameras || cameraIDs.contains(camera) }

    package static let addressings = ["path", "virtual-host"]

    /// What the keys of archived footage begin with.
    package var archivePrefix: String { prefix.isEmpty ? "archive/" : "\(prefix)/archive/" }
    /// The smallest limit of bytes a second: a piece of footage has to get through at all.
    package static let leastRate = 8 << 10

    /// A prefix without slashes at its ends, or why it is refused.
    package static func checkedPrefix(_ text: String) -> Result<String, PrefixRefusal> {
        func refuse(_ message: String) -> Result<String, PrefixRefusal> { .failure(PrefixRefusal(message: message)) }
        let parts = trimmed(text).split(separator: "/")
        let prefix = parts.joined(separator: "/")
        guard prefix.utf8.count <= 200 else { return refuse("prefix must be at most 200 bytes long") }
        if parts.contains("..") || parts.contains(".") { return refuse("prefix must not contain '.' or '..' as a part") }
        if prefix.unicodeScalars.contains(where: isControl) { return refuse("prefix must not contain control characters") }
        return .success(prefix)
    }

    /// Why a prefix was refused, for a person.
    package struct PrefixRefusal: Error, Sendable, Hashable {
        package let message: String
    }

    /// The profile as the API answers it. The secret key is never part of it: `mask` stands for one that is set.
    package var json: JSONValue {
        [
            "id": .integer(id.rawValue), "kind": "s3", "name": .string(name), "endpoint": .string(endpoint), "region": .string(region),
            "bucket": .string(bucket), "prefix": .string(prefix), "addressing": .string(addressing), "access_key": .string(accessKey),
            "secret_key": .string(SettingKey.mask), "allow_self_signed": .bool(allowsSelfSigned),
            "max_bytes_per_second": JSONValue(maxRate), "max_size_gb": .number(maxSize), "offsite_all_cameras": .bool(copiesAllCameras),
            "offsite_camera_ids": .array(cameraIDs.sorted().map { .integer($0.rawValue) }), "created_at": .string(createdAt.iso8601),
        ]
    }
}
