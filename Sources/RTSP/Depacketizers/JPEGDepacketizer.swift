/// Depacketizes JPEG (RFC 2435): puts back the headers that the packets leave out. Pictures with a hole are dropped.
package final class JPEGDepacketizer {
    private let track: Int
    private let size: (width: Int, height: Int)?
    private var writer: ChunkWriter
    private var isOpen = false
    private var timestamp: UInt32 = 0
    private var arrival: Int64 = 0
    /// Bytes of scan data taken so far; the next fragment must begin here.
    private var scanned = 0
    private var lost = 0
    /// Quantisation tables by Q value, for packets that refer to tables sent before (RFC 2435 section 4.2).
    private var tables: [UInt8: [UInt8]] = [:]
    private(set) var malformed = 0

    /// `size`: pixels from the description, for pictures too large for the RTP header.
    init(track: Int, size: (width: Int, height: Int)?, unitLimit: Int) {
        self.track = track
        self.size = size
        writer = ChunkWriter(preferredCapacity: 256 << 10, unitLimit: unitLimit)
    }

    func reset() {
        writer.truncate(to: 0)
        isOpen = false
    }

    func receive(_ packet: RTPPacket, lost newlyLost: Int, arrival now: Int64, into output: inout [AccessUnit]) {
        lost &+= newlyLost
        if newlyLost > 0 { reset() }
        if isOpen, packet.timestamp != timestamp {
            // Without marker the picture ends with its timestamp.
            finish(into: &output)
        }
        guard append(packet, now) else { return reset() }
        if packet.marker { finish(into: &output) }
    }

    private func append(_ packet: RTPPacket, _ now: Int64) -> Bool {
        let payload = packet.payload
        guard payload.count >= 8 else {
            malformed &+= 1
            return false
        }
        let offset = Int(payload.bigEndian32(at: 0) & 0xff_ffff)
        let type = payload[4]
        let quality = payload[5]
        var width = Int(payload[6]) * 8
        var height = Int(payload[7]) * 8
        if width == 0 || height == 0, let size { (width, height) = (size.width, size.height) }
        var rest = payload.dropFirst(8)
        var restartInterval = 0
        if (64...127).contains(type) {
            guard rest.count >= 4 else {
                malformed &+= 1
                return false
            }
            restartInterval = Int(rest.bigEndian16(at: 0))
            rest = rest.dropFirst(4)
        }
        if offset == 0 {
            if isOpen { reset() }
            guard type & 0x3f <= 1, type < 128, let tables = quantisation(quality, &rest), width > 0, height > 0, width <= 65535, height <= 65535
            else {
                malformed &+= 1
                return false
            }
            isOpen = true
            timestamp = packet.timestamp
            arrival = now
            scanned = 0
            let header = JPEGHeader.bytes(
                type: type & 0x3f, width: width, height: height, tables: tables, restartInterval: restartInterval)
            guard header.withUnsafeBytes({ writer.append(ByteView($0)) }) else { return false }
        }
        // The rest of a picture whose beginning is lost is dropped without a word.
        guard isOpen else { return false }
        guard offset == scanned else {
            malformed &+= 1
            return false
        }
        scanned += rest.count
        guard writer.append(rest) else {
            malformed &+= 1
            return false
        }
        return true
    }

    private func finish(into output: inout [AccessUnit]) {
        isOpen = false
        guard scanned > 0 else { return writer.truncate(to: 0) }
        let scan = writer.view(from: max(0, writer.count - 2))
        if !(scan.count == 2 && scan[0] == 0xff && scan[1] == 0xd9) {
            guard writer.append(0xff), writer.append(0xd9) else { return writer.truncate(to: 0) }
        }
        guard let bytes = writer.publish() else { return }
        output.append(AccessUnit(track: track, bytes: bytes, rtpTimestamp: timestamp, arrival: arrival, isKeyframe: true, lostPackets: lost))
        lost = 0
    }

    /// The two tables for a Q value: computed, sent along, or remembered.
    private func quantisation(_ quality: UInt8, _ rest: inout ByteView) -> [UInt8]? {
        guard quality >= 128 else {
            return quality == 0 || (100...127).contains(quality) ? nil : JPEGHeader.tables(quality: Int(quality))
        }
        guard rest.count >= 4 else { return nil }
        let precision = rest[1]
        let length = Int(rest.bigEndian16(at: 2))
        rest = rest.dropFirst(4)
        guard length <= rest.count, precision == 0 else { return nil }
        if length == 0 { return quality == 255 ? nil : tables[quality] }
        guard length == 64 || length >= 128 else { return nil }
        var found = rest.prefix(min(length, 128)).array
        if found.count == 64 { found += found }
        rest = rest.dropFirst(length)
        if quality != 255 { tables[quality] = found }
        return found
    }
}

/// The JPEG headers of RFC 2435 appendix A and B.
package enum JPEGHeader {
    /// Tables 1 and 2 of appendix A in zigzag order, scaled for a Q of 1 to 99.
    package static func tables(quality: Int) -> [UInt8] {
        let factor = max(1, min(99, quality))
        let scale = factor < 50 ? 5000 / factor : 200 - factor * 2
        return (luma + chroma).map { UInt8(max(1, min(255, (Int($0) * scale + 50) / 100))) }
    }

    /// Everything in front of the scan data.
    package static func bytes(type: UInt8, width: Int, height: Int, tables: [UInt8], restartInterval: Int) -> [UInt8] {
        var out: [UInt8] = [0xff, 0xd8]
        out += [0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]
        for (index, table) in [tables.prefix(64), tables.dropFirst(64).prefix(64)].enumerated() {
            out += [0xff, 0xdb, 0, 67, UInt8(index)]
            out += table
        }
        if restartInterval > 0 { out += [0xff, 0xdd, 0, 4] + be(restartInterval) }
        out += [0xff, 0xc0, 0, 17, 8] + be(height) + be(width) + [3]
        out += [1, type == 0 ? 0x21 : 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]
        for (identifier, lengths, symbols) in [
            (UInt8(0x00), dcLumaLengths, dcSymbols), (0x10, acLumaLengths, acLumaSymbols), (0x01, dcChromaLengths, dcSymbols),
            (0x11, acChromaLengths, acChromaSymbols),
        ] {
            out += [0xff, 0xc4] + be(3 + lengths.count + symbols.count) + [identifier] + lengths + symbols
        }
        out += [0xff, 0xda, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]
        return out
    }

    /// Lengths and symbols of the table that a DHT segment names by class and number; nil for one that RFC 2435 does not know.
    static func huffmanTable(_ identifier: UInt8) -> [UInt8]? {
        switch identifier {
        case 0x00: dcLumaLengths + dcSymbols
        case 0x01: dcChromaLengths + dcSymbols
        case 0x10: acLumaLengths + acLumaSymbols
        case 0x11: acChromaLengths + acChromaSymbols
        default: nil
        }
    }

    private static func be(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xff), UInt8(value & 0xff)] }

    private static let luma: [UInt8] = [
        16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
        56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101,
        103, 99,
    ]
    private static let chroma: [UInt8] = [
        17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    ]
    private static let dcLumaLengths: [UInt8] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    private static let dcChromaLengths: [UInt8] = [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    private static let dcSymbols: [UInt8] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    private static let acLumaLengths: [UInt8] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d]
    private static let acLumaSymbols: [UInt8] = [
        0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81,
        0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18,
        0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
        0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75,
        0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
        0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
        0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5,
        0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
    ]
    private static let acChromaLengths: [UInt8] = [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77]
    private static let acChromaSymbols: [UInt8] = [
        0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08,
        0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25,
        0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47,
        0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74,
        0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97,
        0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
        0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4,
        0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
    ]
}
