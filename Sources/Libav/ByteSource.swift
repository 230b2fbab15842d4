/// Bytes that an input reads from somewhere else than libav's own protocols. Used on the one thread that reads the input.
package protocol ByteSource: AnyObject {
    /// Fills the beginning of `buffer` and gives the count; waits until there is at least one byte. 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int

    /// Goes on at a byte offset from the beginning. Only called when `isSeekable`.
    func seek(to offset: Int64) throws

    var isSeekable: Bool { get }

    /// Bytes from beginning to end; nil when there is no knowing.
    var size: Int64? { get }

    /// Lets go of whatever it holds. Called once.
    func close()
}

/// What a demuxer asks for while it reads: the segments, keys and playlists of HLS.
package struct ByteRequest: Hashable, Sendable {
    /// Absolute.
    package var url: String
    /// The first byte wanted.
    package var offset: Int64
    /// The byte after the last one wanted; nil means to the end.
    package var end: Int64?

    package init(url: String, offset: Int64 = 0, end: Int64? = nil) {
        self.url = url
        self.offset = offset
        self.end = end
    }
}

/// Opens what a demuxer asks for. Used on the one thread that reads the input.
package protocol ByteOpener: AnyObject {
    func open(_ request: ByteRequest) throws -> any ByteSource
}
