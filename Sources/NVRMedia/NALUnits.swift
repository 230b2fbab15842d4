import ISOBMFF
import RTSP

/// Brings H.264 and H.265 access units of any packaging into the product's form: 4-byte lengths, parameter sets and delimiters
/// taken out. ITU-T H.264 Annex B, H.265 Annex B, ISO/IEC 14496-15.
struct NALUnitNormalizer {
    enum Codec { case h264, h265 }

    let codec: Codec
    private(set) var sets: ParameterSets
    /// Bytes of the length field of the input; nil when it has start codes.
    private let lengthSize: Int?

    /// `extradata`: avcC, hvcC, or parameter sets with start codes, or nothing.
    init(codec: Codec, extradata: [UInt8]) {
        self.codec = codec
        sets = ParameterSets()
        if extradata.count > 6, extradata[0] == 1 {
            switch codec {
            case .h264: lengthSize = Int(extradata[4] & 3) + 1
            case .h265: lengthSize = extradata.count > 21 ? Int(extradata[21] & 3) + 1 : 4
            }
            // An unreadable record leaves the sets empty; they may still come in band.
            switch codec {
            case .h264:
                if let found = try? AVCConfiguration.parameterSets(extradata) { sets = ParameterSets(sps: found.sps, pps: found.pps) }
            case .h265:
                if let found = try? HEVCConfiguration.parameterSets(extradata) {
                    sets = ParameterSets(vps: found.vps, sps: found.sps, pps: found.pps)
                }
            }
        } else {
            lengthSize = nil
            var ignored: [UInt8] = []
            extradata.withUnsafeBytes { _ = append($0, to: &ignored) }
        }
    }

    var entry: VideoSampleEntry? {
        let entry: VideoSampleEntry
        switch codec {
        case .h264:
            guard !sets.sps.isEmpty, !sets.pps.isEmpty else { return nil }
            entry = .avc(sps: sets.sps, pps: sets.pps)
        case .h265:
            guard !sets.sps.isEmpty, !sets.pps.isEmpty, !sets.vps.isEmpty else { return nil }
            entry = .hevc(vps: sets.vps, sps: sets.sps, pps: sets.pps)
        }
        return entry.width > 0 && entry.height > 0 ? entry : nil
    }

    /// The unit in the product's form, and whether it starts with a random access picture.
    mutating func normalize(_ input: UnsafeRawBufferPointer) -> (bytes: MediaBytes, isKeyframe: Bool) {
        var output: [UInt8] = []
        output.reserveCapacity(input.count + 16)
        let isKey = append(input, to: &output)
        return (MediaBytes(output), isKey)
    }

    private mutating func append(_ input: UnsafeRawBufferPointer, to output: inout [UInt8]) -> Bool {
        var fresh = ParameterSets()
        var isKey = false
        func take(_ unit: UnsafeRawBufferPointer) {
            guard let first = unit.first else { return }
            switch codec {
            case .h264:
                switch first & 0x1F {
                case 7: return fresh.sps.append([UInt8](unit))
                case 8: return fresh.pps.append([UInt8](unit))
                case 9, 12: return
                case 5: isKey = true
                default: break
                }
            case .h265:
                switch (first >> 1) & 0x3F {
                case 32: return fresh.vps.append([UInt8](unit))
                case 33: return fresh.sps.append([UInt8](unit))
                case 34: return fresh.pps.append([UInt8](unit))
                case 35, 38: return
                case 16...21: isKey = true
                default: break
                }
            }
            withUnsafeBytes(of: UInt32(unit.count).bigEndian) { output.append(contentsOf: $0) }
            output.append(contentsOf: unit)
        }
        if let lengthSize {
            var at = 0
            while at + lengthSize <= input.count {
                let length = (0..<lengthSize).reduce(0) { $0 << 8 | Int(input[at + $1]) }
                at += lengthSize
                guard length > 0, length <= input.count - at else { break }
                take(UnsafeRawBufferPointer(rebasing: input[at..<at + length]))
                at += length
            }
        } else {
            Self.split(input, take)
        }
        if !fresh.vps.isEmpty { sets.vps = fresh.vps }
        if !fresh.sps.isEmpty { sets.sps = fresh.sps }
        if !fresh.pps.isEmpty { sets.pps = fresh.pps }
        return isKey
    }

    /// Calls `take` with each NAL unit between start codes.
    private static func split(_ input: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Void) {
        var start: Int?
        var at = 0
        func end(_ start: Int, _ stop: Int) {
            var stop = stop
            while stop > start, input[stop - 1] == 0 { stop -= 1 }
            if stop > start { take(UnsafeRawBufferPointer(rebasing: input[start..<stop])) }
        }
        while at + 2 < input.count {
            if input[at + 2] > 1 {
                at += 3
            } else if input[at] == 0, input[at + 1] == 0, input[at + 2] == 1 {
                if let start { end(start, at) }
                start = at + 3
                at += 3
            } else {
                at += 1
            }
        }
        if let start { end(start, input.count) }
    }
}
