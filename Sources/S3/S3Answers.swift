/// An object as a listing or a HEAD tells it.
package struct S3Object: Sendable, Hashable {
    package var key: String
    /// Bytes.
    package var size: Int64
    /// Without quotes.
    package var etag: String

    package init(key: String, size: Int64, etag: String) {
        self.key = key
        self.size = size
        self.etag = etag
    }
}

/// One page of a bucket's objects, by their keys.
package struct S3Listing: Sendable, Hashable {
    package var objects: [S3Object]
    /// What asks for the next page; nil on the last.
    package var next: String?

    /// ListObjectsV2's answer.
    init(_ body: [UInt8]) throws(S3Error) {
        let root = try XMLNode.answer(body, "ListBucketResult")
        objects = try root.all("Contents").map { entry throws(S3Error) in
            guard let key = entry["Key"], let size = entry["Size"].flatMap({ Int64($0) }), size >= 0 else { throw .malformed("a listed object") }
            return S3Object(key: key, size: size, etag: unquoted(entry["ETag"] ?? ""))
        }
        next = root["IsTruncated"] == "true" ? root["NextContinuationToken"] : nil
    }
}

/// A part of a multipart upload that the server has.
package struct S3Part: Sendable, Hashable {
    /// 1…10,000.
    package var number: Int
    package var etag: String
    /// Bytes.
    package var size: Int64

    package init(number: Int, etag: String, size: Int64) {
        self.number = number
        self.etag = etag
        self.size = size
    }
}

/// One page of the parts of an upload.
struct S3PartsPage {
    var parts: [S3Part]
    var next: String?

    init(_ body: [UInt8]) throws(S3Error) {
        let root = try XMLNode.answer(body, "ListPartsResult")
        parts = try root.all("Part").map { entry throws(S3Error) in
            guard let number = entry["PartNumber"].flatMap({ Int($0) }), (1...10_000).contains(number),
                let size = entry["Size"].flatMap({ Int64($0) }), size >= 0
            else { throw .malformed("a listed part") }
            return S3Part(number: number, etag: unquoted(entry["ETag"] ?? ""), size: size)
        }
        next = root["IsTruncated"] == "true" ? root["NextPartNumberMarker"] : nil
    }
}

extension XMLNode {
    /// The document of an answer, whose root has to be of a name.
    static func answer(_ body: [UInt8], _ name: String) throws(S3Error) -> XMLNode {
        // What exactly is wrong with the bytes helps nobody.
        guard let root = try? XMLNode(parsing: body), root.name == name else { throw .malformed("no \(name)") }
        return root
    }
}

func unquoted(_ etag: String) -> String {
    etag.hasPrefix("\"") && etag.hasSuffix("\"") && etag.utf8.count > 1 ? String(etag.dropFirst().dropLast()) : etag
}
