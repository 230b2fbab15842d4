import NVRMedia
import NVRModel
import Testing

@Suite("Log-ins of a camera's streams")
struct LoginGateTests {
    @Test("a refused main stream holds the sub-stream back until it is accepted; never the other way round")
    func gate() {
        let gate = LoginGate()
        #expect(!gate.isClosed(for: .main) && !gate.isClosed(for: .sub))
        gate.refused(.sub)
        #expect(!gate.isClosed(for: .main) && !gate.isClosed(for: .sub))
        gate.refused(.main)
        #expect(!gate.isClosed(for: .main) && gate.isClosed(for: .sub))
        gate.accepted(.sub)
        #expect(gate.isClosed(for: .sub))
        gate.accepted(.main)
        #expect(!gate.isClosed(for: .sub))
    }
}
