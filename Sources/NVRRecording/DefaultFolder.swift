#if canImport(Glibc)
    import Glibc
#endif
package import NVRModel
package import NVRStore

/// Tells whether the default folder for recordings is the right one when its marker does not say so. It may be a mount point or a link to
/// another disk; then an empty folder in its place is neither written nor cleaned. It is taken when the database knows no footage in it,
/// when known footage lies in it, or when it was not there and is made anew: a volume that is not mounted leaves a folder behind.
package struct DefaultFolder: Sendable {
    /// Files of which one has to be there.
    private static let tried = 50

    private let root: String
    private let store: Store

    package init(root: String, store: Store) {
        self.root = root
        self.store = store
    }

    package enum Claim: Sendable, Hashable {
        case ours
        /// There is nothing in its place: it may be made.
        case gone
        case foreign
    }

    /// Some of the newest files that should lie in it.
    package func known() async throws -> [String] { try await store.retention.newestFiles(of: .standard, limit: Self.tried) }

    /// - Parameters:
    ///   - look: what was found in place of its marker.
    ///   - known: asked for when that decides. All of it blocks.
    package func claim(_ look: VolumeMarker.Look, known: () throws -> [String]) rethrows -> Claim {
        switch look {
        case .failed: return .foreign
        case .found(let marker) where marker.volume != .standard: return .foreign
        case .missing:
            var status = stat()
            // A link that leads nowhere is there.
            return lstat(root, &status) != 0 && errno == ENOENT ? .gone : .foreign
        case .bare, .unreadable, .found:
            let known = try known()
            return known.isEmpty || known.contains { Volumes.isPlain($0) && POSIXFile.exists("\(root)/\($0)") } ? .ours : .foreign
        }
    }

    /// Makes the folder known by one look at it; nothing is written. One that does not answer counts as lost. For the shell.
    package func survey(_ volumes: Volumes, on threads: VolumeThreads, instance: String, at time: WallTime) async throws {
        let known = try await known()
        let marker = VolumeMarker(instance: instance, volume: .standard)
        let look: VolumeMarker.Look
        do {
            let found = try await threads.run(on: .standard, patience: VolumeThreads.spinUp) {
                let look = VolumeMarker.look(in: root)
                return (look, isOurs: look == .found(marker) || claim(look, known: { known }) == .ours)
            }
            guard !found.isOurs else { return }
            look = found.0
        } catch {
            look = .failed("it does not answer")
        }
        var watch = VolumeWatch(expected: marker, isMarked: true)
        _ = watch.saw(look, now: 0, at: time)
        volumes.set(.standard, .folder(root, marker: marker), name: Self.name, loss: watch.loss)
    }

    /// For messages.
    package static let name = "default folder"
}
