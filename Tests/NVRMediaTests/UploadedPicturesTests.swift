import Foundation
import NVRBase
import NVRMedia
import Testing

@Suite("Uploaded pictures")
struct UploadedPicturesTests {
    private let pictures = UploadedPictures()
    /// One pixel each.
    private static let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    private static let webp = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"

    private func bytes(_ base64: String) throws -> [UInt8] { Array(try #require(Data(base64Encoded: base64))) }

    @Test("PNG and WebP become JPEG, and JPEG a new one", arguments: [png, webp])
    func kinds(base64: String) async throws {
        let first = try await pictures.jpeg(of: try bytes(base64), largestSide: 64)
        #expect(first.starts(with: [0xFF, 0xD8, 0xFF]))
        #expect(try await pictures.jpeg(of: first, largestSide: 64).starts(with: [0xFF, 0xD8, 0xFF]))
    }

    @Test("What is no picture, cut off, or made to cost much is refused")
    func refusals() async throws {
        let png = try bytes(Self.png)
        let endless = png.prefix(33) + [0xFF, 0xFF, 0xFF, 0xFF] + Array("IDAT".utf8)
        var scans: [UInt8] = [0xFF, 0xD8, 0xFF]
        for _ in 0..<100 { scans += [0xFF, 0xDA, 0, 2] }
        let hostiles: [[UInt8]] = [
            [], Array("GIF89a".utf8), Array(png.prefix(30)), Array(png.prefix(50)), Array(endless), scans, [0xFF, 0xD8, 0xFF, 0xD9],
        ]
        for hostile in hostiles {
            let error = await #expect(throws: NVRError.self) { try await pictures.jpeg(of: hostile, largestSide: 64) }
            #expect(error?.kind == .invalid)
        }
    }
}
