/// The free space that footage leaves on a volume, by deleting the oldest. Pure; bytes.
package struct StorageFloor: Sendable, Hashable {
    /// Bytes of the floor by itself, at most.
    package static let most: Int64 = 4 << 30

    package var bytes: Int64

    /// - Parameters:
    ///   - gigabytes: as somebody set it; 0 chooses: a twentieth of the volume, `most` at most. More than half of the volume is none
    ///     of a floor's business.
    package init(gigabytes: Double, total: Int64) {
        let wanted = RetentionRules.bytes(gigabytes) ?? min(total / 20, Self.most)
        bytes = max(0, min(wanted, total / 2))
    }

    /// Bytes to delete; an eighth more than is missing, so that not every fragment asks for a deletion. 0 while the floor holds.
    package func shortfall(free: Int64) -> Int64 { free < bytes ? bytes - free + bytes / 8 : 0 }
}
