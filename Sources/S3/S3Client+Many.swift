import NIOCore
import NIOHTTP1

/// A multipart upload that nobody has completed or given up.
package struct S3Upload: Sendable, Hashable {
    package var key: String
    package var id: String

    package init(key: String, id: String) {
        self.key = key
        self.id = id
    }
}

extension S3Client {
    /// Objects that one request may delete.
    package static let mostDeletions = 1000

    /// Deletes objects in one request (DeleteObjects); those that are not there are as good as deleted. Servers that do not know it are asked
    /// for each. Throws the first refusal.
    package func delete(_ keys: [String]) async throws {
        guard keys.count > 1 else {
            if let key = keys.first { try await delete(key) }
            return
        }
        guard keys.count <= Self.mostDeletions else { throw S3Error.malformed("too many objects at once") }
        let objects = keys.map { "<Object><Key>\(Self.escaped($0))</Key></Object>" }.joined()
        let document = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>\(objects)</Delete>"
        do {
            let answer = try await perform(
                Request(
                    method: .POST, key: nil, query: [("delete", "")], headers: [("content-type", "application/xml")],
                    body: ByteBuffer(string: document)))
            let root = try XMLNode.answer(Self.bytes(answer.body), "DeleteResult")
            for refusal in root.all("Error") {
                let code = S3Error.clean(refusal["Code"] ?? "Error", most: 64)
                if code == "NoSuchKey" { continue }
                throw S3Error.refused(status: 403, code: code, message: S3Error.clean(refusal["Message"] ?? "", most: 200))
            }
        } catch let error as S3Error where error.isUnknownOperation {
            for key in keys { try await delete(key) }
        }
    }

    /// Uploads in parts that were begun for keys beginning with `prefix` and are not over. Of a server that cannot tell, none.
    package func uploads(prefix: String) async throws -> [S3Upload] {
        var uploads: [S3Upload] = []
        var markers: [(name: String, value: String)] = []
        do {
            while uploads.count < 10_000 {
                let query = [("uploads", ""), ("prefix", prefix)] + markers
                let answer = try await perform(Request(method: .GET, key: nil, query: query))
                let root = try XMLNode.answer(Self.bytes(answer.body), "ListMultipartUploadsResult")
                let page = root.all("Upload").compactMap { upload -> S3Upload? in
                    guard let key = upload["Key"], let id = upload["UploadId"], key.hasPrefix(prefix) else { return nil }
                    return S3Upload(key: key, id: id)
                }
                uploads += page
                guard root["IsTruncated"] == "true", !page.isEmpty, let key = root["NextKeyMarker"] else { break }
                let next = [("key-marker", key), ("upload-id-marker", root["NextUploadIdMarker"] ?? "")]
                // A server that repeats itself is not followed.
                guard markers.map(\.value) != next.map(\.1) else { break }
                markers = next
            }
        } catch let error as S3Error where error.isUnknownOperation {
            return []
        }
        return uploads
    }
}

extension S3Error {
    /// The server does not know what it was asked for.
    var isUnknownOperation: Bool {
        guard case .refused(let status, let code, _) = self else { return false }
        return status == 405 || status == 501 || code == "NotImplemented" || code == "MethodNotAllowed"
    }

    /// There is no such bucket.
    package var isBucketGone: Bool {
        if case .refused(_, "NoSuchBucket", _) = self { true } else { false }
    }
}
