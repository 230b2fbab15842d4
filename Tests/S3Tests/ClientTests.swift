import NIOCore
import NIOHTTP1
import NIOPosix
import S3
import Synchronization
import Testing

@Suite("Requests to a bucket")
struct S3ClientTests {
    @Test("An object is stored with its hash, its MD5 and a signature, on one connection after another request")
    func put() async throws {
        let server = try await ScriptedBucket.start([.says(200, "", [("ETag", "\"abc\"")]), .says(204, "")])
        let client = try server.client()
        #expect(try await client.put("a b/ü.mp4", ByteBuffer(string: "Welcome to Amazon S3."), contentType: "video/mp4") == "abc")
        try await client.delete("x")
        let request = try #require(server.requests.first)
        #expect(request.method == .PUT && request.uri == "/bucket/a%20b/%C3%BC.mp4" && request.body == Array("Welcome to Amazon S3.".utf8))
        #expect(
            request.headers.first(name: "x-amz-content-sha256") == "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
        #expect(request.headers.first(name: "content-md5")?.utf8.count == 24)
        #expect(request.headers.first(name: "host") == "store.test:\(server.port)")
        #expect(request.headers.first(name: "authorization")?.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIA/20231114/us-east-1/s3/") == true)
        #expect(server.connections == 1)
        try await server.stop()
    }

    @Test("A range is asked for, and an answer that is no part is not taken for one")
    func ranges() async throws {
        let server = try await ScriptedBucket.start([.says(206, "456"), .says(200, "0123456789"), .says(200, "x", [])])
        let client = try server.client()
        #expect(String(buffer: try await client.get("k", range: 4..<7)) == "456")
        #expect(server.requests[0].headers.first(name: "range") == "bytes=4-6")
        await #expect(throws: S3Error.self) { try await client.get("k", range: 4..<7) }
        await #expect(throws: S3Error.self) { try await client.get("k", range: 4..<4) }
        try await server.stop()
    }

    @Test("An answer longer than allowed is refused, not gathered")
    func tooLong() async throws {
        let server = try await ScriptedBucket.start([.says(200, String(repeating: "x", count: 100_000))])
        await #expect(throws: S3Error.malformed("it is too long")) { try await server.client().get("k", most: 1000) }
        try await server.stop()
    }

    @Test("Lists and parts are read a page at a time, names unescaped")
    func lists() async throws {
        let page = """
            <?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true</IsTruncated>
            <Contents><Key>a&amp;b&#x2F;c</Key><Size>12</Size><ETag>&quot;e&quot;</ETag><Owner><ID>1</ID></Owner></Contents>
            <NextContinuationToken>t/1=</NextContinuationToken></ListBucketResult>
            """
        let parts = { (truncated: Bool, number: Int) in
            """
            <ListPartsResult><IsTruncated>\(truncated)</IsTruncated><NextPartNumberMarker>\(number)</NextPartNumberMarker>\
            <Part><PartNumber>\(number)</PartNumber><ETag>"p"</ETag><Size>5242880</Size></Part></ListPartsResult>
            """
        }
        let server = try await ScriptedBucket.start([.says(200, page), .says(200, parts(true, 1)), .says(200, parts(false, 2))])
        let client = try server.client()
        let listing = try await client.list(prefix: "a&")
        #expect(listing.objects == [S3Object(key: "a&b/c", size: 12, etag: "e")] && listing.next == "t/1=")
        #expect(try await client.listParts("k", upload: "u/1").map(\.number) == [1, 2])
        #expect(server.requests[0].uri == "/bucket?list-type=2&max-keys=1000&prefix=a%26")
        #expect(server.requests[2].uri == "/bucket/k?part-number-marker=1&uploadId=u%2F1")
        try await server.stop()
    }

    @Test("An upload in parts is begun, filled, completed; an error in the body of a 200 counts")
    func multipart() async throws {
        let server = try await ScriptedBucket.start([
            .says(200, "<InitiateMultipartUploadResult><UploadId>id1</UploadId></InitiateMultipartUploadResult>"),
            .says(200, "", [("ETag", "\"p1\"")]), .says(200, "<Error><Code>InternalError</Code><Message>again</Message></Error>"),
            .says(200, "<CompleteMultipartUploadResult/>"), .says(404, "<Error><Code>NoSuchUpload</Code></Error>"),
        ])
        let client = try server.client()
        let id = try await client.createUpload("k", contentType: "video/mp4")
        let etag = try await client.uploadPart("k", upload: id, number: 1, ByteBuffer(string: "x"))
        let part = S3Part(number: 1, etag: etag, size: 1)
        await #expect(throws: S3Error.refused(status: 500, code: "InternalError", message: "again")) {
            try await client.completeUpload("k", upload: id, parts: [part])
        }
        try await client.completeUpload("k", upload: id, parts: [part])
        try await client.abortUpload("k", upload: id)
        #expect(String(decoding: server.requests[3].body, as: UTF8.self).contains("<PartNumber>1</PartNumber><ETag>&quot;p1&quot;</ETag>"))
        try await server.stop()
    }

    @Test("Errors say what is wrong in words, and never hold a secret")
    func errors() async throws {
        let refusals: [(Int, String, String)] = [
            (403, "<Error><Code>SignatureDoesNotMatch</Code><Message>no\nmatch</Message></Error>", "the secret key is wrong"),
            (403, "<Error><Code>InvalidAccessKeyId</Code></Error>", "the access key is not known"),
            (404, "<Error><Code>NoSuchBucket</Code></Error>", "there is no such bucket"),
            (301, "", "another region"), (403, "<html>proxy</html>", "the keys do not permit this"), (502, "", "Status502"),
        ]
        let server = try await ScriptedBucket.start(refusals.map { .says($0.0, $0.1) })
        let client = try server.client()
        for refusal in refusals {
            do {
                _ = try await client.put("k", ByteBuffer(string: "x"), contentType: "a/b")
                Issue.record("no error for \(refusal)")
            } catch {
                let text = "\(error)"
                #expect(text.contains(refusal.2), "\(text)")
                #expect(!text.contains("hidden-secret") && !text.contains("\n"))
            }
        }
        #expect(S3Error.refused(status: 403, code: "x", message: "").isUnauthorized)
        #expect(!S3Error.refused(status: 404, code: "NoSuchBucket", message: "").isMissing)
        try await server.stop()
    }

    @Test("What may go better is tried again, what may not is not")
    func retries() async throws {
        let server = try await ScriptedBucket.start([
            .says(503, "<Error><Code>SlowDown</Code></Error>"), .hangsUp, .says(200, "", [("ETag", "\"e\"")]), .says(403, ""), .says(200, ""),
        ])
        let client = try server.client(tries: 3)
        #expect(try await client.put("k", ByteBuffer(string: "x"), contentType: "a/b") == "e")
        #expect(server.requests.count == 3)
        await #expect(throws: S3Error.self) { try await client.get("k") }
        #expect(server.requests.count == 4)
        try await server.stop()
    }

    @Test("A server that says nothing is given up after the time it has")
    func stalls() async throws {
        let server = try await ScriptedBucket.start([.stays])
        await #expect(throws: S3Error.timeout("waiting for the answer")) { try await server.client(stall: 1).get("k") }
        try await server.stop()
    }

    @Test("A connection that was closed while it was kept costs nothing")
    func staleConnections() async throws {
        let server = try await ScriptedBucket.start([.says(200, "a"), .hangsUp, .says(200, "b")])
        let client = try server.client()
        #expect(String(buffer: try await client.get("k")) == "a")
        #expect(String(buffer: try await client.get("k")) == "b")
        try await server.stop()
        await #expect(throws: S3Error.self) { try await client.get("k") }
    }

    @Test("The pace is asked before every slice, for all bytes of a body")
    func pace() async throws {
        let server = try await ScriptedBucket.start([.says(200, "", [("ETag", "\"e\"")])])
        let asked = Mutex(0)
        let client = try server.client(pace: { bytes in asked.withLock { $0 += bytes } })
        _ = try await client.put("k", ByteBuffer(repeating: 7, count: 300_000), contentType: "a/b")
        #expect(asked.withLock { $0 } == 300_000)
        #expect(server.requests.first?.body.count == 300_000)
        try await server.stop()
    }

    @Test("Nothing is sent in the clear where HTTPS is asked for, and only checked addresses are connected to")
    func addresses() async throws {
        struct Refused: Error, CustomStringConvertible { var description: String { "this address is refused" } }
        for scheme in ["http", "https"] {
            let client = S3Client(
                S3Client.Configuration(
                    location: try S3Location(endpoint: "\(scheme)://127.0.0.1:9", region: "us-east-1", bucket: "bucket", addressing: .path),
                    credentials: S3Credentials(accessKey: "a", secretKey: "b"), now: { 0 }, resolve: { _, _ in throw Refused() }),
                on: MultiThreadedEventLoopGroup.singleton)
            await #expect(throws: S3Error.self) { try await client.put("k", ByteBuffer(), contentType: "a/b") }
        }
    }

    @Test("The waits between tries grow, and end")
    func backoff() {
        let retry = S3Retry(tries: 4, first: 1, longest: 3)
        let slow = S3Error.refused(status: 503, code: "SlowDown", message: "")
        #expect((1...4).map { retry.wait(after: slow, failures: $0, jitter: 1) } == [1, 2, 3, nil])
        #expect(retry.wait(after: slow, failures: 1, jitter: 0) == 0.5)
        #expect(retry.wait(after: .refused(status: 400, code: "BadDigest", message: ""), failures: 1, jitter: 1) == nil)
        #expect(S3Retry.never.wait(after: slow, failures: 1, jitter: 1) == nil)
    }
}
