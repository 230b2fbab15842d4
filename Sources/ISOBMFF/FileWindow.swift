/// Walks the boxes of a file through a closure that reads parts of it. Reads 4 KiB at a time, so that the header boxes of
/// a fragment usually cost one read.
struct FileWindow {
    /// Where a top-level box lies in the file.
    struct FileBox {
        let type: FourCC
        let start: Int64
        let contentStart: Int64
        let end: Int64
    }

    private static let readSize = 4096
    /// Boxes whose content is looked at are never larger in honest files.
    private static let largestContent: Int64 = 16 << 20

    let length: Int64
    private var bytes: [UInt8] = []
    private var start: Int64 = 0

    init(length: Int64) { self.length = length }

    /// The box at the offset; nil when the file ends before the box's header does. The box itself may reach past the end
    /// of the file; a size of 0 means up to it. Throws `malformed` for sizes that cannot be.
    mutating func box(at offset: Int64, read: FragmentedFile.Read) throws(ISOBMFFError) -> FileBox? {
        guard let at = try position(of: offset, count: 8, read: read) else { return nil }
        var reader = ByteReader(bytes, in: at..<at + 8)
        var size = Int64(try reader.u32())
        let type = FourCC(code: try reader.u32())
        var header: Int64 = 8
        if size == 1 {
            guard let at = try position(of: offset, count: 16, read: read) else { return nil }
            var reader = ByteReader(bytes, in: at + 8..<at + 16)
            guard let large = Int64(exactly: try reader.u64()) else { throw .malformed("box size") }
            size = large
            header = 16
        } else if size == 0 {
            size = length - offset
        }
        let (end, overflow) = offset.addingReportingOverflow(size)
        guard size >= header, !overflow else { throw .malformed("box size") }
        return FileBox(type: type, start: offset, contentStart: offset + header, end: end)
    }

    /// The content of a box: bytes and where in them it lies.
    mutating func content(of box: FileBox, read: FragmentedFile.Read) throws(ISOBMFFError) -> ([UInt8], Range<Int>) {
        guard box.end - box.start <= Self.largestContent else { throw .tooLarge("box") }
        let count = Int(box.end - box.contentStart)
        guard let at = try position(of: box.contentStart, count: count, read: read) else { throw .truncated("box") }
        return (bytes, at..<at + count)
    }

    /// Where bytes of the file lie in the window, which is moved when it does not hold them; nil past the end of the file.
    private mutating func position(of offset: Int64, count: Int, read: FragmentedFile.Read) throws(ISOBMFFError) -> Int? {
        guard offset >= 0, offset <= length, Int64(count) <= length - offset else { return nil }
        if offset >= start, offset - start <= Int64(bytes.count - count) { return Int(offset - start) }
        let wanted = Int(min(Int64(max(count, Self.readSize)), length - offset))
        do {
            bytes = try read(offset, wanted)
            while bytes.count < count {
                let more = try read(offset + Int64(bytes.count), count - bytes.count)
                guard !more.isEmpty else { break }
                bytes += more
            }
        } catch {
            throw .unreadable(String(describing: error))
        }
        start = offset
        // A short answer means that the file has become shorter meanwhile.
        return bytes.count >= count ? 0 : nil
    }
}
