import Libav
import Testing

@Suite struct LibavErrorTests {
    @Test("credentials and queries of URLs are cut out of log lines")
    func redaction() {
        #expect(LibavLog.redacted("open rtsp://admin:geheim@10.0.0.9:554/live?token=1 failed") == "open rtsp://…@10.0.0.9:554/live?… failed")
        #expect(LibavLog.redacted("http://a:p@ss/w?rd@host/x") == "http://…@host/x")
        #expect(
            LibavLog.redacted("[tcp @ 0x55] Connection to tcp://10.0.0.9:80?timeout=5 failed")
                == "[tcp @ 0x55] Connection to tcp://10.0.0.9:80?… failed")
        #expect(LibavLog.redacted("'http://u@h/a' and \"http://h/b\"") == "'http://…@h/a' and \"http://h/b\"")
        #expect(LibavLog.redacted("nothing: here :// ") == "nothing: here :// ")
    }

    @Test("time bases convert without overflow")
    func rationals() {
        #expect(Rational(1, 90_000).microseconds(90_000) == 1_000_000)
        #expect(Rational(1, 90_000).microseconds(.max) != nil)
        #expect(Rational(0, 0).microseconds(5) == nil)
        #expect(Rational(1, 8000).rescale(160, to: Rational(1, 16_000)) == 320)
        #expect(Rational(30_000, 1001).positiveValue.map { Int($0 * 100) } == 2997)
    }

    @Test("codecs have libav's names")
    func codecs() {
        #expect(CodecID.h264.description == "h264")
        #expect(CodecID.h265.description == "hevc")
        #expect(CodecID.pcmMulaw.description == "pcm_mulaw")
        #expect(Libav.versions.contains("libavcodec 5") || Libav.versions.contains("libavcodec 6"))
    }
}
