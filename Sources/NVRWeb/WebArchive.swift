import NVRModel

/// The files of the web interface in one piece, as `WebUI/build.mjs` writes it: the length of the head (u32, little-endian), the head
/// in JSON, and the bytes that it points at. Pure.
package struct WebArchive: Sendable {
    package struct File: Sendable, Equatable {
        package var contentType: String
        /// Changes with the content.
        package var tag: String
        /// The name changes with the content: a browser never needs to ask again.
        package var isImmutable: Bool
        /// The content by its coding (RFC 9110 section 8.4); `identity` is always there.
        package var forms: [String: [UInt8]]
    }

    package let files: [String: File]

    /// Nil for bytes that are no such archive, or point outside of themselves.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 4 else { return nil }
        let length = bytes[0..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= bytes.count - 4, let head = try? JSONValue(parsing: Array(bytes[4..<4 + length])).array else { return nil }
        let body = bytes[(4 + length)...]
        var files: [String: File] = [:]
        for entry in head {
            guard case .string(let name)? = entry["name"], case .string(let type)? = entry["type"], case .string(let tag)? = entry["etag"],
                case .bool(let isImmutable)? = entry["immutable"], let forms = entry["forms"]?.object
            else { return nil }
            var contents: [String: [UInt8]] = [:]
            for coding in forms.keys {
                guard case .integer(let offset)? = forms[coding]?["offset"], case .integer(let count)? = forms[coding]?["length"],
                    (0...Int64(body.count)).contains(offset), (0...Int64(body.count) - offset).contains(count)
                else { return nil }
                let start = body.startIndex + Int(offset)
                contents[coding] = Array(body[start..<start + Int(count)])
            }
            guard contents["identity"] != nil else { return nil }
            files[name] = File(contentType: type, tag: tag, isImmutable: isImmutable, forms: contents)
        }
        self.files = files
    }
}

/// Which coding of a file a client gets (RFC 9110 section 12.5.3). Pure.
package enum ContentCoding {
    /// The best of `available` that the header field allows; `identity` when it allows none of them.
    package static func chosen(_ acceptEncoding: String?, among available: Set<String>) -> String {
        guard let acceptEncoding else { return "identity" }
        var weights: [String: Double] = [:]
        for item in acceptEncoding.split(separator: ",").prefix(32) {
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let name = parts.first else { continue }
            weights[name] = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
        }
        return ["br", "gzip"].first { available.contains($0) && (weights[$0] ?? weights["*"] ?? 0) > 0 } ?? "identity"
    }
}
