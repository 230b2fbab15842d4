import RTSP
import Testing

@Suite("Descriptions")
struct SDPTests {
    private func formats(_ lines: [String], end: String = "\r\n") -> [SDPFormat?] {
        SDPDescription(Array(lines.joined(separator: end).utf8))?.media.map(\.format) ?? []
    }

    @Test("A usual description gives video and audio", arguments: ["\r\n", "\n", "\r"])
    func usual(_ end: String) throws {
        let sdp = try #require(
            SDPDescription(
                Array(
                    [
                        "v=0", "o=- 1 1 IN IP4 10.0.0.1", "s=x", "t=0 0", "a=control:*", "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000",
                        "a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LAHtkAoEf+yA==,aM48gA==;profile-level-id=42c01e",
                        "a=framerate:15", "a=control:trackID=1", "m=audio 0 RTP/AVP 97", "a=rtpmap:97 mpeg4-generic/48000/2",
                        "a=fmtp:97 streamtype=5;mode=AAC-hbr;config=1190;SizeLength=13;IndexLength=3;IndexDeltaLength=3", "a=control:trackID=2", "",
                    ].joined(separator: end).utf8)))
        #expect(sdp.control == "*")
        #expect(sdp.media.map(\.control) == ["trackID=1", "trackID=2"])
        let video = try #require(sdp.media[0].format)
        #expect(video.codec == .h264)
        #expect(video.framerate == 15)
        #expect(video.parameterSets == ParameterSets(sps: [Packets.sps], pps: [Packets.pps]))
        let audio = try #require(sdp.media[1].format)
        #expect(audio.codec == .aac)
        #expect(audio.clockRate == 48000 && audio.channels == 2)
        #expect(audio.audioSpecificConfig == [0x11, 0x90])
    }

    @Test(
        "Static payload types need no mapping",
        arguments: [("audio", 0, RTSPCodec.pcmu, 8000), ("audio", 8, .pcma, 8000), ("video", 26, .mjpeg, 90000)])
    func staticTypes(_ kind: String, _ type: Int, _ codec: RTSPCodec, _ rate: Int) {
        let format = formats(["m=\(kind) 0 RTP/AVP \(type)"]).first ?? nil
        #expect(format?.codec == codec)
        #expect(format?.clockRate == rate)
    }

    @Test(
        "Wrong and missing mappings are made sense of",
        arguments: [
            (["m=video 0 RTP/AVP 96", "a=fmtp:96 packetization-mode=1"], RTSPCodec.h264),
            (["m=video 0 RTP/AVP 96", "a=fmtp:96 sprop-vps=QAE="], .h265), (["m=video 0 RTP/AVP 35", "a=rtpmap:96 H264/90000"], .h264),
            (["m=video 0 RTP/AVP", "a=rtpmap:96 hevc"], .h265),
            (["m=video 0 RTP/AVP 99 96", "a=rtpmap:99 VND.ONVIF/90000", "a=rtpmap:96 H265/0"], .h265),
            (["m=VIDEO 0 RTP/AVP 96 ", "A=RTPMAP:96  h264/90000 "], .h264), (["m=audio 0 RTP/AVP 97", "a=rtpmap:97 OPUS/48000/2"], .opus),
            (["m=audio 0 RTP/AVP 97", "a=rtpmap:97 MPEG4-GENERIC/16000/1"], .aac),
        ] as [([String], RTSPCodec)])
    func oddMappings(_ lines: [String], _ codec: RTSPCodec) {
        #expect(formats(["v=0"] + lines).first??.codec == codec)
    }

    @Test(
        "What cannot be played has no format",
        arguments: [
            ["m=application 0 RTP/AVP 98", "a=rtpmap:98 vnd.onvif.metadata/90000"], ["m=video 0 RTP/AVP 96", "a=rtpmap:96 VP8/90000"],
            ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 G726-32/8000"], ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 MP4A-LATM/90000", "a=fmtp:97 cpresent=1"],
            ["m=video 0 RTP/AVP 96"], ["m=video"], ["m="],
        ])
    func unplayable(_ lines: [String]) {
        #expect(formats(lines).compactMap { $0 }.isEmpty)
    }

    @Test("Parameter sets survive start codes, wrong order, missing padding and rubbish")
    func parameterSets() {
        let codes = Text.base64Encoded([0, 0, 0, 1] + Packets.sps)
        let both = Text.base64Encoded([0, 0, 0, 1] + Packets.sps + [0, 0, 1] + Packets.pps)
        for sprop in ["aM48gA,\(codes)", both, "Z0LAHtkAoEf+yA=,a M 4 8 g A = =", "!!!!,Z0LAHtkAoEf+yA,aM48gA,AAAA"] {
            let format = formats(["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=fmtp:96 sprop-parameter-sets=\(sprop)"]).first ?? nil
            #expect(format?.parameterSets == ParameterSets(sps: [Packets.sps], pps: [Packets.pps]), "\(sprop)")
        }
    }

    @Test("MP4A-LATM gives the AudioSpecificConfig of its StreamMuxConfig")
    func latm() throws {
        // 40002320adca00: version 0, same framing, 1 subframe, AAC-LC 24 kHz mono (GStreamer and RFC 6416 section 7 style).
        let lines = ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 MP4A-LATM/48000/1", "a=fmtp:97 profile-level-id=1;cpresent=0;config=400023103fc0"]
        let format = try #require(formats(lines).first ?? nil)
        #expect(format.codec == .aac)
        #expect(format.audioSpecificConfig == [0x11, 0x88])
        #expect(format.aacPacking == .latm(subframes: 1))
    }

    @Test("Anything that is not a description gives none")
    func none() {
        #expect(SDPDescription([]) == nil)
        #expect(SDPDescription(Array("hello".utf8)) == nil)
        #expect(SDPDescription([UInt8](repeating: 0x6d, count: SDPDescription.maximumBytes + 1)) == nil)
        #expect(SDPDescription(Array(String(repeating: "m=video 0 RTP/AVP 96\n", count: 500).utf8))?.media.count == SDPDescription.maximumMedia)
    }

    @Test("Base64 and hexadecimal")
    func text() {
        for length in 0..<20 {
            let bytes = (0..<length).map { UInt8($0 * 13 & 0xff) }
            #expect(Text.base64(Text.base64Encoded(bytes)) == bytes)
            #expect(Text.hex(Text.hexEncoded(bytes)) == bytes)
        }
        #expect(Text.hex("abc").isEmpty && Text.hex("zz").isEmpty)
    }
}
