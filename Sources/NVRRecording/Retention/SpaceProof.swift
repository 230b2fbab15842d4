/// Proof that deleting made space where it should have: a deletion that frees nothing must not go on until nothing is left.
///
/// Before a step, each file has to lie on the device of its volume (a folder whose volume is not mounted has another one), and most have
/// to be there. After it, the blocks that the files had must show up as free space of that volume. Others write there meanwhile: what
/// this program wrote is added, and of a run as a whole only a quarter has to show; below `judged` bytes nothing can be said. Where a
/// snapshot of the file system, a hard link or an open file keeps the blocks, nothing shows, and stopping is right. Pure.
package struct SpaceProof: Sendable, Hashable {
    /// A file before it goes.
    package struct File: Sendable, Hashable {
        package var path: String
        /// Bytes by its length, and on the disk (`st_blocks`); the latter 0 while other names of it exist.
        package var bytes: Int64
        package var allocated: Int64
        package var device: UInt64

        package init(path: String, bytes: Int64, allocated: Int64, device: UInt64) {
            self.path = path
            self.bytes = bytes
            self.allocated = allocated
            self.device = device
        }
    }

    package enum Doubt: String, Sendable, Hashable {
        /// Files lie on another file system than their volume.
        case wrongVolume = "wrong_volume"
        /// Most of the files are not there, and neither are others that should be.
        case filesMissing = "files_missing"
        /// Objects of a bucket are there after they were deleted, or it does not delete.
        case notDeleted = "not_deleted"
        /// The files went, and no space came.
        case noSpaceGained = "no_space_gained"
    }

    /// Bytes that must have gone before their space is asked for.
    package static let judged: Int64 = 64 << 20

    private let threshold: Int64
    package private(set) var freed: Int64 = 0
    package private(set) var gained: Int64 = 0

    package init(judging threshold: Int64 = Self.judged) { self.threshold = threshold }

    /// Before a step: what was found of so many files. `othersExist`: files that stay were found, nil when there are none to look at.
    package func doubt(_ files: [File], of count: Int, device: UInt64, othersExist: Bool?) -> Doubt? {
        if files.contains(where: { $0.device != device }) { return .wrongVolume }
        return files.count * 2 < count && othersExist != true ? .filesMissing : nil
    }

    /// After a step. `allocated`: blocks of the files that are gone; `before`, `after`: free bytes; `written`: by this program between.
    package mutating func note(allocated: Int64, before: Int64, after: Int64, written: Int64) {
        freed += max(0, allocated)
        gained += after - before + max(0, written)
    }

    /// Whether the space has not come. It may still: some file systems free blocks a little later.
    package var isMissing: Bool { freed >= threshold && gained < freed / 4 }
}
