/// Lengths in bits of the fields of an AU header (RFC 3640 section 3.2.1).
package struct AUHeaderFields: Equatable, Sendable {
    package var size = 13
    package var index = 3
    package var indexDelta = 3
    package var compositionDelta = 0
    package var decodingDelta = 0
    package var hasRandomAccess = false
    package var streamState = 0
    /// Bits of the length of the auxiliary section, which is stepped over.
    package var auxiliarySize = 0
    /// Every unit has this size when the headers carry none.
    package var constantSize = 0

    /// The fields of AAC-hbr.
    package init() {}

    /// Packets begin with an AU header section.
    package var hasHeaders: Bool {
        size > 0 || index > 0 || indexDelta > 0 || compositionDelta > 0 || decodingDelta > 0 || hasRandomAccess || streamState > 0
    }
}

/// Depacketizes mpeg4-generic AAC (RFC 3640): several units in one packet, or one unit over several packets.
package final class AACDepacketizer {
    private let track: Int
    private let fields: AUHeaderFields
    private let samplesPerFrame: UInt32
    private var writer: ChunkWriter
    private var lost = 0
    private var fragmentLeft = 0
    private var fragmentTimestamp: UInt32 = 0
    private var fragmentArrival: Int64 = 0
    private(set) var malformed = 0

    init(track: Int, fields: AUHeaderFields, samplesPerFrame: Int, unitLimit: Int) {
        self.track = track
        self.fields = fields
        self.samplesPerFrame = UInt32(clamping: samplesPerFrame)
        writer = ChunkWriter(preferredCapacity: 32 << 10, unitLimit: unitLimit)
    }

    func reset() {
        writer.truncate(to: 0)
        fragmentLeft = 0
    }

    func receive(_ packet: RTPPacket, lost newlyLost: Int, arrival: Int64, into output: inout [AccessUnit]) {
        lost &+= newlyLost
        if fragmentLeft > 0, newlyLost > 0 || packet.timestamp != fragmentTimestamp { reset() }
        var rest = packet.payload
        var header = ByteView.empty
        if fields.hasHeaders {
            guard rest.count >= 2 else { return countMalformed() }
            let headerBits = Int(rest.bigEndian16(at: 0))
            let headerBytes = (headerBits + 7) / 8
            guard 2 + headerBytes <= rest.count else { return countMalformed() }
            header = rest.dropFirst(2).prefix(headerBytes)
            rest = rest.dropFirst(2 + headerBytes)
        }
        if fields.auxiliarySize > 0 {
            var reader = BitReader(rest)
            guard let bits = reader.bits(min(fields.auxiliarySize, 32)) else { return countMalformed() }
            rest = rest.dropFirst((fields.auxiliarySize + Int(bits) + 7) / 8)
        }
        var reader = BitReader(header)
        var index = 0
        // Every unit takes at least one byte of a packet of at most 64 KB.
        while rest.count > 0 {
            guard let size = fields.hasHeaders ? nextSize(&reader, isFirst: index == 0) : constantSize(rest) else {
                // Bytes beyond the last unit are padding some encoders add.
                if index == 0 { countMalformed() }
                return
            }
            guard size > 0 else {
                index += 1
                if index > 1024 { return }
                continue
            }
            if size > rest.count || fragmentLeft > 0 {
                return fragment(rest, of: size, packet, arrival, into: &output)
            }
            if writer.append(rest.prefix(size)) {
                deliver(packet.timestamp &+ UInt32(truncatingIfNeeded: index) &* samplesPerFrame, arrival, into: &output)
            }
            rest = rest.dropFirst(size)
            index += 1
        }
    }

    private func countMalformed() {
        malformed &+= 1
    }

    private func constantSize(_ rest: ByteView) -> Int {
        fields.constantSize > 0 ? fields.constantSize : rest.count
    }

    private func nextSize(_ reader: inout BitReader, isFirst: Bool) -> Int? {
        guard let size = fields.size > 0 ? reader.bits(fields.size) : UInt32(clamping: fields.constantSize) else { return nil }
        guard reader.skip(isFirst ? fields.index : fields.indexDelta) else { return nil }
        if fields.compositionDelta > 0 {
            guard let flag = reader.bit(), flag == 0 || reader.skip(fields.compositionDelta) else { return nil }
        }
        if fields.decodingDelta > 0 {
            guard let flag = reader.bit(), flag == 0 || reader.skip(fields.decodingDelta) else { return nil }
        }
        guard reader.skip(fields.hasRandomAccess ? 1 : 0), reader.skip(fields.streamState) else { return nil }
        return Int(size)
    }

    /// A unit larger than its packet: each fragment repeats the header with the size of the whole.
    private func fragment(_ bytes: ByteView, of size: Int, _ packet: RTPPacket, _ arrival: Int64, into output: inout [AccessUnit]) {
        if fragmentLeft == 0 {
            guard lost == 0 || !packet.marker else { return }
            fragmentLeft = size
            fragmentTimestamp = packet.timestamp
            fragmentArrival = arrival
        }
        guard bytes.count <= fragmentLeft, writer.append(bytes) else {
            countMalformed()
            return reset()
        }
        fragmentLeft -= bytes.count
        if fragmentLeft == 0 {
            deliver(fragmentTimestamp, fragmentArrival, into: &output)
        } else if packet.marker {
            // The marker says it was the last fragment, and bytes are missing.
            countMalformed()
            reset()
        }
    }

    private func deliver(_ timestamp: UInt32, _ arrival: Int64, into output: inout [AccessUnit]) {
        guard let bytes = writer.publish() else { return }
        output.append(AccessUnit(track: track, bytes: bytes, rtpTimestamp: timestamp, arrival: arrival, isKeyframe: true, lostPackets: lost))
        lost = 0
    }
}

/// Depacketizes MP4A-LATM with its configuration out of band (RFC 6416 section 6, cpresent=0).
package final class LATMDepacketizer {
    private let track: Int
    private let subframes: Int
    private let samplesPerFrame: UInt32
    /// The audioMuxElement in progress; copied out unit by unit when the marker completes it.
    private var element: [UInt8] = []
    private var elementTimestamp: UInt32?
    private var elementArrival: Int64 = 0
    private let elementLimit: Int
    private var writer: ChunkWriter
    private var lost = 0
    private(set) var malformed = 0

    /// `subframes`: units in one element.
    init(track: Int, subframes: Int, samplesPerFrame: Int, unitLimit: Int) {
        self.track = track
        self.subframes = subframes
        self.samplesPerFrame = UInt32(clamping: samplesPerFrame)
        elementLimit = unitLimit
        writer = ChunkWriter(preferredCapacity: 32 << 10, unitLimit: unitLimit)
    }

    func reset() {
        element.removeAll(keepingCapacity: true)
        elementTimestamp = nil
    }

    func receive(_ packet: RTPPacket, lost newlyLost: Int, arrival: Int64, into output: inout [AccessUnit]) {
        lost &+= newlyLost
        if newlyLost > 0 {
            // What is in progress has a hole; a packet behind a loss may itself be a middle part, which its length fields show.
            reset()
        }
        if let elementTimestamp, elementTimestamp != packet.timestamp { complete(into: &output) }
        if elementTimestamp == nil {
            elementTimestamp = packet.timestamp
            elementArrival = arrival
        }
        guard element.count + packet.payload.count <= elementLimit else {
            malformed &+= 1
            return reset()
        }
        element.append(contentsOf: UnsafeRawBufferPointer(start: packet.payload.base, count: packet.payload.count))
        if packet.marker { complete(into: &output) }
    }

    /// Takes the element apart: PayloadLengthInfo and PayloadMux of each subframe (ISO 14496-3 section 1.7.3).
    private func complete(into output: inout [AccessUnit]) {
        guard let timestamp = elementTimestamp else { return }
        element.withUnsafeBytes { buffer in
            var rest = ByteView(buffer)
            for index in 0..<max(1, min(subframes, 64)) {
                var length = 0
                var position = 0
                var byte: UInt8 = 255
                while byte == 255 {
                    guard position < rest.count else {
                        malformed &+= 1
                        return
                    }
                    byte = rest[position]
                    length += Int(byte)
                    position += 1
                }
                rest = rest.dropFirst(position)
                guard length <= rest.count, writer.append(rest.prefix(length)) else {
                    malformed &+= 1
                    return
                }
                rest = rest.dropFirst(length)
                guard let bytes = writer.publish() else { continue }
                output.append(
                    AccessUnit(
                        track: track, bytes: bytes, rtpTimestamp: timestamp &+ UInt32(index) &* samplesPerFrame, arrival: elementArrival,
                        isKeyframe: true, lostPackets: lost))
                lost = 0
            }
        }
        reset()
    }
}
