package import NVRModel

/// What a movie was made of: the segments, and the times of its first and last picture.
package struct FootageExcerpt: Sendable, Equatable {
    /// A segment that the movie has something of.
    package struct Source: Sendable, Equatable {
        package var id: ID<Segment>
        package var role: StreamRole
        package var run: Int64
        /// Below the recording root.
        package var path: String
        /// Of the whole segment.
        package var range: TimeRange
        package var width: Int
        package var height: Int
        /// RFC 6381, comma-separated.
        package var codecs: String
    }

    /// From the first picture that is shown to the end of the last.
    package var range: TimeRange
    /// In order of time.
    package var sources: [Source]

    package init(range: TimeRange, sources: [Source]) {
        self.range = range
        self.sources = sources
    }
}
