/// A sentence that the server says to a person, as programs know it: a code that stays the same whatever the words become, and the
/// values that the sentence holds. `sentences` lists every code. Pure.
///
/// Sentences are made where things go wrong, and are logged and stored as text. The code is found from the text when it is answered:
/// what was stored by an older version has one as well, and nothing in between has to carry two forms of the same thing.
package struct Reason: Sendable, Hashable {
    package let code: String
    /// By the names in the sentence, in its order.
    package let parameters: [Parameter]

    package struct Parameter: Sendable, Hashable {
        package let name: String
        package let text: String
    }

    /// Nil for a text that is none of the sentences.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.longest, let found = Self.book.find(text) else { return nil }
        (code, parameters) = found
    }

    private init(code: String, parameters: [Parameter]) {
        self.code = code
        self.parameters = parameters
    }

    /// Bytes of the longest text that is looked at: servers elsewhere may say anything.
    private static let longest = 2000
    /// Sentences within sentences that are looked for.
    private static let deepest = 4
    private static let book = Book()

    /// The values as the API answers them: text, or `{"text", "code", "parameters"}` for one that is a sentence itself.
    package var parametersJSON: JSONValue { json(depth: 1) }

    private func json(depth: Int) -> JSONValue {
        guard !parameters.isEmpty else { return .null }
        var object = JSONObject()
        for parameter in parameters {
            guard depth < Self.deepest, let inner = Reason(parameter.text) else {
                object[parameter.name] = .string(parameter.text)
                continue
            }
            object[parameter.name] = ["text": .string(parameter.text), "code": .string(inner.code), "parameters": inner.json(depth: depth + 1)]
        }
        return .object(object)
    }

    // MARK: Finding

    /// All sentences, ready to be found.
    private struct Book: Sendable {
        /// A sentence with values: what stands before, between and behind them.
        struct Pattern: Sendable {
            let code: String
            let pieces: [Substring]
            let names: [String]

            /// The values of a text that this is the sentence of. Each is as short as can be.
            func values(in text: String) -> [Parameter]? {
                guard text.hasPrefix(pieces[0]) else { return nil }
                var rest = text.dropFirst(pieces[0].count)
                var found: [Parameter] = []
                for (index, name) in names.enumerated() {
                    let piece = pieces[index + 1]
                    if index == names.count - 1 {
                        guard rest.hasSuffix(piece), rest.count > piece.count else { return nil }
                        found.append(Parameter(name: name, text: String(rest.dropLast(piece.count))))
                    } else {
                        guard let place = Pattern.place(of: piece, in: rest), place.lowerBound > rest.startIndex else { return nil }
                        found.append(Parameter(name: name, text: String(rest[..<place.lowerBound])))
                        rest = rest[place.upperBound...]
                    }
                }
                return found
            }

            private static func place(of piece: Substring, in text: Substring) -> Range<Substring.Index>? {
                var start = text.startIndex
                while start < text.endIndex {
                    if text[start...].hasPrefix(piece) { return start..<text.index(start, offsetBy: piece.count) }
                    start = text.index(after: start)
                }
                return nil
            }
        }

        private var plain: [String: String] = [:]
        /// The more words of its own a sentence has, the earlier it is tried.
        private var patterns: [Pattern] = []

        init() {
            for (code, sentence) in Reason.sentences {
                let (pieces, names) = Reason.taken(sentence)
                if names.isEmpty { plain[sentence] = code } else { patterns.append(Pattern(code: code, pieces: pieces, names: names)) }
            }
            patterns.sort { $0.pieces.reduce(0) { $0 + $1.count } > $1.pieces.reduce(0) { $0 + $1.count } }
        }

        func find(_ text: String) -> (code: String, parameters: [Parameter])? {
            if let code = plain[text] { return (code, []) }
            for pattern in patterns {
                if let values = pattern.values(in: text) { return (pattern.code, values) }
            }
            return nil
        }
    }

    /// A sentence taken to pieces: `{name}` stands for a value.
    static func taken(_ sentence: String) -> (pieces: [Substring], names: [String]) {
        var pieces: [Substring] = []
        var names: [String] = []
        var rest = sentence[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            pieces.append(rest[..<open])
            names.append(String(rest[rest.index(after: open)..<close]))
            rest = rest[rest.index(after: close)...]
        }
        return (pieces + [rest], names)
    }
}

extension JSONObject {
    /// Puts a text for people under a key, and beside it what programs know it by: `…_code` and `…_parameters`, null where the text is
    /// none of the sentences of `Reason`.
    package mutating func say(_ key: String, _ text: String?) {
        let reason = text.flatMap { Reason($0) }
        self[key] = JSONValue(text)
        self[key + "_code"] = JSONValue(reason?.code)
        self[key + "_parameters"] = reason?.parametersJSON ?? .null
    }

    /// The same for a list of texts: under `…_said` each with its code, `{"text", "code", "parameters"}`.
    package mutating func say(_ key: String, _ texts: [String]) {
        self[key] = .array(texts.map(JSONValue.string))
        self[key + "_said"] = .array(
            texts.map { text in
                let reason = Reason(text)
                return ["text": .string(text), "code": JSONValue(reason?.code), "parameters": reason?.parametersJSON ?? .null]
            })
    }
}
