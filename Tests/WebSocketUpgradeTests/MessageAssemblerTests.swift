import NIOCore
import NIOWebSocket
import Testing
import WebSocketUpgrade

/// What clients may send and what ends their connections, frame by frame.
@Suite("Messages of clients")
struct MessageAssemblerTests {
    private static let mask: WebSocketMaskingKey = [1, 2, 3, 4]

    /// A frame as it arrives: masked.
    static func frame(_ opcode: WebSocketOpcode, _ bytes: [UInt8] = [], fin: Bool = true, isMasked: Bool = true) -> WebSocketFrame {
        var buffer = ByteBuffer(bytes: bytes)
        if isMasked { buffer.webSocketMask(mask) }
        return WebSocketFrame(fin: fin, opcode: opcode, maskKey: isMasked ? mask : nil, data: buffer)
    }

    private static func limits(message: Int = 100, fragments: Int = 4) -> WebSocketLimits {
        var limits = WebSocketLimits()
        limits.largestMessage = message
        limits.mostFragments = fragments
        return limits
    }

    /// Why the last of these frames is refused; nil when none is.
    private static func refusal(_ frames: [WebSocketFrame]) -> WebSocketClosure? {
        var assembler = MessageAssembler(limits: limits())
        do throws(MessageAssembler.Violation) {
            for frame in frames { _ = try assembler.take(frame) }
            return nil
        } catch {
            return error.closure
        }
    }

    @Test("messages come whole, in one frame or in several, with control frames between them")
    func whole() throws {
        var assembler = MessageAssembler(limits: Self.limits())
        #expect(try assembler.take(Self.frame(.text, Array("grüß".utf8))) == .message(.text("grüß")))
        #expect(try assembler.take(Self.frame(.binary, [1, 2, 3])) == .message(.binary(ByteBuffer(bytes: [1, 2, 3]))))
        // A character may be cut in two by the border of a frame.
        let umlaut = Array("ü".utf8)
        #expect(try assembler.take(Self.frame(.text, [umlaut[0]], fin: false)) == nil)
        #expect(try assembler.take(Self.frame(.ping, [9])) == .ping(ByteBuffer(bytes: [9])))
        #expect(try assembler.take(Self.frame(.continuation, [], fin: false)) == nil)
        #expect(try assembler.take(Self.frame(.pong)) == .pong)
        #expect(try assembler.take(Self.frame(.continuation, [umlaut[1]])) == .message(.text("ü")))
        #expect(try assembler.take(Self.frame(.binary)) == .message(.binary(ByteBuffer())))
    }

    @Test("frames that are not masked, carry reserved bits or an unknown kind are protocol errors")
    func protocolErrors() {
        #expect(Self.refusal([Self.frame(.text, [65], isMasked: false)]) == .protocolError)
        #expect(Self.refusal([Self.frame(.ping, isMasked: false)]) == .protocolError)
        for bit in 0..<3 {
            var frame = Self.frame(.binary, [1])
            switch bit {
            case 0: frame.rsv1 = true
            case 1: frame.rsv2 = true
            default: frame.rsv3 = true
            }
            #expect(Self.refusal([frame]) == .protocolError)
        }
        for code: UInt8 in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
            #expect(Self.refusal([Self.frame(WebSocketOpcode(encodedWebSocketOpcode: code)!)]) == .protocolError)
        }
    }

    @Test("fragments follow each other, and nothing continues what did not begin")
    func fragments() {
        #expect(Self.refusal([Self.frame(.continuation, [1])]) == .protocolError)
        #expect(Self.refusal([Self.frame(.text, [65], fin: false), Self.frame(.text, [66])]) == .protocolError)
        #expect(Self.refusal([Self.frame(.text, [65], fin: false), Self.frame(.binary, [66])]) == .protocolError)
        #expect(Self.refusal([Self.frame(.text, [65]), Self.frame(.continuation, [66])]) == .protocolError)
    }

    @Test("size and number of fragments are bounded, whatever they hold")
    func bounds() {
        let half = [UInt8](repeating: 65, count: 50)
        #expect(Self.refusal([Self.frame(.text, half, fin: false), Self.frame(.continuation, half)]) == nil)
        #expect(Self.refusal([Self.frame(.text, half, fin: false), Self.frame(.continuation, half + [65])]) == .tooLarge)
        #expect(Self.refusal([Self.frame(.binary, half + half + [1])]) == .tooLarge)
        let empty = Self.frame(.continuation, [], fin: false)
        #expect(Self.refusal([Self.frame(.text, [], fin: false), empty, empty, empty]) == nil)
        #expect(Self.refusal([Self.frame(.text, [], fin: false), empty, empty, empty, empty]) == .tooLarge)
    }

    @Test("text that is no UTF-8 is refused, also across frames and in reasons")
    func text() {
        #expect(Self.refusal([Self.frame(.text, [0xC3])]) == .invalidText)
        #expect(Self.refusal([Self.frame(.text, [0xED, 0xA0, 0x80])]) == .invalidText)
        #expect(Self.refusal([Self.frame(.text, [65], fin: false), Self.frame(.continuation, [0xFF])]) == .invalidText)
        #expect(Self.refusal([Self.frame(.connectionClose, [0x03, 0xE8, 0xFF])]) == .invalidText)
        #expect(Self.refusal([Self.frame(.binary, [0xFF, 0xFE])]) == nil)
    }

    @Test("close frames carry nothing, or a code that may travel")
    func closing() throws {
        var assembler = MessageAssembler(limits: Self.limits())
        #expect(try assembler.take(Self.frame(.connectionClose)) == .close(nil))
        #expect(try assembler.take(Self.frame(.connectionClose, [0x03, 0xE8] + Array("bye".utf8))) == .close(1000))
        #expect(try assembler.take(Self.frame(.connectionClose, [0x0B, 0xB8])) == .close(3000))
        #expect(Self.refusal([Self.frame(.connectionClose, [3])]) == .protocolError)
        for code: UInt16 in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535] {
            #expect(Self.refusal([Self.frame(.connectionClose, [UInt8(code >> 8), UInt8(code & 255)])]) == .protocolError, "\(code)")
        }
    }

    @Test("a client may send a burst, and then so many frames a second")
    func allowance() {
        var limits = WebSocketLimits()
        limits.burst = 3
        limits.framesPerSecond = 2
        var allowance = FrameAllowance(limits: limits)
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        func take() -> Bool { allowance.take(at: now) }
        for _ in 0..<3 { #expect(take()) }
        #expect(!take())
        now = now + .milliseconds(500)
        #expect(take())
        #expect(!take())
        now = now + .hours(1)
        for _ in 0..<3 { #expect(take()) }
        #expect(!take())
    }
}
