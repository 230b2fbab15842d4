/// Takes what an `InterleavedFramer` cuts out of a connection.
package protocol InterleavedSink: AnyObject {
    /// One `$` frame; the bytes are borrowed.
    func frame(channel: UInt8, _ bytes: ByteView)
    func message(_ message: RTSPMessage)
    /// Whether the channel carries RTP or RTCP of a track.
    func knows(channel: UInt8) -> Bool
    /// Bytes that belong to nothing were stepped over.
    func garbage()
}

/// Cuts a connection's bytes into `$` frames (RFC 2326 section 10.12) and messages, in any mixture.
/// Frames are handed out where they lie in the receive buffer; only one that a read has cut in two is put together first.
/// Once media flow, garbage is stepped over until something makes sense again. Confined to the session's event loop.
package final class InterleavedFramer {
    /// Why a connection makes no sense any more.
    package enum Failure: Error {
        case garbage
        case tooLarge
    }

    /// Garbage that is stepped over in one go while media flow; none before that.
    package static let maximumGarbage = 256 << 10

    /// A framer at the beginning of a connection.
    package init() {}

    /// Whether media flow, so that a connection with a hiccup is worth resynchronising.
    package var toleratesGarbage = false
    /// The beginning of a frame or message whose rest has not come.
    private var carry: [UInt8] = []
    private var searched = 0
    private var garbageRun = 0

    /// Forgets everything, for a new connection.
    package func reset() {
        carry.removeAll(keepingCapacity: true)
        searched = 0
        garbageRun = 0
        toleratesGarbage = false
    }

    /// Hands out everything that is complete; throws when the connection makes no sense any more.
    package func consume(_ bytes: ByteView, _ sink: some InterleavedSink) throws(Failure) {
        var rest = bytes
        while !carry.isEmpty, rest.count > 0 {
            guard carry[0] == UInt8(ascii: "$") else {
                // Text is rare: join and parse again.
                append(rest)
                let joined = carry
                carry.removeAll(keepingCapacity: true)
                var failure: Failure?
                joined.withUnsafeBytes { buffer in
                    do throws(Failure) { try cut(ByteView(buffer), sink) } catch { failure = error }
                }
                if let failure { throw failure }
                return
            }
            let needed = carry.count < 4 ? 4 - carry.count : 4 + (Int(carry[2]) << 8 | Int(carry[3])) - carry.count
            append(rest.prefix(needed))
            rest = rest.dropFirst(needed)
            if carry.count >= 4, carry.count == 4 + (Int(carry[2]) << 8 | Int(carry[3])) {
                carry.withUnsafeBytes { buffer in
                    sink.frame(channel: buffer[1], ByteView(buffer).dropFirst(4))
                }
                carry.removeAll(keepingCapacity: true)
            }
        }
        if rest.count > 0 { try cut(rest, sink) }
    }

    private func append(_ view: ByteView) {
        carry.append(contentsOf: UnsafeRawBufferPointer(start: view.base, count: view.count))
    }

    private func cut(_ view: ByteView, _ sink: some InterleavedSink) throws(Failure) {
        var index = 0
        let count = view.count
        while index < count {
            let byte = view[index]
            if byte == UInt8(ascii: "$") {
                guard count &- index >= 4 else { break }
                let length = Int(view.bigEndian16(at: index &+ 2))
                if isPlausible(view, index, length, sink) {
                    guard count &- index &- 4 >= length else { break }
                    garbageRun = 0
                    sink.frame(channel: view[index &+ 1], ByteView(base: view.base + index + 4, count: length))
                    index &+= 4 &+ length
                    continue
                }
            } else if byte == 10 || byte == 13 {
                index &+= 1
                continue
            } else if let begins = Self.beginsMessage(view.dropFirst(index)) {
                guard begins, let used = try cutMessage(view.dropFirst(index), sink) else { break }
                if used > 0 {
                    garbageRun = 0
                    index += used
                    continue
                }
            }
            // Neither a frame nor a message.
            guard toleratesGarbage, garbageRun < Self.maximumGarbage else { throw .garbage }
            if garbageRun == 0 { sink.garbage() }
            garbageRun += 1
            index += 1
        }
        if index < count {
            append(view.dropFirst(index))
        }
    }

    /// In step, every `$` is believed unless the packet behind it cannot be RTP; out of step, only known channels are.
    @inline(__always)
    private func isPlausible(_ view: ByteView, _ index: Int, _ length: Int, _ sink: some InterleavedSink) -> Bool {
        let isKnown = sink.knows(channel: view[index &+ 1])
        if !isKnown { return garbageRun == 0 }
        guard view.count &- index > 4, length > 0 else { return garbageRun == 0 }
        return view[index &+ 4] & 0xc0 == 0x80
    }

    /// True when the bytes begin a message, false when they are too few to tell, nil when they do not.
    private static func beginsMessage(_ view: ByteView) -> Bool? {
        let limit = min(view.count, 20)
        var index = 0
        while index < limit {
            let byte = view[index]
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"):
                index += 1
            case UInt8(ascii: "/"):
                guard index == 4 else { return nil }
                return view.prefix(4).array.map { $0 & 0xdf } == Array("RTSP".utf8) ? true : nil
            case UInt8(ascii: " "):
                return index >= 3 ? true : nil
            default:
                return nil
            }
        }
        return limit < 20 && limit > 0 ? false : nil
    }

    /// The length of the message that was handed out, 0 when it is none, nil when it is not complete.
    private func cutMessage(_ view: ByteView, _ sink: some InterleavedSink) throws(Failure) -> Int? {
        guard let headLength = RTSPMessageParser.headLength(view, searchedTo: searched) else {
            guard view.count <= RTSPMessageParser.maximumHeadBytes else {
                searched = 0
                if toleratesGarbage { return 0 }
                throw .tooLarge
            }
            // Only valid while this text stays at the front of what is carried over.
            searched = view.count
            return nil
        }
        searched = 0
        guard headLength <= RTSPMessageParser.maximumHeadBytes, let message = RTSPMessageParser.parse(head: view.prefix(headLength)) else {
            if toleratesGarbage { return 0 }
            throw .garbage
        }
        guard let bodyLength = RTSPMessageParser.bodyLength(message) else { throw .tooLarge }
        guard view.count - headLength >= bodyLength else { return nil }
        if case .response(var response) = message {
            response.body = view.prefix(headLength + bodyLength).dropFirst(headLength).array
            sink.message(.response(response))
        } else {
            sink.message(message)
        }
        return headLength + bodyLength
    }
}
