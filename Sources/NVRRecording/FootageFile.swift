/// A file of footage that is read in ranges: on a disk, or behind a network. Its content never changes but at its end, so several threads may
/// read it at once. Calls block.
package protocol FootageFile: Sendable {
    /// For the log: where the file lies.
    var path: String { get }
    /// Bytes of the file now.
    func length() throws -> Int64
    /// Up to `count` bytes at `offset`; fewer only at the end of the file.
    func read(at offset: Int64, count: Int) throws -> [UInt8]
}

extension POSIXFile: FootageFile {}
