/// Blocks of remote files that were read lately, within a budget of bytes. Pure.
struct BlockCache: Sendable {
    struct Key: Hashable, Sendable {
        var file: String
        var number: Int64
    }

    private let budget: Int
    private var blocks: [Key: (bytes: [UInt8], use: UInt64)] = [:]
    private var uses: UInt64 = 0
    private(set) var bytes = 0

    init(budget: Int) { self.budget = budget }

    mutating func block(_ key: Key) -> [UInt8]? {
        guard let found = blocks[key] else { return nil }
        uses += 1
        blocks[key]?.use = uses
        return found.bytes
    }

    mutating func keep(_ block: [UInt8], as key: Key) {
        guard block.count <= budget else { return }
        uses += 1
        if let old = blocks.updateValue((block, uses), forKey: key) { bytes -= old.bytes.count }
        bytes += block.count
        while bytes > budget, let oldest = blocks.min(by: { $0.value.use < $1.value.use }) {
            blocks.removeValue(forKey: oldest.key)
            bytes -= oldest.value.bytes.count
        }
    }
}
