import NVRModel

/// What the API's document says of one route: everything that the route table does not know. A value, put together by chaining.
package struct Operation: Sendable {
    /// A value of the query or of a header.
    struct Parameter: Sendable {
        let name: String
        let schema: Schema
        let text: String
        let isRequired: Bool
    }

    /// One form in which a body is sent.
    struct Body: Sendable {
        let contentType: String
        let schema: Schema
    }

    /// An answer that is no refusal.
    struct Answer: Sendable {
        let status: Int
        let text: String
        /// Media types and their schemas; none for an answer without a body.
        let content: [(type: String, schema: Schema)]
        let headers: [Header]
    }

    /// A header of an answer.
    struct Header: Sendable {
        let name: String
        let schema: Schema
        let text: String
        var isRequired = false

        static let totalCount = Header(
            name: "X-Total-Count", schema: .integer(0...Int.max), text: "Entries without `skip` and `limit`; left out where counting would be dear.")
        static let entityTag = Header(name: "ETag", schema: .text, text: "Changes with the bytes.")
        static let attachment = Header(name: "Content-Disposition", schema: .text, text: "The name to save the file under.", isRequired: true)
    }

    /// A refusal: a status with `{"detail": "…"}` that belongs to this operation and not to a whole kind of them.
    struct Refusal: Sendable {
        let status: Int
        let text: String
    }

    /// Chapters of the document.
    enum Tag: String, Sendable, CaseIterable {
        case sessions = "Sessions"
        case twoFactor = "Two-factor sign-in"
        case apiKeys = "API keys"
        case users = "Users"
        case cameras = "Cameras"
        case live = "Live pictures"
        case events = "Events"
        case media = "Media"
        case groups = "Groups"
        case storage = "Storage profiles"
        case settings = "Settings"
        case backups = "Backups"
        case statistics = "Statistics"
        case system = "System"
        case audit = "Audit trail"
        case later = "Not available yet"
    }

    /// Method and pattern as the route table has them: `GET /cameras/{camera_id}`.
    package let route: String
    /// The name that generated clients give the call; never changed once published.
    package let id: String
    let tag: Tag
    let summary: String
    private(set) var text = ""
    /// The path that the document shows in place of a pattern that takes the rest of a path.
    private(set) var shownPath: String?
    private(set) var query: [Parameter] = []
    private(set) var headers: [Parameter] = []
    private(set) var bodies: [Body] = []
    private(set) var isBodyRequired = true
    private(set) var answers: [Answer] = []
    private(set) var refusals: [Refusal] = []

    init(_ route: String, _ id: String, _ tag: Tag, _ summary: String) {
        self.route = route
        self.id = id
        self.tag = tag
        self.summary = summary
    }

    private func changed(_ change: (inout Operation) -> Void) -> Operation {
        var copy = self
        change(&copy)
        return copy
    }

    /// More than the summary says; CommonMark.
    func explained(_ text: String) -> Operation { changed { $0.text = text } }
    func shown(as path: String) -> Operation { changed { $0.shownPath = path } }

    func query(_ name: String, _ schema: Schema, _ text: String, required: Bool = false) -> Operation {
        changed { $0.query.append(Parameter(name: name, schema: schema, text: text, isRequired: required)) }
    }

    func header(_ name: String, _ schema: Schema, _ text: String, required: Bool = false) -> Operation {
        changed { $0.headers.append(Parameter(name: name, schema: schema, text: text, isRequired: required)) }
    }

    /// A page of a list: `skip` and `limit`.
    func paged(skipAtMost: Int = 1_000_000) -> Operation {
        query("skip", Schema.integer(0...skipAtMost).byDefault(0), "Entries to leave out at the beginning.")
            .query("limit", Schema.integer(1...1000).byDefault(100), "Entries to answer at most.")
    }

    /// A body; called again, one more form of it.
    func body(_ schema: Schema, as contentType: String = "application/json", required: Bool = true) -> Operation {
        changed {
            $0.bodies.append(Body(contentType: contentType, schema: schema))
            $0.isBodyRequired = required
        }
    }

    /// A JSON answer.
    func answers(_ schema: Schema, _ text: String, status: Int = 200, headers: [Header] = []) -> Operation {
        changed { $0.answers.append(Answer(status: status, text: text, content: [("application/json", schema)], headers: headers)) }
    }

    /// An answer of other media types; none of them: without a body.
    func answers(_ status: Int, _ text: String, types: [String], schema: Schema = .binary, headers: [Header] = []) -> Operation {
        changed {
            $0.answers.append(Answer(status: status, text: text, content: types.map { ($0, schema) }, headers: headers))
        }
    }

    /// A file of a form that the client chooses.
    func answers(_ text: String, content: [(type: String, schema: Schema)], headers: [Header] = []) -> Operation {
        changed { $0.answers.append(Answer(status: 200, text: text, content: content, headers: headers)) }
    }

    func refuses(_ status: Int, _ text: String) -> Operation { changed { $0.refusals.append(Refusal(status: status, text: text)) } }

    /// Bytes with ranges and conditions, as RFC 9110 has them.
    func answersBytes(_ types: [String], headers: [Header] = []) -> Operation {
        answers(200, "The whole file.", types: types, headers: headers + [.entityTag])
            .answers(206, "The stretches that `Range` asked for.", types: types + ["multipart/byteranges"], headers: [.entityTag])
            .answers(304, "Unchanged since `If-None-Match` or `If-Modified-Since`.", types: [])
            .refuses(412, "`If-Match` or `If-Unmodified-Since` does not hold.")
            .refuses(416, "No byte of the range exists.")
            .header("Range", .text, "Byte ranges: `bytes=0-99`, `bytes=-100`, several with commas.")
            .header("If-Range", .text, "An ETag or date: the range counts only while the file is the same.")
            .header("If-None-Match", .text, "ETags that the client holds.")
    }
}
