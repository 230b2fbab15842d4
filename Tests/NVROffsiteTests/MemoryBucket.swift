import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A bucket in memory behind real HTTP. It checks no signatures, and fails when the test wants it to.
final class MemoryBucket: Sendable {
    private struct State {
        var objects: [String: [UInt8]] = [:]
        var uploads: [String: [Int: [UInt8]]] = [:]
        var requests: [String] = []
        /// Answers everything with this; nil works.
        var failure: (status: Int, code: String)?
        /// Requests of parts that work before everything fails.
        var partsLeft = Int.max
        /// The key of each upload.
        var keys: [String: String] = [:]
        /// Uploads so far.
        var count = 0
        var hasBatches = true
    }

    /// Objects of a page of a list.
    private static let page = 3

    private let state = Mutex(State())
    private let channel = Mutex<(any Channel)?>(nil)

    static func start() async throws -> MemoryBucket {
        let bucket = MemoryBucket()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(bucket))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        bucket.channel.withLock { $0 = channel }
        return bucket
    }

    var port: Int { channel.withLock { $0?.localAddress?.port } ?? 0 }
    func stop() async throws { try await channel.withLock { $0 }?.close() }

    var objects: [String: [UInt8]] { state.withLock { $0.objects } }
    /// `METHOD uri` of every request that worked.
    var requests: [String] { state.withLock { $0.requests } }
    func set(_ key: String, _ bytes: [UInt8]?) { state.withLock { $0.objects[key] = bytes } }
    /// Ids of the uploads that go on, by their keys.
    var uploads: [String: String] { state.withLock { state in Dictionary(state.uploads.keys.map { (state.keys[$0] ?? "", $0) }) { $1 } } }
    /// Many objects cannot be deleted at once.
    func withoutBatches() { state.withLock { $0.hasBatches = false } }
    func fail(_ status: Int, _ code: String) { state.withLock { $0.failure = (status, code) } }
    func work() {
        state.withLock { state in
            state.failure = nil
            state.partsLeft = .max
        }
    }
    func failAfterParts(_ count: Int) { state.withLock { $0.partsLeft = count } }

    private func answer(_ method: HTTPMethod, _ uri: String, _ range: String?, _ body: [UInt8]) -> (Int, [(String, String)], [UInt8]) {
        state.withLock { state in
            let pieces = uri.split(separator: "?", maxSplits: 1).map(String.init)
            let key = String(pieces[0].dropFirst("/bucket/".count))
            let isBucket = pieces[0] == "/bucket"
            let query = pieces.count > 1 ? pieces[1] : ""
            if query.contains("partNumber="), state.partsLeft <= 0 { state.failure = (503, "SlowDown") }
            func text(_ status: Int, _ text: String) -> (Int, [(String, String)], [UInt8]) { (status, [], Array(text.utf8)) }
            if let failure = state.failure { return text(failure.status, "<Error><Code>\(failure.code)</Code></Error>") }
            state.requests.append("\(method.rawValue) \(uri)")
            let id = query.split(separator: "&").first { $0.hasPrefix("uploadId=") }.map { String($0.dropFirst(9)) }
            let number = query.split(separator: "&").first { $0.hasPrefix("partNumber=") }.flatMap { Int($0.dropFirst(11)) }
            if isBucket { return Self.answerOfBucket(method, query, body, &state) }
            switch (method, id, number) {
            case (.PUT, let id?, let number?):
                guard state.uploads[id] != nil else { return text(404, "<Error><Code>NoSuchUpload</Code></Error>") }
                state.partsLeft -= 1
                state.uploads[id]?[number] = body
                return (200, [("ETag", "\"p\(number)\"")], [])
            case (.PUT, _, _):
                state.objects[key] = body
                return (200, [("ETag", "\"e\"")], [])
            case (.POST, let id?, _):
                guard let parts = state.uploads.removeValue(forKey: id) else { return text(404, "<Error><Code>NoSuchUpload</Code></Error>") }
                state.objects[key] = parts.sorted { $0.key < $1.key }.flatMap(\.value)
                return text(200, "<CompleteMultipartUploadResult/>")
            case (.POST, _, _):
                state.count += 1
                state.uploads["u\(state.count)"] = [:]
                state.keys["u\(state.count)"] = key
                return text(200, "<InitiateMultipartUploadResult><UploadId>u\(state.count)</UploadId></InitiateMultipartUploadResult>")
            case (.GET, let id?, _):
                guard let parts = state.uploads[id] else { return text(404, "<Error><Code>NoSuchUpload</Code></Error>") }
                let list = parts.map { "<Part><PartNumber>\($0.key)</PartNumber><ETag>\"p\($0.key)\"</ETag><Size>\($0.value.count)</Size></Part>" }
                return text(200, "<ListPartsResult>\(list.joined())</ListPartsResult>")
            case (.DELETE, let id?, _):
                state.uploads.removeValue(forKey: id)
                return (204, [], [])
            case (.DELETE, _, _):
                state.objects.removeValue(forKey: key)
                return (204, [], [])
            default:
                guard let object = state.objects[key] else { return text(404, "<Error><Code>NoSuchKey</Code></Error>") }
                guard let bounds = range?.dropFirst("bytes=".count).split(separator: "-").compactMap({ Int($0) }), bounds.count == 2 else {
                    return (200, [("ETag", "\"e\"")], object)
                }
                return (206, [("ETag", "\"e\"")], Array(object[bounds[0]...min(bounds[1], object.count - 1)]))
            }
        }
    }

    /// Lists, and many deletions at once.
    private static func answerOfBucket(_ method: HTTPMethod, _ query: String, _ body: [UInt8], _ state: inout State) -> (
        Int, [(String, String)], [UInt8]
    ) {
        func text(_ status: Int, _ text: String) -> (Int, [(String, String)], [UInt8]) { (status, [], Array(text.utf8)) }
        let items = Dictionary(
            query.split(separator: "&").map { item in
                let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (String(pair[0]), pair.count > 1 ? String(pair[1]).replacing("%2F", with: "/") : "")
            }
        ) { $1 }
        if method == .POST, items["delete"] != nil {
            guard state.hasBatches else { return text(501, "<Error><Code>NotImplemented</Code></Error>") }
            for part in String(decoding: body, as: UTF8.self).split(separator: "<Key>").dropFirst() {
                state.objects.removeValue(forKey: String(part.prefix { $0 != "<" }).replacing(" ", with: "%20"))
            }
            return text(200, "<DeleteResult/>")
        }
        let prefix = items["prefix"] ?? ""
        if items["uploads"] != nil {
            let list = state.uploads.keys.filter { state.keys[$0]?.hasPrefix(prefix) == true }.map { id in
                "<Upload><Key>\(state.keys[id] ?? "")</Key><UploadId>\(id)</UploadId></Upload>"
            }
            return text(200, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\(list.joined())</ListMultipartUploadsResult>")
        }
        let keys = state.objects.keys.filter { $0.hasPrefix(prefix) }.sorted()
        let first = items["continuation-token"].flatMap { Int($0) } ?? 0
        let list = keys.dropFirst(first).prefix(page).map { "<Contents><Key>\($0)</Key><Size>\(state.objects[$0]?.count ?? 0)</Size></Contents>" }
        let more = first + page < keys.count
        let next = more ? "<NextContinuationToken>\(first + page)</NextContinuationToken>" : ""
        return text(200, "<ListBucketResult><IsTruncated>\(more)</IsTruncated>\(list.joined())\(next)</ListBucketResult>")
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let bucket: MemoryBucket
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ bucket: MemoryBucket) { self.bucket = bucket }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body = []
            case .body(let bytes): body += Array(bytes.readableBytesView)
            case .end:
                guard let head else { return }
                let (status, fields, bytes) = bucket.answer(head.method, head.uri, head.headers.first(name: "range"), body)
                var headers = HTTPHeaders(fields)
                headers.add(name: "content-length", value: String(bytes.count))
                context.write(
                    wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers))), promise: nil)
                if head.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil) }
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
