import NVRModel

/// A volume whose files are not reached through the file system: a bucket. Files appear whole or not at all, and are never changed. What is
/// asynchronous ends early when its task is cancelled. Everything throws `unavailable` when it cannot be told or done now.
package protocol RemoteVolume: Sendable {
    /// For messages.
    var name: String { get }
    /// Opens a file by its path on the volume. Throws `notFound` when there is none. Blocks.
    func open(_ path: String) throws -> any FootageFile

    // MARK: Whether it is there

    /// Why it was not used when it was looked at last; nil when all was well, or nobody looked.
    var loss: VolumeLoss? { get }
    /// Looks at its marker: true when it can be reached and is the right one. Only then anything may be moved there, deleted there or declared
    /// missing. A failure is remembered for some seconds, in which nobody waits for another.
    func isRightOne() async -> Bool
    /// Puts its marker into one that has none yet. Throws when it belongs to somebody else.
    func mark() async throws

    // MARK: Files

    /// Bytes of a file; nil when it is certain that there is none.
    func size(of path: String) async throws -> Int64?
    /// Bytes as they come from the volume, past everything that is kept of it. Throws `notFound`.
    func read(_ path: String, _ range: Range<Int64>) async throws -> [UInt8]
    /// Deletes files; those that are not there are as good as deleted.
    func remove(_ paths: [String]) async throws
    /// A page of the files, in the order of the server; `after`: what the page before said.
    func list(after: String?) async throws -> RemotePage

    // MARK: Storing

    /// Begins to store a file of `length` bytes, or goes on with what `token` names; begins anew when that is gone.
    func upload(_ path: String, length: Int64, goingOnWith token: String?) async throws -> any RemoteUpload
    /// Gives up what was begun under a token; what is over, or gone, is as good as given up.
    func abandon(_ path: String, token: String) async throws
    /// Gives up what was begun and is not over, but for `kept`; gives how many.
    func abandonUploads(but kept: [(path: String, token: String)]) async throws -> Int
}

/// Files of a remote volume.
package struct RemotePage: Sendable {
    package var files: [(path: String, bytes: Int64)]
    /// What asks for the next page; nil on the last.
    package var next: String?

    package init(_ files: [(path: String, bytes: Int64)], next: String?) {
        self.files = files
        self.next = next
    }
}

/// A file on its way to a remote volume. One task uses it.
package protocol RemoteUpload: Sendable {
    /// Finds it again after a restart; to be noted before anything is sent.
    var token: String { get }
    /// Which bytes are to be sent next; nil when all are there.
    var next: Range<Int64>? { get }
    /// Sends the bytes of `next`.
    func send(_ bytes: [UInt8]) async throws
    /// Makes the file of what was sent: it appears.
    func finish() async throws
}
