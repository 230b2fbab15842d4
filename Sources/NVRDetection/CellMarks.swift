/// Two bitmaps of cells, one byte each: what is foreground, and what changed just now. Rows are padded, and there is an empty
/// row above and below, so that neighbours can be read without looking for borders.
struct CellMarks: Hashable, Sendable {
    let columns: Int
    let rows: Int
    /// Bytes from row to row.
    let stride: Int

    private(set) var changed: [UInt8]
    private(set) var active: [UInt8]
    /// The foreground without speckles.
    private(set) var cleaned: [UInt8]
    private var sums: [UInt8]

    /// Bytes before the first cell: one row and, for the left neighbour, some columns.
    var origin: Int { stride + 16 }

    /// - Parameter columns: a multiple of 16.
    init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
        stride = columns + 32
        changed = [UInt8](repeating: 0, count: stride * (rows + 2))
        active = changed
        cleaned = changed
        sums = changed
    }

    /// The rows to write: pointers to the first cell of `changed` and `active`, and the bytes from row to row.
    mutating func withRows(_ body: (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt8>, Int) -> Void) {
        let (origin, stride) = (origin, stride)
        changed.withUnsafeMutableBufferPointer { changed in
            active.withUnsafeMutableBufferPointer { active in
                guard let a = changed.baseAddress, let b = active.baseAddress else { return }
                body(a + origin, b + origin, stride)
            }
        }
    }

    /// Keeps a cell when at least four of the nine around it are marked.
    mutating func removeSpeckles() {
        let (origin, stride, columns, rows) = (origin, stride, columns, rows)
        changed.withUnsafeBufferPointer { changed in
            sums.withUnsafeMutableBufferPointer { sums in
                cleaned.withUnsafeMutableBufferPointer { cleaned in
                    guard let source = changed.baseAddress, let sum = sums.baseAddress, let target = cleaned.baseAddress else { return }
                    for row in 0..<rows { Self.addBeside(source + origin + row * stride, sum + origin + row * stride, columns) }
                    for row in 0..<rows { Self.majority(sum + origin + row * stride, stride, target + origin + row * stride, columns) }
                }
            }
        }
    }

    private static func addBeside(_ source: UnsafePointer<UInt8>, _ sum: UnsafeMutablePointer<UInt8>, _ columns: Int) {
        var x = 0
        while x < columns {
            sum[x] = source[x &- 1] &+ source[x] &+ source[x &+ 1]
            x &+= 1
        }
    }

    private static func majority(_ sum: UnsafePointer<UInt8>, _ stride: Int, _ target: UnsafeMutablePointer<UInt8>, _ columns: Int) {
        var x = 0
        while x < columns {
            // 4…9 + 4 has bit 3 set.
            target[x] = ((sum[x &- stride] &+ sum[x] &+ sum[x &+ stride] &+ 4) &>> 3) & 1
            x &+= 1
        }
    }

    mutating func keepSpeckles() {
        cleaned.withUnsafeMutableBytes { target in changed.withUnsafeBytes { target.copyMemory(from: $0) } }
    }
}
