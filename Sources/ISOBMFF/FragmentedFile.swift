/// A sample that lies in a fragmented file.
package struct SampleLocation: Sendable, Equatable {
    package var trackID: UInt32
    /// Ticks of the track, from the file's beginning.
    package var decodeTime: Int64
    /// Ticks of the track.
    package var duration: Int64
    /// Presentation minus decode time, ticks of the track.
    package var compositionOffset: Int32
    /// Bytes.
    package var size: Int
    package var isKeyframe: Bool
    /// In the file, bytes.
    package var offset: Int64

    package init(
        trackID: UInt32, decodeTime: Int64, duration: Int64, compositionOffset: Int32, size: Int, isKeyframe: Bool, offset: Int64
    ) {
        self.trackID = trackID
        self.decodeTime = decodeTime
        self.duration = duration
        self.compositionOffset = compositionOffset
        self.size = size
        self.isKeyframe = isKeyframe
        self.offset = offset
    }

    /// Ticks of the track.
    package var presentationTime: Int64 { decodeTime &+ Int64(compositionOffset) }
}
extension SampleLocation {
    package static func samples(fragment: [UInt8], at offset: Int64, defaults: [TrackDefaults] = []) throws(ISOBMFFError) -> [SampleLocation] { [] }
}
package struct TrackDefaults: Sendable, Equatable { package var trackID: UInt32 }
package struct FragmentedFile: Sendable {
    package typealias Read = (_ offset: Int64, _ count: Int) throws -> [UInt8]
    package enum Ending: Sendable, Equatable { case whole, incomplete, damaged }
    package let initRange: Range<Int64>
    package let tracks: [TrackDescription]
    package let defaults: [TrackDefaults]
    package let identification: Identification?
    package private(set) var index: FragmentIndex
    package private(set) var wallClocks: [Int64?]
    package private(set) var completeLength: Int64
    package private(set) var ending: Ending
    package init(length: Int64, read: Read) throws(ISOBMFFError) { throw .unsupported("") }
    package mutating func extend(length: Int64, read: Read) throws(ISOBMFFError) {}
}
