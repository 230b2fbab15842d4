/// RTCP (RFC 3550 section 6): what is read of it, and the reports that are sent.
package enum RTCP {
    /// The packets that matter to a receiver.
    package enum Packet: Equatable {
        /// NTP time as sent: seconds since 1900 and their fraction, 32 bits each.
        case senderReport(ssrc: UInt32, ntp: UInt64, rtpTimestamp: UInt32)
        case bye(ssrcs: [UInt32])
    }

    /// Takes a compound packet apart; nil when its lengths make no sense. What stands before the nonsense is not used.
    package static func parse(_ bytes: ByteView) -> [Packet]? {
        var packets: [Packet] = []
        var rest = bytes
        while rest.count > 0 {
            guard rest.count >= 4, rest[0] & 0xc0 == 0x80 else { return nil }
            let length = (Int(rest.bigEndian16(at: 2)) + 1) * 4
            guard length <= rest.count else { return nil }
            let body = rest.prefix(length)
            switch body[1] {
            case 200 where body.count >= 28:
                let ntp = UInt64(body.bigEndian32(at: 8)) << 32 | UInt64(body.bigEndian32(at: 12))
                packets.append(.senderReport(ssrc: body.bigEndian32(at: 4), ntp: ntp, rtpTimestamp: body.bigEndian32(at: 16)))
            case 203:
                let count = min(Int(body[0] & 0x1f), (body.count - 4) / 4)
                packets.append(.bye(ssrcs: (0..<count).map { body.bigEndian32(at: 4 + $0 * 4) }))
            default:
                break
            }
            rest = rest.dropFirst(length)
        }
        return packets
    }

    /// UTC microseconds since 1970 of an NTP time; nil when the server sent none. Times before 1968 are taken to lie
    /// beyond the wrap of 2036.
    package static func microseconds(ntp: UInt64) -> Int64? {
        guard ntp != 0 else { return nil }
        var seconds = Int64(ntp >> 32)
        if seconds < 0x8000_0000 { seconds += 1 << 32 }
        let fraction = Int64(((ntp & 0xffff_ffff) * 1_000_000) >> 32)
        return (seconds - 2_208_988_800) * 1_000_000 + fraction
    }

    /// What the last sender report contributes to a receiver report.
    package struct LastReport: Equatable {
        /// The middle 32 bits of its NTP time.
        package var ntpMiddle: UInt32
        /// Microseconds since it came.
        package var age: Int64

        /// `age` in microseconds.
        package init(ntpMiddle: UInt32, age: Int64) {
            self.ntpMiddle = ntpMiddle
            self.age = age
        }
    }

    /// A compound packet: a receiver report about one source (none when nothing came yet) and our CNAME.
    package static func receiverReport(
        from ssrc: UInt32, cname: String, about source: (ssrc: UInt32, report: RTPReception.Report)?, last: LastReport?
    ) -> [UInt8] {
        var out: [UInt8] = [source == nil ? 0x80 : 0x81, 201]
        func append16(_ value: Int) { out += [UInt8(value >> 8 & 0xff), UInt8(value & 0xff)] }
        func append32(_ value: UInt32) { out += (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - $0 * 8)) } }
        append16(source == nil ? 1 : 7)
        append32(ssrc)
        if let source {
            append32(source.ssrc)
            append32(UInt32(source.report.fractionLost) << 24 | UInt32(bitPattern: source.report.cumulativeLost) & 0xff_ffff)
            append32(source.report.highestSequence)
            append32(source.report.jitter)
            append32(last?.ntpMiddle ?? 0)
            append32(last.map { UInt32(clamping: max(0, min($0.age, 1 << 40)) * 65536 / 1_000_000) } ?? 0)
        }
        // SDES with one chunk: SSRC, CNAME item, at least one zero, padded to a multiple of four.
        let name = Array(cname.utf8.prefix(255))
        var chunk: [UInt8] = [1, UInt8(name.count)] + name + [0]
        while chunk.count % 4 != 0 { chunk.append(0) }
        out += [0x81, 202]
        append16((4 + chunk.count) / 4)
        append32(ssrc)
        return out + chunk
    }
}

// MARK: - What a sender sends

extension RTCP {
    /// A compound packet: a sender report without blocks about others, and our CNAME.
    package static func senderReport(
        from ssrc: UInt32, cname: String, ntp: UInt64, rtpTimestamp: UInt32, packets: UInt32, octets: UInt32
    ) -> [UInt8] {
        [0x80, 200, 0, 6] + bytes(ssrc) + bytes(UInt32(truncatingIfNeeded: ntp >> 32)) + bytes(UInt32(truncatingIfNeeded: ntp))
            + bytes(rtpTimestamp) + bytes(packets) + bytes(octets) + description(of: ssrc, cname: cname)
    }

    /// A compound packet that says that a source has ended (RFC 3550 section 6.6): an empty report, the CNAME, and the farewell.
    package static func bye(from ssrc: UInt32, cname: String) -> [UInt8] {
        [0x80, 201, 0, 1] + bytes(ssrc) + description(of: ssrc, cname: cname) + [0x81, 203, 0, 1] + bytes(ssrc)
    }

    private static func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - $0 * 8)) } }

    /// SDES with one chunk: SSRC, CNAME item, at least one zero, padded to a multiple of four.
    private static func description(of ssrc: UInt32, cname: String) -> [UInt8] {
        let name = Array(cname.utf8.prefix(255))
        var chunk: [UInt8] = [1, UInt8(name.count)] + name + [0]
        while chunk.count % 4 != 0 { chunk.append(0) }
        return [0x81, 202, 0, UInt8((4 + chunk.count) / 4)] + bytes(ssrc) + chunk
    }
}
