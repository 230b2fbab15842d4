/// The parameter sets in force, by id, so that a changed set replaces the one it stands for. Bounded.
package struct ParameterSetStore {
    /// What a parameter set is about: video, sequence or picture.
    package enum Kind {
        case vps
        case sps
        case pps
    }

    private let syntax: NALDepacketizer.Syntax
    package private(set) var sets = ParameterSets()
    private var vpsIDs: [UInt32] = []
    private var spsIDs: [UInt32] = []
    private var ppsIDs: [UInt32] = []
    /// From the newest H.265 SPS: whether pictures may leave in another order than they came. True when unknown.
    private var mayReorder = true
    /// From the newest H.265 PPS: bits before the slice type.
    private var extraSliceHeaderBits = 0

    package static let maximumBytes = 4096
    package static let maximumCount = 32

    /// Begins with the sets of a description; those that make no sense are left out.
    package init(syntax: NALDepacketizer.Syntax, _ initial: ParameterSets) {
        self.syntax = syntax
        for (list, kind) in [(initial.vps, Kind.vps), (initial.sps, .sps), (initial.pps, .pps)] {
            for set in list {
                set.withUnsafeBytes { _ = absorb(ByteView($0), kind) }
            }
        }
    }

    /// Takes a parameter set in; true when it is new or differs from the one with its id.
    package mutating func absorb(_ nal: ByteView, _ kind: Kind) -> Bool {
        // Trailing zero bytes belong to the byte stream, not to the NAL unit.
        var length = nal.count
        while length > 0, nal[length - 1] == 0 { length -= 1 }
        let nal = nal.prefix(length)
        guard nal.count > (syntax == .h264 ? 1 : 2), nal.count <= Self.maximumBytes, let id = identifier(nal, kind) else { return false }
        let changed =
            switch kind {
            case .vps: Self.replace(&sets.vps, &vpsIDs, id, nal)
            case .sps: Self.replace(&sets.sps, &spsIDs, id, nal)
            case .pps: Self.replace(&sets.pps, &ppsIDs, id, nal)
            }
        if changed, syntax == .h265 { readOrder(nal, kind) }
        return changed
    }

    private static func replace(_ list: inout [[UInt8]], _ ids: inout [UInt32], _ id: UInt32, _ nal: ByteView) -> Bool {
        if let index = ids.firstIndex(of: id) {
            if nal.elementsEqual(list[index]) { return false }
            list[index] = nal.array
            return true
        }
        guard list.count < maximumCount else { return false }
        list.append(nal.array)
        ids.append(id)
        return true
    }

    private func identifier(_ nal: ByteView, _ kind: Kind) -> UInt32? {
        switch (syntax, kind) {
        case (.h264, .vps): return nil
        case (.h264, .sps):
            var reader = BitReader(nal.dropFirst(4), unescaping: true)
            return reader.exponentialGolomb()
        case (.h264, .pps):
            var reader = BitReader(nal.dropFirst(1), unescaping: true)
            return reader.exponentialGolomb()
        case (.h265, .vps):
            var reader = BitReader(nal.dropFirst(2), unescaping: true)
            return reader.bits(4)
        case (.h265, .sps):
            var reader = BitReader(nal.dropFirst(2), unescaping: true)
            guard reader.skip(4), let layers = reader.bits(3), reader.skip(1), Self.skipProfile(&reader, layers: Int(layers)) else { return nil }
            return reader.exponentialGolomb()
        case (.h265, .pps):
            var reader = BitReader(nal.dropFirst(2), unescaping: true)
            return reader.exponentialGolomb()
        }
    }

    /// profile_tier_level (H.265 section 7.3.3).
    private static func skipProfile(_ reader: inout BitReader, layers: Int) -> Bool {
        guard reader.skip(96) else { return false }
        guard layers > 0 else { return true }
        var profiles = 0
        var levels = 0
        for _ in 0..<layers {
            guard let profile = reader.bit(), let level = reader.bit() else { return false }
            profiles += Int(profile)
            levels += Int(level)
        }
        return reader.skip((8 - layers) * 2 + profiles * 88 + levels * 8)
    }

    private mutating func readOrder(_ nal: ByteView, _ kind: Kind) {
        var reader = BitReader(nal.dropFirst(2), unescaping: true)
        switch kind {
        case .vps: break
        case .sps: mayReorder = Self.reorders(&reader) ?? true
        case .pps:
            guard reader.exponentialGolomb() != nil, reader.exponentialGolomb() != nil, reader.skip(2), let bits = reader.bits(3) else { return }
            extraSliceHeaderBits = Int(bits)
        }
    }

    /// sps_max_num_reorder_pics of the highest layer is above 0 (H.265 section 7.3.2.2); nil when the SPS is cut short.
    private static func reorders(_ reader: inout BitReader) -> Bool? {
        guard reader.skip(4), let layers = reader.bits(3), reader.skip(1), skipProfile(&reader, layers: Int(layers)),
            reader.exponentialGolomb() != nil, let chroma = reader.exponentialGolomb()
        else { return nil }
        if chroma == 3, !reader.skip(1) { return nil }
        guard reader.exponentialGolomb() != nil, reader.exponentialGolomb() != nil, let window = reader.bit() else { return nil }
        if window == 1 {
            for _ in 0..<4 where reader.exponentialGolomb() == nil { return nil }
        }
        guard reader.exponentialGolomb() != nil, reader.exponentialGolomb() != nil, reader.exponentialGolomb() != nil,
            let perLayer = reader.bit()
        else { return nil }
        var reorder: UInt32 = 0
        for _ in 0...(perLayer == 1 ? Int(layers) : 0) {
            guard reader.exponentialGolomb() != nil, let value = reader.exponentialGolomb(), reader.exponentialGolomb() != nil else { return nil }
            reorder = value
        }
        return reorder > 0
    }

    /// Whether an H.265 first slice is a B slice of a stream that reorders (section 7.3.6.1).
    package func isBiPredictive(_ slice: ByteView, isRandomAccess: Bool) -> Bool {
        guard mayReorder else { return false }
        var reader = BitReader(slice, unescaping: true)
        guard reader.bit() == 1 else { return false }
        if isRandomAccess, !reader.skip(1) { return false }
        guard reader.exponentialGolomb() != nil, reader.skip(extraSliceHeaderBits), let type = reader.exponentialGolomb() else { return false }
        return type == 0
    }
}

/// Recovery point messages of H.264 (section D.2.8).
package enum RecoveryPoint {
    /// Whether an SEI NAL unit (without header) says that decoding may begin with this very picture.
    package static func isImmediate(_ sei: ByteView) -> Bool {
        var rest = sei
        // A NAL unit holds few messages; the bound keeps hostile ones cheap.
        for _ in 0..<16 {
            var type = 0
            var size = 0
            guard let afterType = number(rest, &type), let afterSize = number(afterType, &size) else { return false }
            if type == 6 {
                var reader = BitReader(afterSize.prefix(size), unescaping: true)
                return reader.exponentialGolomb() == 0
            }
            guard size < afterSize.count else { return false }
            rest = afterSize.dropFirst(size)
        }
        return false
    }

    private static func number(_ view: ByteView, _ value: inout Int) -> ByteView? {
        var index = 0
        while index < view.count, index < 64 {
            let byte = view[index]
            value += Int(byte)
            index += 1
            if byte != 255 { return view.dropFirst(index) }
        }
        return nil
    }
}

/// Start codes of byte streams (H.264 Annex B).
package enum AnnexB {
    /// 3 or 4 when the bytes begin with a start code, else 0.
    package static func startCodeLength(_ view: ByteView) -> Int {
        guard view.count >= 4, view[0] == 0, view[1] == 0 else { return 0 }
        if view[2] == 1 { return 3 }
        return view[2] == 0 && view[3] == 1 ? 4 : 0
    }

    /// The index of the next 00 00 01 at or behind `from`.
    package static func nextStartCode(_ view: ByteView, from: Int) -> Int? {
        var index = max(0, from)
        while index + 3 <= view.count {
            let third = view[index + 2]
            if third > 1 {
                index += 3
            } else if third == 1, view[index] == 0, view[index + 1] == 0 {
                return index
            } else {
                index += 1
            }
        }
        return nil
    }

    /// Calls `body` with every NAL unit between start codes, also with one in front of the first.
    package static func forEach(_ view: ByteView, _ body: (ByteView) -> Void) {
        var begin = 0
        while begin < view.count {
            let code = nextStartCode(view, from: begin)
            var end = code ?? view.count
            while end > begin, view[end - 1] == 0 { end -= 1 }
            if end > begin { body(view.prefix(end).dropFirst(begin)) }
            guard let code else { return }
            begin = code + 3
        }
    }
}
