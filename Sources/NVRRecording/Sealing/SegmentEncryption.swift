/// The records of a segment file that is being written. A value: one whose write failed is thrown away, and its records are made anew with
/// other nonces.
struct SegmentEncryption {
    private let sealer: FootageSealer
    private var table = SealedTable()

    init(_ sealer: FootageSealer) { self.sealer = sealer }

    /// What a file begins with: its head, and the init segment as the first record.
    mutating func begin(_ initSegment: [UInt8]) throws -> [UInt8] { sealer.head.bytes + (try sealer.records(initSegment, behind: &table)) }

    /// The records of a fragment: its boxes in one, so that they are found without decrypting pictures, and the payload in others.
    mutating func fragment(_ boxes: [UInt8], _ payload: [UInt8]) throws -> [UInt8] {
        try sealer.records(boxes, behind: &table) + sealer.records(payload, behind: &table)
    }

    /// What a whole file ends with.
    func end() throws -> [UInt8] { try sealer.end(behind: table) }
}
