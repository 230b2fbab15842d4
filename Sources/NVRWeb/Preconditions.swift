package import HTTPTypes

/// What the conditional headers of a request say about a representation (RFC 9110 section 13). Pure.
package struct Preconditions: Sendable {
    /// What to do with the request.
    package enum Verdict: Equatable, Sendable {
        case proceed
        /// 304: the client has it already.
        case notModified
        /// 412: the representation is not the one the client means.
        case failed
    }

    private let etag: String
    private let lastModified: HTTPDate

    /// `etag`: a quoted strong entity tag.
    package init(etag: String, lastModified: HTTPDate) {
        self.etag = etag
        self.lastModified = lastModified
    }

    /// The order of RFC 9110 section 13.2.2, for GET and HEAD.
    package func verdict(for headers: HTTPFields) -> Verdict {
        if let value = headers[.ifMatch] {
            guard Self.tags(value).contains(where: { $0 == "*" || $0 == etag }) else { return .failed }
        } else if let value = headers[.ifUnmodifiedSince], let date = HTTPDate(value), lastModified > date {
            return .failed
        }
        if let value = headers[.ifNoneMatch] {
            let isHeld = Self.tags(value).contains { $0 == "*" || Self.withoutWeakness($0) == etag[...] }
            return isHeld ? .notModified : .proceed
        }
        if let value = headers[.ifModifiedSince], let date = HTTPDate(value), lastModified <= date { return .notModified }
        return .proceed
    }

    /// Whether `Range` may be served: true without `If-Range`, else only for the very same bytes (section 13.1.5).
    /// A date counts as a strong validator when it lies at least a second before `now` (section 8.8.2.2).
    package func rangeApplies(to headers: HTTPFields, now: HTTPDate) -> Bool {
        guard let value = headers[.ifRange] else { return true }
        if value.hasPrefix("\"") { return value == etag }
        guard let date = HTTPDate(value) else { return false }
        return date == lastModified && lastModified < now
    }

    /// The tags of a list, bounded so that a long header costs little.
    private static func tags(_ list: String) -> [Substring] {
        list.split(separator: ",", maxSplits: 63).map { tag in
            var tag = tag
            while tag.first == " " || tag.first == "\t" { tag.removeFirst() }
            while tag.last == " " || tag.last == "\t" { tag.removeLast() }
            return tag
        }
    }

    private static func withoutWeakness(_ tag: Substring) -> Substring { tag.hasPrefix("W/") ? tag.dropFirst(2) : tag }
}
