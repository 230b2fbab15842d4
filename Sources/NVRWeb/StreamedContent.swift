import HTTPTypes
import Hummingbird
import NIOCore
import NVRBase
package import NVRModel
package import NVRRecording
import ServiceLifecycle

/// Bytes that are made while they are sent, once, from the beginning to the end: of known length, without ranges.
package struct StreamedContent: Sendable {
    package let contentType: String
    /// Bytes.
    package let length: Int64
    package let fileName: String
    /// On which volumes its footage lies.
    package let volumes: Set<VolumeID>
    fileprivate let reader: ExportArchive.Reader

    package init(_ archive: ExportArchive) {
        contentType = "application/zip"
        length = archive.length
        fileName = archive.fileName
        volumes = archive.volumes
        reader = archive.reader()
    }
}

extension MediaResponder {
    /// The answer to a call: always the whole. When what is sent cannot be made any more, or the caller may not have the footage of these
    /// cameras any longer, the connection ends before the promised length.
    func response(to call: Call, with content: StreamedContent, of cameras: Set<ID<Camera>>) -> Response {
        var fields: HTTPFields = [
            // The checksums at the end come from all that was sent before it, so there is nothing to resume.
            .acceptRanges: "none", .cacheControl: "private, no-store", .contentType: content.contentType,
        ]
        fields[.contentDisposition] = Self.dispositionText(.attachment, content.fileName)
        return Response(status: .ok, headers: fields, body: body(of: content, call.context, access(call, cameras)))
    }

    private func body(of content: StreamedContent, _ context: AppContext, _ access: TransferAccess?) -> ResponseBody {
        ResponseBody(contentLength: Int(content.length)) { writer in
            try await withGracefulShutdownHandler {
                var (reader, sent) = (content.reader, Int64(0))
                while true {
                    let bytes: [UInt8]
                    (reader, bytes) = try await threads.run(on: content.volumes) { [reader] in
                        var reader = reader
                        let bytes = try reader.next(Self.chunk)
                        return (reader, bytes)
                    }
                    guard !bytes.isEmpty else { break }
                    if sent > 0 { try await access?.demand() }
                    let deadline = context.closeConnection(in: Self.longestStall)
                    defer { deadline?.cancel() }
                    try await writer.write(ByteBuffer(bytes: bytes))
                    sent += Int64(bytes.count)
                }
                guard sent == content.length else { throw NVRError(.dataLoss, "an export has another length than was promised") }
                try await writer.finish(nil)
            } onGracefulShutdown: {
                context.channel?.close(promise: nil)
            }
        }
    }
}
