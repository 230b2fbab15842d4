import NIOCore

/// JPEG (RFC 2435). It carries baseline pictures in 4:2:2 or 4:2:0 with the usual Huffman tables and nothing else.
struct JPEGPacketizer {
    let payloadType: UInt8

    /// What the headers of a picture say.
    private struct Picture {
        var type: UInt8 = 0
        var width = 0
        var height = 0
        /// By number, 64 bytes each.
        var tables: [UInt8: [UInt8]] = [:]
        var lumaTable: UInt8 = 0
        var chromaTable: UInt8 = 0
        var restartInterval = 0
        var scan = 0..<0
    }

    /// Nil for a picture that does not fit.
    func packets(of jpeg: UnsafeRawBufferPointer, _ timestamp: UInt32) -> ByteBuffer? {
        guard let picture = Self.read(jpeg), let luma = picture.tables[picture.lumaTable], let chroma = picture.tables[picture.chromaTable],
            picture.scan.count > 0, picture.scan.count < 1 << 24
        else { return nil }
        var out = RTPBatchWriter(capacity: picture.scan.count, payloadType: payloadType)
        let type = picture.type + (picture.restartInterval > 0 ? 64 : 0)
        // Larger pictures than the header has room for say 0; the description names their size.
        let isLarge = picture.width > 2040 || picture.height > 2040
        var at = picture.scan.lowerBound
        while at < picture.scan.upperBound {
            let offset = at - picture.scan.lowerBound
            let head = 8 + (type >= 64 ? 4 : 0) + (offset == 0 ? 4 + 128 : 0)
            let end = min(picture.scan.upperBound, at + RTPBatchWriter.largestPayload - head)
            out.begin(timestamp: timestamp, marker: end == picture.scan.upperBound)
            out.write([
                0, UInt8(offset >> 16 & 0xff), UInt8(offset >> 8 & 0xff), UInt8(offset & 0xff), type, 255,
                isLarge ? 0 : UInt8(picture.width / 8), isLarge ? 0 : UInt8(picture.height / 8),
            ])
            if type >= 64 {
                out.write(UInt16(picture.restartInterval))
                out.write(0xffff as UInt16)
            }
            if offset == 0 {
                out.write([0, 0, 0, 128])
                out.write(luma)
                out.write(chroma)
            }
            out.write(UnsafeRawBufferPointer(rebasing: jpeg[at..<end]))
            out.end()
            at = end
        }
        return out.buffer
    }

    private static func read(_ jpeg: UnsafeRawBufferPointer) -> Picture? {
        guard jpeg.count > 4, jpeg[0] == 0xff, jpeg[1] == 0xd8 else { return nil }
        var picture = Picture()
        var at = 2
        while at + 4 <= jpeg.count {
            guard jpeg[at] == 0xff else { return nil }
            let marker = jpeg[at + 1]
            if marker == 0xff {
                at += 1
                continue
            }
            let length = Int(jpeg[at + 2]) << 8 | Int(jpeg[at + 3])
            guard length >= 2, at + 2 + length <= jpeg.count else { return nil }
            let segment = UnsafeRawBufferPointer(rebasing: jpeg[at + 4..<at + 2 + length])
            at += 2 + length
            switch marker {
            case 0xdb: guard readTables(segment, &picture) else { return nil }
            case 0xc4: guard hasUsualTables(segment) else { return nil }
            case 0xc0: guard readFrame(segment, &picture) else { return nil }
            case 0xc1...0xc3, 0xc5...0xcf: return nil
            case 0xdd:
                guard segment.count >= 2 else { return nil }
                picture.restartInterval = Int(segment[0]) << 8 | Int(segment[1])
            case 0xda:
                guard picture.width > 0 else { return nil }
                picture.scan = at..<endOfScan(jpeg, from: at)
                return picture
            default: break
            }
        }
        return nil
    }

    private static func readTables(_ segment: UnsafeRawBufferPointer, _ picture: inout Picture) -> Bool {
        var at = 0
        while at < segment.count {
            // 16-bit tables belong to 12-bit pictures.
            guard segment[at] < 4, at + 65 <= segment.count else { return false }
            picture.tables[segment[at]] = Array(segment[at + 1..<at + 65])
            at += 65
        }
        return true
    }

    private static func hasUsualTables(_ segment: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        while at + 17 <= segment.count {
            let count = segment[at + 1..<at + 17].reduce(0) { $0 + Int($1) }
            guard at + 17 + count <= segment.count, let usual = JPEGHeader.huffmanTable(segment[at]) else { return false }
            guard Array(segment[at + 1..<at + 17 + count]) == usual else { return false }
            at += 17 + count
        }
        return at == segment.count
    }

    private static func readFrame(_ segment: UnsafeRawBufferPointer, _ picture: inout Picture) -> Bool {
        guard segment.count >= 15, segment[0] == 8, segment[5] == 3, segment[10] == 0x11, segment[13] == 0x11, segment[11] == segment[14]
        else { return false }
        picture.height = Int(segment[1]) << 8 | Int(segment[2])
        picture.width = Int(segment[3]) << 8 | Int(segment[4])
        switch segment[7] {
        case 0x21: picture.type = 0
        case 0x22: picture.type = 1
        default: return false
        }
        picture.lumaTable = segment[8]
        picture.chromaTable = segment[11]
        return picture.width > 0 && picture.height > 0 && picture.width % 8 == 0 && picture.height % 8 == 0
    }

    /// Behind the last byte in front of the end marker.
    private static func endOfScan(_ jpeg: UnsafeRawBufferPointer, from start: Int) -> Int {
        var end = jpeg.count
        while end - 2 >= start {
            if jpeg[end - 2] == 0xff, jpeg[end - 1] == 0xd9 { return end - 2 }
            end -= 1
        }
        return jpeg.count
    }
}
