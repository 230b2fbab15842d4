import NVRModel
import NVRWeb
import Testing

/// Which stream a viewer gets whose player does not take every codec.
@Suite("The choice of a live stream")
struct LiveChoiceTests {
    private static func choice(
        _ wanted: StreamRole, main: String?, sub: String??, codecs: Set<String>? = ["h264"], canTranscode: Bool = true, isPatient: Bool = true
    ) -> LiveChoice {
        LiveChoice.of(
            wanted: wanted, main: LiveChoice.Candidate(codec: main), sub: sub.map { LiveChoice.Candidate(codec: $0) }, codecs: codecs,
            canTranscode: canTranscode, isPatient: isPatient)
    }

    @Test("players that take everything get what they ask for, or the main stream while that does not run")
    func everything() {
        #expect(Self.choice(.main, main: "hevc", sub: .some("h264"), codecs: nil) == .stream(.main))
        #expect(Self.choice(.sub, main: "hevc", sub: .some("h264"), codecs: nil) == .stream(.sub))
        #expect(Self.choice(.sub, main: "hevc", sub: .some(nil), codecs: nil) == .stream(.main))
        #expect(Self.choice(.sub, main: "hevc", sub: .none, codecs: nil) == .stream(.main))
        #expect(Self.choice(.sub, main: nil, sub: .some(nil), codecs: nil) == .stream(.main))
        #expect(Self.choice(.main, main: nil, sub: .none) == .stream(.main))
    }

    @Test("a codec that the player does not take gives the other stream, waits for it, or is transcoded")
    func unplayable() {
        #expect(Self.choice(.main, main: "h264", sub: .some("hevc")) == .stream(.main))
        #expect(Self.choice(.main, main: "hevc", sub: .some("h264")) == .stream(.sub))
        #expect(Self.choice(.main, main: "hevc", sub: .some(nil)) == .wait(for: .sub))
        #expect(Self.choice(.main, main: "hevc", sub: .some(nil), isPatient: false) == .transcoded(.main))
        #expect(Self.choice(.main, main: "hevc", sub: .none) == .transcoded(.main))
        #expect(Self.choice(.main, main: "hevc", sub: .some("mjpeg")) == .transcoded(.main))
        #expect(Self.choice(.sub, main: "hevc", sub: .some("hevc")) == .transcoded(.sub))
        #expect(Self.choice(.sub, main: "h264", sub: .some("hevc")) == .stream(.main))
        #expect(Self.choice(.sub, main: "hevc", sub: .some(nil)) == .wait(for: .sub))
        #expect(Self.choice(.sub, main: "hevc", sub: .some(nil), isPatient: false) == .transcoded(.main))
    }

    @Test("without transcoding the viewer is told")
    func off() {
        #expect(Self.choice(.main, main: "hevc", sub: .none, canTranscode: false) == .unplayable(.main))
        #expect(Self.choice(.main, main: "hevc", sub: .some("h264"), canTranscode: false) == .stream(.sub))
        #expect(Self.choice(.main, main: nil, sub: .none, canTranscode: false) == .stream(.main))
    }
}
