/// The items of a query or of a form body (`application/x-www-form-urlencoded`, WHATWG URL section 5.1). Pure.
package struct QueryItems: Sendable, Equatable {
    private var items: [(name: String, value: String)] = []

    /// Items past this count are ignored.
    package static let mostItems = 64

    /// `text` without the `?`. Broken escapes keep the item as it was sent, so that validation can name it.
    package init(_ text: some Collection<UInt8>) {
        for pair in text.split(separator: UInt8(ascii: "&"), maxSplits: Self.mostItems).prefix(Self.mostItems) {
            let cut = pair.firstIndex(of: UInt8(ascii: "="))
            let name = pair[..<(cut ?? pair.endIndex)]
            let value = cut.map { pair[pair.index(after: $0)...] } ?? pair[pair.endIndex...]
            items.append((Self.text(name), Self.text(value)))
        }
    }

    package init(query: String?) { self.init((query ?? "").utf8) }

    private static func text(_ bytes: some Collection<UInt8>) -> String {
        percentDecoded(bytes, plusIsSpace: true) ?? String(decoding: bytes, as: UTF8.self)
    }

    /// The first value of a name; nil when it is absent.
    package subscript(name: String) -> String? { items.first { $0.name == name }?.value }

    package static func == (left: Self, right: Self) -> Bool {
        left.items.elementsEqual(right.items) { $0.name == $1.name && $0.value == $1.value }
    }
}
