import RTSP
import Testing

@Suite("Sign-in")
struct AuthenticationTests {
    @Test("Digest MD5 with qop as in RFC 2617 section 3.5")
    func rfc2617() throws {
        let challenges = AuthenticationChallenge.parse([
            #"Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#
        ])
        var authenticator = Authenticator(RTSPCredentials(username: "Mufasa", password: "Circle Of Life"), clientNonce: { "0a4f113b" })
        authenticator.accept(try #require(challenges.first))
        let first = authenticator.authorization(method: "GET", url: "/dir/index.html")
        let second = authenticator.authorization(method: "GET", url: "/")
        let value = try #require(first)
        #expect(value.contains(#"response="6629fae49393a05397450978507c4ef1""#))
        #expect(value.contains("nc=00000001"))
        #expect(value.contains(#"opaque="5ccc069c403ebaf9f0171e9517f40e41""#))
        #expect(try #require(second).contains("nc=00000002"))
    }

    @Test("Digest SHA-256 as in RFC 7616 section 3.9.1, which is preferred to MD5 and Basic")
    func rfc7616() throws {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
        let challenges = AuthenticationChallenge.parse([
            #"Basic realm="http-auth@example.org", Digest realm="http-auth@example.org", qop="auth", algorithm=MD5, nonce="\#(nonce)""#,
            #"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="\#(nonce)", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
        ])
        #expect(challenges.map(\.strength) == [2, 1, 0])
        let clientNonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
        let credentials = RTSPCredentials(username: "Mufasa", password: "Circle of Life")
        var authenticator = Authenticator(credentials, clientNonce: { clientNonce })
        authenticator.accept(challenges[0])
        let strong = authenticator.authorization(method: "GET", url: "/dir/index.html") ?? ""
        #expect(strong.contains(#"response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1""#))
        authenticator.accept(challenges[1])
        let weak = authenticator.authorization(method: "GET", url: "/dir/index.html") ?? ""
        #expect(weak.contains(#"response="8ca523f5e9506fed4657c9700eebdbec""#))
    }

    @Test("Digest without qop as in RFC 2069, as most cameras do it")
    func rfc2069() throws {
        // HA1 and HA2 hashed by hand: MD5(MD5("u:r:p"):"n":MD5("DESCRIBE:rtsp://h/a")).
        var authenticator = Authenticator(RTSPCredentials(username: "u", password: "p"))
        authenticator.accept(try #require(AuthenticationChallenge.parse([#"Digest realm="r",nonce="n""#]).first))
        let value = authenticator.authorization(method: "DESCRIBE", url: "rtsp://h/a")
        let md5 = AuthenticationChallenge.Algorithm.md5
        let expected = md5.hash("\(md5.hash("u:r:p")):n:\(md5.hash("DESCRIBE:rtsp://h/a"))")
        #expect(value == #"Digest username="u", realm="r", nonce="n", uri="rtsp://h/a", response="\#(expected)""#)
        #expect(md5.hash("") == "d41d8cd98f00b204e9800998ecf8427e")
    }

    @Test("Basic as in RFC 7617")
    func basic() throws {
        var authenticator = Authenticator(RTSPCredentials(username: "Aladdin", password: "open sesame"))
        let before = authenticator.authorization(method: "DESCRIBE", url: "x")
        #expect(before == nil)
        authenticator.accept(try #require(AuthenticationChallenge.parse(["basic realm=\"x\""]).first))
        let value = authenticator.authorization(method: "DESCRIBE", url: "x")
        #expect(value == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    }

    @Test("Sloppy challenges parse, impossible ones are left out")
    func sloppy() {
        let sloppy = AuthenticationChallenge.parse([#"DIGEST realm = "a, b \"c\"" , nonce=abc , stale=TRUE,algorithm="md5""#])
        #expect(sloppy.first?.realm == #"a, b "c""#)
        #expect(sloppy.first?.nonce == "abc")
        #expect(sloppy.first?.isStale == true)
        #expect(sloppy.first?.scheme == .digest(.md5, isSession: false))
        #expect(AuthenticationChallenge.parse([#"Digest realm="x", nonce="y", algorithm=SHA-512-256"#]).isEmpty)
        #expect(AuthenticationChallenge.parse([#"Digest realm="x", nonce="y", qop="auth-int""#]).isEmpty)
        #expect(AuthenticationChallenge.parse(["Bearer abc", "=\"\",,=", "", #"Digest realm="x""#]).isEmpty)
    }

    @Test("User names with quotes stay one parameter")
    func quoting() throws {
        var authenticator = Authenticator(RTSPCredentials(username: #"a"b\c"#, password: "p"))
        authenticator.accept(try #require(AuthenticationChallenge.parse([#"Digest realm="r",nonce="n""#]).first))
        let value = authenticator.authorization(method: "M", url: "u") ?? ""
        #expect(value.hasPrefix(#"Digest username="a\"b\\c", realm"#))
    }
}
