/// Depacketizes H.264 (RFC 6184) and H.265 (RFC 7798) into access units.
///
/// An access unit ends when the timestamp changes, or at a marker bit that can be believed. Cameras set the marker on
/// every slice, on parameter sets, or never; so at first a marker only ends the unit when the next packet confirms it (a
/// new timestamp, a first slice, or a NAL unit that begins a picture). After `trustAfter` confirmed markers units are
/// delivered at the marker, without waiting; a marker that proves wrong ends the trust until the source restarts.
/// Confined to the session's event loop.
package final class NALDepacketizer {
    /// Which of the two codecs.
    package enum Syntax {
        case h264
        case h265
    }

    /// Confirmed markers before a marker alone ends a unit.
    package static let trustAfter = 8

    private enum Trust: Equatable {
        case probation(confirmed: Int)
        case trusted
        case untrusted
    }

    /// What a NAL unit means for where access units begin.
    private enum Role {
        /// A coded slice; `first` when it begins a picture.
        case slice(first: Bool)
        /// Belongs to the picture already begun.
        case continuation
        /// Stands before the slices of a picture.
        case prefix
        /// Parameter sets, delimiters: before the slices, and kept out of the unit.
        case dropped
        case parameterSet(ParameterSetStore.Kind)

        /// What trails a picture belongs to it; without a picture there is nothing it could belong to.
        static func trailing(_ hasSlices: Bool) -> Role { hasSlices ? .continuation : .dropped }
    }

    private let syntax: Syntax
    private let track: Int
    /// RFC 7798 section 4.4: decoding order numbers are present when sprop-max-don-diff is above 0.
    private let hasDecodingOrder: Bool
    private var writer: ChunkWriter
    private var parameterSets: ParameterSetStore

    private var isOpen = false
    private var timestamp: UInt32 = 0
    private var arrival: Int64 = 0
    private var hasSlices = false
    private var isKeyframe = false
    private var isReordered = false
    private var recoversHere = false
    private var isDamaged = false
    private var isOversize = false
    private var markerSeen = false
    private var parametersChanged = false
    private var lost = 0

    /// Offset of the length field of the NAL unit in progress inside the unit; -1 when none is.
    private var nalStart = -1
    private var nalFragmented = false
    private var trust = Trust.probation(confirmed: 0)
    private var deliveredAtMarker: UInt32?

    /// Pieces of payload that made no sense.
    private(set) var malformed = 0

    init(syntax: Syntax, track: Int, parameterSets: ParameterSets, hasDecodingOrder: Bool, unitLimit: Int) {
        self.syntax = syntax
        self.track = track
        self.hasDecodingOrder = hasDecodingOrder
        writer = ChunkWriter(preferredCapacity: 256 << 10, unitLimit: unitLimit)
        self.parameterSets = ParameterSetStore(syntax: syntax, parameterSets)
    }

    /// Forgets the unit in progress; the source began anew.
    func reset() {
        writer.truncate(to: 0)
        nalStart = -1
        isOpen = false
        markerSeen = false
        trust = .probation(confirmed: 0)
        deliveredAtMarker = nil
    }

    /// Takes the next packet, before which `lost` packets are missing; appends the units that are complete with it.
    func receive(_ packet: RTPPacket, lost newlyLost: Int, arrival now: Int64, into output: inout [AccessUnit]) {
        if newlyLost > 0 { noteLoss(newlyLost, next: packet) }
        if isOpen, packet.timestamp != timestamp { finish(atMarker: false, confirmed: markerSeen, into: &output) }
        let opened = !isOpen
        if opened { open(packet.timestamp, now) }
        let context = Context(afterLoss: opened && newlyLost > 0, opened: opened)
        switch syntax {
        case .h264: receiveH264(packet.payload, context, now, into: &output)
        case .h265: receiveH265(packet.payload, context, now, into: &output)
        }
        if packet.marker { noteMarker(into: &output) }
    }

    /// Delivers the unit in progress; the source has ended.
    func flush(into output: inout [AccessUnit]) {
        if isOpen { finish(atMarker: false, confirmed: false, into: &output) }
    }

    /// How a packet came: right behind a loss, as the first of a unit.
    private struct Context {
        var afterLoss: Bool
        var opened: Bool
    }

    private func open(_ timestamp: UInt32, _ now: Int64) {
        isOpen = true
        self.timestamp = timestamp
        arrival = now
        hasSlices = false
        isKeyframe = false
        isReordered = false
        recoversHere = false
        isDamaged = false
        isOversize = false
        markerSeen = false
        nalStart = -1
    }

    private func noteLoss(_ count: Int, next packet: RTPPacket) {
        lost &+= count
        guard isOpen else { return }
        if nalStart >= 0 {
            // The rest of this NAL unit is gone or unknown: only whole ones are delivered.
            abandonNAL()
            isDamaged = true
        } else if packet.timestamp == timestamp || !markerSeen {
            isDamaged = true
        }
    }

    private func noteMarker(into output: inout [AccessUnit]) {
        // A fragment whose end bit is missing ends with the marker.
        if nalStart >= 0 { endNAL() }
        guard isOpen, hasSlices else { return }
        markerSeen = true
        if trust == .trusted { finish(atMarker: true, confirmed: true, into: &output) }
    }

    private func finish(atMarker: Bool, confirmed: Bool, into output: inout [AccessUnit]) {
        if nalStart >= 0 { endNAL() }
        isOpen = false
        guard hasSlices, !isOversize else {
            if isOversize { malformed &+= 1 }
            writer.truncate(to: 0)
            return
        }
        guard let bytes = writer.publish() else { return }
        if confirmed, case .probation(let count) = trust {
            trust = count + 1 >= Self.trustAfter ? .trusted : .probation(confirmed: count + 1)
        }
        deliveredAtMarker = atMarker ? timestamp : nil
        output.append(
            AccessUnit(
                track: track, bytes: bytes, rtpTimestamp: timestamp, arrival: arrival, isKeyframe: isKeyframe, lostPackets: lost,
                isDamaged: isDamaged, parameterSets: parametersChanged ? parameterSets.sets : nil, isReordered: isReordered))
        lost = 0
        parametersChanged = false
    }

    // MARK: payload structures

    private func receiveH264(_ payload: ByteView, _ context: Context, _ now: Int64, into output: inout [AccessUnit]) {
        guard payload.count > 0 else { return }
        let type = payload[0] & 0x1f
        switch type {
        case 28, 29:
            // FU-A, FU-B: indicator, header, (decoding order number,) fragment.
            guard payload.count >= 2 else { return countMalformed() }
            let header = payload[1]
            let isStart = header & 0x80 != 0
            let skipped = type == 29 && isStart ? 4 : 2
            let nalHeader = (payload[0] & 0xe0) | (header & 0x1f)
            fragment(
                payload.dropFirst(skipped), isStart: isStart, isEnd: header & 0x40 != 0, header: (nalHeader, nil), context, now,
                into: &output)
        case 24, 25:
            // STAP-A, STAP-B.
            aggregate(payload.dropFirst(type == 25 ? 3 : 1), orderBytes: 0, context, now, into: &output)
        case 26, 27, 30, 31:
            // Interleaved mode is not negotiated; the rest is reserved.
            countMalformed()
        default:
            single(payload, context, now, into: &output)
        }
    }

    private func receiveH265(_ payload: ByteView, _ context: Context, _ now: Int64, into output: inout [AccessUnit]) {
        guard payload.count >= 2 else {
            if payload.count > 0 { countMalformed() }
            return
        }
        let type = (payload[0] >> 1) & 0x3f
        switch type {
        case 48:
            aggregate(payload.dropFirst(hasDecodingOrder ? 4 : 2), orderBytes: hasDecodingOrder ? 1 : 0, context, now, into: &output)
        case 49:
            guard payload.count >= 3 else { return countMalformed() }
            let header = payload[2]
            let isStart = header & 0x80 != 0
            let nalHeader = (payload[0] & 0x81) | ((header & 0x3f) << 1)
            fragment(
                payload.dropFirst(isStart && hasDecodingOrder ? 5 : 3), isStart: isStart, isEnd: header & 0x40 != 0,
                header: (nalHeader, payload[1]), context, now, into: &output)
        case 50...63:
            countMalformed()
        default:
            if hasDecodingOrder {
                guard payload.count > 4 else { return countMalformed() }
                guard beginNAL(first: payload.dropFirst(4), header: (payload[0], payload[1]), context, now, into: &output) else { return }
                appendNAL(payload.dropFirst(4))
                endNAL()
            } else {
                single(payload, context, now, into: &output)
            }
        }
    }

    private func countMalformed() {
        malformed &+= 1
    }

    private var headerLength: Int { syntax == .h264 ? 1 : 2 }

    private func single(_ nal: ByteView, _ context: Context, _ now: Int64, into output: inout [AccessUnit]) {
        // Some cameras put Annex B start codes in front of their NAL units.
        let nal = nal.dropFirst(AnnexB.startCodeLength(nal))
        guard nal.count >= headerLength else { return }
        let header = (nal[0], headerLength == 2 ? nal[1] : nil)
        guard beginNAL(first: nal.dropFirst(headerLength), header: header, context, now, into: &output) else { return }
        appendNAL(nal.dropFirst(headerLength))
        endNAL()
    }

    private func aggregate(
        _ payload: ByteView, orderBytes: Int, _ context: Context, _ now: Int64, into output: inout [AccessUnit]
    ) {
        var rest = payload
        var isFirst = true
        while rest.count >= 2 {
            if !isFirst, orderBytes > 0 {
                rest = rest.dropFirst(orderBytes)
                guard rest.count >= 2 else { return countMalformed() }
            }
            isFirst = false
            let length = Int(rest.bigEndian16(at: 0))
            rest = rest.dropFirst(2)
            guard length <= rest.count else { return countMalformed() }
            if length > 0 { single(rest.prefix(length), context, now, into: &output) }
            rest = rest.dropFirst(length)
        }
        if rest.count > 0 { countMalformed() }
    }

    private func fragment(
        _ bytes: ByteView, isStart: Bool, isEnd: Bool, header: (UInt8, UInt8?), _ context: Context, _ now: Int64,
        into output: inout [AccessUnit]
    ) {
        if isStart {
            guard beginNAL(first: bytes, header: header, context, now, into: &output) else { return }
            nalFragmented = true
        } else if nalStart < 0 {
            // The middle of a NAL unit whose start was lost.
            if !context.afterLoss, !isDamaged { countMalformed() }
            isDamaged = true
            return
        }
        appendNAL(bytes)
        if isEnd { endNAL() }
    }

    // MARK: NAL units

    /// Decides whether this NAL unit begins the next access unit, and makes room for it. False when it cannot be taken.
    private func beginNAL(
        first: ByteView, header: (UInt8, UInt8?), _ context: Context, _ now: Int64, into output: inout [AccessUnit]
    ) -> Bool {
        // One whose end bit is missing ends where the next begins.
        if nalStart >= 0 { endNAL() }
        let role = role(header: header.0, first)
        place(role, context, now, into: &output)
        if case .slice = role { noteSlice(header: header.0, first) }
        if case .continuation = role { hasSlices = true }
        nalStart = writer.count
        nalFragmented = false
        var fits = writer.append(bigEndian: 0) && writer.append(header.0)
        if let second = header.1 { fits = fits && writer.append(second) }
        if !fits { overflow() }
        return fits
    }

    private func place(_ role: Role, _ context: Context, _ now: Int64, into output: inout [AccessUnit]) {
        switch role {
        case .slice(let first):
            if markerSeen, first {
                // Two pictures of one timestamp: the marker between them was right.
                finish(atMarker: false, confirmed: true, into: &output)
                open(timestamp, now)
            } else if !first {
                if markerSeen {
                    trust = .untrusted
                    markerSeen = false
                } else if context.opened, !hasSlices {
                    // The unit begins in the middle of a picture.
                    isDamaged = true
                    if !context.afterLoss, deliveredAtMarker == timestamp { trust = .untrusted }
                }
            }
        case .prefix, .dropped, .parameterSet:
            if markerSeen, hasSlices {
                finish(atMarker: false, confirmed: true, into: &output)
                open(timestamp, now)
            }
        case .continuation:
            break
        }
    }

    private func noteSlice(header: UInt8, _ first: ByteView) {
        let isFirstSlice = !hasSlices
        hasSlices = true
        switch syntax {
        case .h264:
            if header & 0x1f == 5 { isKeyframe = true }
            guard isFirstSlice else { return }
            var reader = BitReader(first.prefix(24), unescaping: true)
            guard reader.exponentialGolomb() != nil, let type = reader.exponentialGolomb() else { return }
            if type % 5 == 1 { isReordered = true }
            // Encoders without IDR pictures mark the places to begin with a recovery point.
            if recoversHere, type % 5 == 2 { isKeyframe = true }
        case .h265:
            let type = (header >> 1) & 0x3f
            if (16...21).contains(type) { isKeyframe = true }
            guard isFirstSlice else { return }
            isReordered = parameterSets.isBiPredictive(first.prefix(24), isRandomAccess: (16...23).contains(type))
        }
    }

    @inline(__always)
    private func appendNAL(_ bytes: ByteView) {
        if !isOversize, !writer.append(bytes) { overflow() }
    }

    private func overflow() {
        isOversize = true
        writer.truncate(to: 0)
        nalStart = -1
    }

    private func abandonNAL() {
        writer.truncate(to: nalStart)
        nalStart = -1
    }

    /// Writes the length of the NAL unit in progress, or takes out what does not belong into the unit.
    private func endNAL() {
        let start = nalStart
        nalStart = -1
        guard start >= 0, !isOversize else { return }
        let nal = writer.view(from: start + 4)
        guard nal.count >= headerLength else { return writer.truncate(to: start) }
        switch role(header: nal[0], nal.dropFirst(headerLength)) {
        case .slice, .continuation:
            writer.patch(bigEndian: UInt32(truncatingIfNeeded: nal.count), at: start)
        case .dropped:
            if !splitAnnexB(nal, at: start) { writer.truncate(to: start) }
        case .parameterSet(let kind):
            if splitAnnexB(nal, at: start) { return }
            if parameterSets.absorb(nal, kind) { parametersChanged = true }
            writer.truncate(to: start)
        case .prefix:
            if splitAnnexB(nal, at: start) { return }
            if syntax == .h264, nal[0] & 0x1f == 6, RecoveryPoint.isImmediate(nal.dropFirst(1)) { recoversHere = true }
            writer.patch(bigEndian: UInt32(truncatingIfNeeded: nal.count), at: start)
        }
    }

    /// Some cameras send a whole picture in Annex B form as one NAL unit: parameter sets, then slices, with start codes
    /// between. A start code cannot occur inside a real NAL unit, so it is safe to cut there.
    private func splitAnnexB(_ nal: ByteView, at start: Int) -> Bool {
        guard AnnexB.nextStartCode(nal, from: 0) != nil else { return false }
        let copy = nal.array
        writer.truncate(to: start)
        copy.withUnsafeBytes { buffer in
            let all = ByteView(buffer)
            AnnexB.forEach(all) { piece in
                guard piece.count >= headerLength else { return }
                let body = piece.dropFirst(headerLength)
                let role = role(header: piece[0], body)
                switch role {
                case .parameterSet(let kind):
                    if parameterSets.absorb(piece, kind) { parametersChanged = true }
                case .dropped:
                    break
                case .slice, .continuation, .prefix:
                    if case .slice = role { noteSlice(header: piece[0], body) }
                    let fits = writer.append(bigEndian: UInt32(truncatingIfNeeded: piece.count)) && writer.append(piece)
                    if !fits { overflow() }
                }
            }
        }
        return true
    }

    private func role(header: UInt8, _ body: ByteView) -> Role {
        switch syntax {
        case .h264:
            switch header & 0x1f {
            case 1, 2, 5:
                // first_mb_in_slice is 0 exactly when the first bit is 1.
                return .slice(first: body.count > 0 && body[0] & 0x80 != 0)
            case 3, 4, 19...21: return .continuation
            case 7: return .parameterSet(.sps)
            case 8: return .parameterSet(.pps)
            case 0, 9, 12, 22...31: return .dropped
            case 10, 11: return .trailing(hasSlices)
            default: return .prefix
            }
        case .h265:
            switch (header >> 1) & 0x3f {
            case 0...9, 16...21: return .slice(first: body.count > 0 && body[0] & 0x80 != 0)
            case 10...15, 22...31: return .dropped
            case 32: return .parameterSet(.vps)
            case 33: return .parameterSet(.sps)
            case 34: return .parameterSet(.pps)
            case 35, 38, 48...63: return .dropped
            case 36, 37, 40, 45...47: return .trailing(hasSlices)
            default: return .prefix
            }
        }
    }
}
