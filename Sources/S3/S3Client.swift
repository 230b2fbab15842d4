import Crypto
import FoundationEssentials
package import NIOCore
import NIOHTTP1
import NIOPosix
package import NIOSSL
import Synchronization

/// Works with one bucket. Any task may use it, for several requests at a time; connections are kept for the next ones.
package final class S3Client: Sendable {
    package struct Configuration: Sendable {
        package var location: S3Location
        package var credentials: S3Credentials
        /// Needed for HTTPS.
        package var tls: NIOSSLContext?
        /// What requests say of who sends them.
        package var userAgent: String?
        /// Whether bodies are hashed into the signature. Else only TLS and Content-MD5 protect them.
        package var signsPayload = true
        package var retry = S3Retry(tries: 3)
        /// Seconds for which nothing may move.
        package var stallSeconds: Int64 = 30
        /// Seconds since 1970 UTC, for signatures.
        package var now: @Sendable () -> Int64
        /// The addresses of a host that may be connected to, best first. Only these are connected to, whatever the name means later.
        package var resolve: @Sendable (_ host: String, _ port: Int) async throws -> [SocketAddress]
        /// Waits until so many bytes of a body may be sent; nil: at once.
        package var pace: (@Sendable (Int) async throws -> Void)?

        package init(
            location: S3Location, credentials: S3Credentials, tls: NIOSSLContext? = nil, now: @escaping @Sendable () -> Int64,
            resolve: @escaping @Sendable (_ host: String, _ port: Int) async throws -> [SocketAddress]
        ) {
            self.location = location
            self.credentials = credentials
            self.tls = tls
            self.now = now
            self.resolve = resolve
        }
    }

    /// Bytes of an answer that is a document.
    private static let mostDocument = 8 << 20
    /// Connections kept for later.
    private static let mostIdle = 4

    private let configuration: Configuration
    private let group: any EventLoopGroup
    private let signature: SignatureV4
    private let idle = Mutex<[HTTPConnection]>([])

    package init(_ configuration: Configuration, on group: any EventLoopGroup) {
        self.configuration = configuration
        self.group = group
        signature = SignatureV4(credentials: configuration.credentials, region: configuration.location.region)
    }

    deinit { close() }

    /// Closes the connections that are kept.
    package func close() {
        let connections = idle.withLock { idle in
            defer { idle = [] }
            return idle
        }
        for connection in connections { connection.close() }
    }

    /// A TLS context for `Configuration.tls`. `verifies`: against the roots of the system; else any certificate is taken.
    package static func tlsContext(verifies: Bool) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = .milliseconds(300)
        if !verifies { configuration.certificateVerification = .none }
        return try NIOSSLContext(configuration: configuration)
    }

    // MARK: Objects

    /// Stores an object whole; gives its ETag. It appears at once or not at all.
    package func put(_ key: String, _ bytes: ByteBuffer, contentType: String) async throws -> String {
        let answer = try await perform(Request(method: .PUT, key: key, headers: [("content-type", contentType)], body: bytes))
        return unquoted(answer.headers.first(name: "etag") ?? "")
    }

    /// Bytes of an object, `range` of them, or all; fewer where it ends. `most`: refused when there are more.
    package func get(_ key: String, range: Range<Int64>? = nil, most: Int = 64 << 20) async throws -> ByteBuffer {
        var request = Request(method: .GET, key: key)
        request.mostAnswer = most
        if let range {
            guard range.lowerBound >= 0, !range.isEmpty, range.upperBound - range.lowerBound <= Int64(most) else {
                throw S3Error.malformed("no such range")
            }
            request.headers.append(("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)"))
        }
        let answer = try await perform(request)
        if range != nil, answer.status != 206, range?.lowerBound != 0 { throw S3Error.malformed("the server does not give parts of an object") }
        return answer.body
    }

    /// What is known of an object.
    package func head(_ key: String) async throws -> S3Object {
        let answer = try await perform(Request(method: .HEAD, key: key))
        guard let size = answer.headers.first(name: "content-length").flatMap({ Int64($0) }), size >= 0 else {
            throw S3Error.malformed("no length")
        }
        return S3Object(key: key, size: size, etag: unquoted(answer.headers.first(name: "etag") ?? ""))
    }

    /// Deletes an object; one that is not there is as good as deleted.
    package func delete(_ key: String) async throws {
        do { _ = try await perform(Request(method: .DELETE, key: key)) } catch let error as S3Error where error.isMissing { return }
    }

    /// A page of the objects whose keys begin with `prefix`.
    package func list(prefix: String, after token: String? = nil, most: Int = 1000) async throws -> S3Listing {
        var query = [("list-type", "2"), ("max-keys", String(min(max(most, 1), 1000))), ("prefix", prefix)]
        if let token { query.append(("continuation-token", token)) }
        return try S3Listing(Self.bytes(try await perform(Request(method: .GET, key: nil, query: query)).body))
    }

    // MARK: Objects in parts

    /// Begins an upload in parts; gives its id.
    package func createUpload(_ key: String, contentType: String) async throws -> String {
        let answer = try await perform(
            Request(method: .POST, key: key, query: [("uploads", "")], headers: [("content-type", contentType)]))
        guard let id = try XMLNode.answer(Self.bytes(answer.body), "InitiateMultipartUploadResult")["UploadId"], !id.isEmpty else {
            throw S3Error.malformed("no UploadId")
        }
        return id
    }

    /// Stores a part, of 5 MiB at least unless it is the last; gives its ETag. The same number again replaces it.
    package func uploadPart(_ key: String, upload: String, number: Int, _ bytes: ByteBuffer) async throws -> String {
        let answer = try await perform(
            Request(method: .PUT, key: key, query: [("partNumber", String(number)), ("uploadId", upload)], body: bytes))
        guard let etag = answer.headers.first(name: "etag") else { throw S3Error.malformed("no ETag") }
        return unquoted(etag)
    }

    /// The parts that the server has, by their numbers.
    package func listParts(_ key: String, upload: String) async throws -> [S3Part] {
        var parts: [S3Part] = []
        var marker: String?
        repeat {
            var query = [("uploadId", upload)]
            if let marker { query.append(("part-number-marker", marker)) }
            let page = try S3PartsPage(Self.bytes(try await perform(Request(method: .GET, key: key, query: query)).body))
            parts += page.parts
            // A server that repeats itself is not followed.
            guard !page.parts.isEmpty, page.next != marker else { break }
            marker = page.next
        } while marker != nil && parts.count <= 10_000
        return parts.sorted { $0.number < $1.number }
    }

    /// Makes the object of its parts.
    package func completeUpload(_ key: String, upload: String, parts: [S3Part]) async throws {
        let list = parts.sorted { $0.number < $1.number }.map { part in
            "<Part><PartNumber>\(part.number)</PartNumber><ETag>&quot;\(Self.escaped(part.etag))&quot;</ETag></Part>"
        }
        let document = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(list.joined())</CompleteMultipartUpload>"
        let answer = try await perform(
            Request(
                method: .POST, key: key, query: [("uploadId", upload)], headers: [("content-type", "application/xml")],
                body: ByteBuffer(string: document)))
        // The status is sent before the work is done: a failure comes in the body of a 200.
        let body = Self.bytes(answer.body)
        if let root = try? XMLNode(parsing: body), root.name == "Error" { throw S3Error.of(status: 500, body: body) }
    }

    /// Gives an upload up, so that its parts are stored no longer.
    package func abortUpload(_ key: String, upload: String) async throws {
        do { _ = try await perform(Request(method: .DELETE, key: key, query: [("uploadId", upload)])) } catch let error as S3Error
            where error.isUploadGone
        {
            return
        }
    }

    // MARK: Requests

    struct Request: Sendable {
        var method: HTTPMethod
        /// Nil: the bucket itself.
        var key: String?
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)] = []
        var body = ByteBuffer()
        var mostAnswer = S3Client.mostDocument
    }

    /// Sends a request until it is answered well or trying helps no more.
    func perform(_ request: Request) async throws -> HTTPAnswer {
        var failures = 0
        while true {
            do {
                return try await send(request)
            } catch let error as S3Error {
                failures += 1
                try Task.checkCancellation()
                guard let wait = configuration.retry.wait(after: error, failures: failures, jitter: .random(in: 0...1)) else { throw error }
                try await Task.sleep(for: .seconds(wait))
            }
        }
    }

    private func send(_ request: Request) async throws -> HTTPAnswer {
        let head = head(of: request)
        var answer: HTTPAnswer?
        if let known = takeIdle() {
            do {
                answer = try await exchange(known, head, request)
            } catch S3Error.unreachable {
                // It was closed while nobody used it; a new one is tried at once. Every request may be sent twice.
                try Task.checkCancellation()
            }
        }
        let result: HTTPAnswer
        if let answer { result = answer } else { result = try await exchange(try await connect(), head, request) }
        guard (200...299).contains(result.status) else { throw S3Error.of(status: result.status, body: Self.bytes(result.body)) }
        return result
    }

    private func exchange(_ connection: HTTPConnection, _ head: HTTPRequestHead, _ request: Request) async throws -> HTTPAnswer {
        let answer = try await connection.exchange(
            head, body: request.body, most: request.mostAnswer, pace: request.body.readableBytes > 0 ? configuration.pace : nil)
        if connection.isUsable {
            let isKept = idle.withLock { idle in
                guard idle.count < Self.mostIdle else { return false }
                idle.append(connection)
                return true
            }
            if !isKept { connection.close() }
        }
        return answer
    }

    private func takeIdle() -> HTTPConnection? {
        idle.withLock { idle in
            while let last = idle.popLast() {
                if last.isUsable { return last }
            }
            return nil
        }
    }

    private func connect() async throws -> HTTPConnection {
        let location = configuration.location
        guard !location.isTLS || configuration.tls != nil else { throw S3Error.unreachable("there is no TLS to speak HTTPS with") }
        let addresses: [SocketAddress]
        do {
            addresses = try await configuration.resolve(location.requestHost, location.port)
        } catch {
            throw S3Error.unreachable(S3Error.clean("\(error)", most: 200))
        }
        var failure = S3Error.unreachable("\(location.requestHost) has no address")
        for address in addresses {
            do {
                return try await HTTPConnection.open(
                    to: address, serverName: Self.isNumeric(location.requestHost) ? nil : location.requestHost,
                    tls: location.isTLS ? configuration.tls : nil, on: group, stall: .seconds(configuration.stallSeconds))
            } catch let error as S3Error {
                try Task.checkCancellation()
                failure = error
            }
        }
        throw failure
    }

    private static func isNumeric(_ host: String) -> Bool {
        // Throwing is how it says no.
        (try? SocketAddress(ipAddress: host, port: 0)) != nil
    }

    private func head(of request: Request) -> HTTPRequestHead {
        let location = configuration.location
        let body = Self.bytes(request.body)
        let time = SignatureV4.timestamp(configuration.now())
        let hash = configuration.signsPayload ? SignatureV4.hash(body) : SignatureV4.unsignedPayload
        var fields = request.headers + [("host", location.authority), ("x-amz-content-sha256", hash), ("x-amz-date", time)]
        if !body.isEmpty { fields.append(("content-md5", Data(Insecure.MD5.hash(data: body)).base64EncodedString())) }
        let path = location.path(of: request.key)
        let authorization = signature.authorization(
            method: request.method.rawValue, path: path, query: request.query, headers: fields, payloadHash: hash, time: time)
        let query = URIEncoding.query(request.query)
        var head = HTTPRequestHead(
            version: .http1_1, method: request.method, uri: query.isEmpty ? path : "\(path)?\(query)", headers: HTTPHeaders(fields))
        head.headers.add(name: "authorization", value: authorization)
        if request.method == .PUT || request.method == .POST { head.headers.add(name: "content-length", value: String(body.count)) }
        if let name = configuration.userAgent { head.headers.add(name: "user-agent", value: name) }
        return head
    }

    static func bytes(_ buffer: ByteBuffer) -> [UInt8] { Array(buffer.readableBytesView) }

    static func escaped(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            default: out.append(character)
            }
        }
        return out
    }
}
