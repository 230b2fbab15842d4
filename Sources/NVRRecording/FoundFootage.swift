package import NVRModel

/// What footage tells of itself without a database.
package enum FoundFootage {
    /// Ids of cameras that have a folder with footage in it, by the names of the folders. Blocks for as long as reading a few folders takes.
    package static func cameras(below root: String) -> [ID<Camera>] {
        FolderContent(root, "").folders.compactMap { name in
            guard let id = Int64(name), id > 0, String(id) == name, holdsFootage(root, name, depth: 0) else { return nil }
            return ID(id)
        }.sorted()
    }

    /// Folders below a camera's that are looked into: a pattern of names makes few.
    private static let deepest = 8

    private static func holdsFootage(_ root: String, _ folder: String, depth: Int) -> Bool {
        let content = FolderContent(root, folder)
        if content.files.contains(where: { $0.hasSuffix(".mp4") }) { return true }
        return depth < deepest && content.folders.contains { holdsFootage(root, $0, depth: depth + 1) }
    }
}
