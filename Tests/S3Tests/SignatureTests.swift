import S3
import Testing

/// Vectors of AWS: its Signature Version 4 test suite, and "Examples: Signature Calculations in AWS Signature Version 4" of the S3 API
/// reference.
@Suite("Signatures of requests")
struct SignatureTests {
    private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    private let suite = SignatureV4(
        credentials: S3Credentials(accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), region: "us-east-1",
        service: "service")
    private let s3 = SignatureV4(
        credentials: S3Credentials(accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1")

    private func suiteSignature(_ method: String, _ query: [(String, String)] = []) -> String {
        suite.authorization(
            method: method, path: "/", query: query, headers: [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z")],
            payloadHash: Self.emptyHash, time: "20150830T123600Z")
    }

    private func s3Signature(
        _ method: String, _ path: String, _ query: [(String, String)] = [], _ headers: [(String, String)] = [], hash: String = emptyHash
    ) -> String {
        let fixed = [("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", hash), ("x-amz-date", "20130524T000000Z")]
        return s3.authorization(
            method: method, path: path, query: query, headers: headers + fixed, payloadHash: hash, time: "20130524T000000Z")
    }

    @Test("The test suite's vanilla requests are signed as it says")
    func vanilla() {
        #expect(
            suiteSignature("GET")
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        )
        #expect(suiteSignature("POST").hasSuffix("Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"))
        let ordered = suiteSignature("GET", [("Param2", "value2"), ("Param1", "value1")])
        #expect(ordered.hasSuffix("Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"))
    }

    @Test("S3's own examples come out: an object's range, storing an object, a subresource, a list")
    func examples() {
        let range = s3Signature("GET", "/test.txt", [], [("Range", "bytes=0-9")])
        #expect(
            range
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        )
        let hash = SignatureV4.hash(Array("Welcome to Amazon S3.".utf8))
        #expect(hash == "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
        let stored = s3Signature(
            "PUT", "/test%24file.text", [], [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")], hash: hash)
        #expect(stored.hasSuffix("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
        #expect(
            s3Signature("GET", "/", [("lifecycle", "")]).hasSuffix("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))
        let list = s3Signature("GET", "/", [("prefix", "J"), ("max-keys", "2")])
        #expect(list.hasSuffix("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }

    @Test("Times are written in UTC, at the ends of years too")
    func times() {
        #expect(SignatureV4.timestamp(1_369_353_600) == "20130524T000000Z")
        #expect(SignatureV4.timestamp(0) == "19700101T000000Z")
        #expect(SignatureV4.timestamp(951_782_399) == "20000228T235959Z")
        #expect(SignatureV4.timestamp(951_868_799) == "20000229T235959Z")
        #expect(SignatureV4.timestamp(1_798_761_599) == "20261231T235959Z")
        #expect(SignatureV4.timestamp(.max) == "99991231T235959Z")
        #expect(SignatureV4.timestamp(-5) == "19700101T000000Z")
    }

    @Test("No description of the keys shows the secret one")
    func descriptions() {
        let keys = S3Credentials(accessKey: "AKIA", secretKey: "very-secret")
        var dumped = ""
        dump(keys, to: &dumped)
        for text in ["\(keys)", String(reflecting: keys), dumped, "\([keys])"] { #expect(!text.contains("very-secret")) }
    }
}

@Suite("Where buckets are")
struct S3LocationTests {
    private func location(_ endpoint: String, bucket: String = "footage", region: String = "eu-central-1", virtual: Bool = false) throws -> S3Location
    {
        try S3Location(endpoint: endpoint, region: region, bucket: bucket, addressing: virtual ? .virtualHost : .path)
    }

    @Test("Endpoints are a scheme, a host and perhaps a port")
    func endpoints() throws {
        let plain = try location("http://10.0.0.5:9000/")
        #expect(!plain.isTLS && plain.host == "10.0.0.5" && plain.port == 9000)
        let secure = try location("HTTPS://s3.eu-central-1.amazonaws.com")
        #expect(secure.isTLS && secure.port == 443)
        #expect(try location("http://[fd00::1]:9000").host == "fd00::1")
        for wrong in [
            "", "ftp://x", "http://", "http://x/path", "http://u:p@x", "http://x?y", "http://x:0", "http://x:99999", "http://x:-1", "http://x y",
            "http://[fd00::1", "http://x:1:2", "http://\u{1F600}",
        ] {
            #expect(throws: S3Location.Refusal.self) { try location(wrong) }
        }
    }

    @Test("Names of buckets and regions follow the rules of AWS")
    func names() throws {
        for wrong in ["ab", "Footage", "-footage", "footage-", "a..b", "a/b", String(repeating: "x", count: 64), ""] {
            #expect(throws: S3Location.Refusal.self) { try location("http://x", bucket: wrong) }
        }
        #expect(throws: S3Location.Refusal.self) { try location("http://x", region: "eu west") }
        #expect(throws: S3Location.Refusal.self) { try location("http://10.0.0.1", virtual: true) }
        _ = try location("http://x", bucket: "a.b-c3")
    }
}
