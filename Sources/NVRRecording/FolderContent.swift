#if canImport(Glibc)
    import Glibc
#endif

/// What lies in a folder of footage. Blocks. Links are not followed.
struct FolderContent: Sendable {
    /// Paths below the root.
    private(set) var files: [String] = []
    private(set) var folders: [String] = []

    /// `relative`: the folder below `root`; empty for the root itself. A folder that cannot be read has nothing in it.
    init(_ root: String, _ relative: String) {
        guard let folder = opendir(relative.isEmpty ? root : "\(root)/\(relative)") else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let type = Int32(entry.pointee.d_type)
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            let path = relative.isEmpty ? name : "\(relative)/\(name)"
            if type == Int32(DT_DIR) { folders.append(path) } else if type == Int32(DT_REG) { files.append(path) }
        }
    }
}
