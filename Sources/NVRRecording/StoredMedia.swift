import ISOBMFF
import NVRBase
package import NVRModel
import Synchronization

/// Bytes that are ready to be sent: a file, a picture in memory, or a movie laid over several segment files. Files are opened when
/// it is made, so deleting them meanwhile does not break an answer that has begun. Reading blocks.
package final class StoredMedia: Sendable {
    private enum Content: Sendable {
        case bytes([UInt8])
        case file(any FootageFile)
        case movie(Movie, files: [any FootageFile])
    }

    package let contentType: String
    /// Bytes.
    package let length: Int64
    /// Strong entity tag with its quotes, RFC 9110 8.8.3.
    package let etag: String
    package let lastModified: WallTime
    /// Suggested name for a download.
    package let fileName: String
    /// What a movie was made of; nil for anything else.
    package let excerpt: FootageExcerpt?
    /// On which volumes it lies; none for what is in memory.
    package let volumes: Set<VolumeID>
    private let content: Content

    /// A picture in memory.
    package init(jpeg: [UInt8], etag: String, lastModified: WallTime, fileName: String) {
        content = .bytes(jpeg)
        contentType = "image/jpeg"
        length = Int64(jpeg.count)
        self.etag = "\"\(etag)\""
        self.lastModified = lastModified
        self.fileName = fileName
        excerpt = nil
        volumes = []
    }

    /// The first `length` bytes of a file.
    init(
        file: any FootageFile, volume: VolumeID, length: Int64, contentType: String, etag: String, lastModified: WallTime, fileName: String
    ) {
        volumes = [volume]
        content = .file(file)
        self.contentType = contentType
        self.length = length
        self.etag = "\"\(etag)\""
        self.lastModified = lastModified
        self.fileName = fileName
        excerpt = nil
    }

    init(
        movie: Movie, files: [any FootageFile], volumes: Set<VolumeID>, etag: String, lastModified: WallTime, fileName: String,
        excerpt: FootageExcerpt? = nil
    ) {
        self.volumes = volumes
        content = .movie(movie, files: files)
        contentType = "video/mp4"
        length = movie.totalLength
        self.etag = "\"\(etag)\""
        self.lastModified = lastModified
        self.fileName = fileName
        self.excerpt = excerpt
    }

    /// Up to `count` bytes at `offset`; fewer only at the end. Throws when a file was cut off behind our back.
    package func read(offset: Int64, count: Int) throws -> [UInt8] {
        let end = min(length, offset + Int64(count))
        guard offset >= 0, offset < end else { return [] }
        switch content {
        case .bytes(let bytes): return Array(bytes[Int(offset)..<Int(end)])
        case .file(let file): return try whole(file.read(at: offset, count: Int(end - offset)), Int(end - offset), file)
        case .movie(let movie, let files):
            var output: [UInt8] = []
            output.reserveCapacity(Int(end - offset))
            for slice in movie.slices(of: offset..<end) {
                switch slice {
                case .header(let range): output.append(contentsOf: movie.header[range])
                case .file(let index, let position, let length):
                    output.append(contentsOf: try whole(files[index].read(at: position, count: Int(length)), Int(length), files[index]))
                }
            }
            return output
        }
    }

    private func whole(_ bytes: [UInt8], _ count: Int, _ file: any FootageFile) throws -> [UInt8] {
        guard bytes.count == count else { throw NVRError(.dataLoss, "the file \(file.path) is shorter than it was") }
        return bytes
    }
}
