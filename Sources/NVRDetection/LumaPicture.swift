/// The analysis picture: 320 × 180 luma samples, row after row, whatever the size and shape of the camera's picture.
///
/// Keep one and fill it again and again: then nothing is allocated per picture.
package struct LumaPicture: Hashable, Sendable {
    package static var width: Int { 320 }
    package static var height: Int { 180 }
    package static var count: Int { width * height }

    private var storage: [UInt8]

    /// Black.
    package init() {
        storage = [UInt8](repeating: 0, count: Self.count)
    }

    /// nil unless there are exactly `count` samples.
    package init?(_ samples: [UInt8]) {
        guard samples.count == Self.count else { return nil }
        storage = samples
    }

    package var samples: [UInt8] { storage }

    /// The samples to read, valid only inside `body`.
    package func withSamples<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
        try storage.withUnsafeBufferPointer(body)
    }

    /// The samples to write, valid only inside `body`.
    package mutating func withMutableSamples<Result>(_ body: (UnsafeMutableBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
        try storage.withUnsafeMutableBufferPointer { try body($0) }
    }
}
