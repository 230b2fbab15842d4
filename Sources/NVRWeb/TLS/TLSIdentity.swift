#if canImport(Glibc)
    import Glibc
#endif
package import Logging
package import NIOCore
package import NIOSSL
import NVRBase
import Synchronization

/// The certificate that the server shows, and its key: two PEM files that are read at the start and again when they change, so that
/// a renewed certificate needs no restart. Any task may use it.
package final class TLSIdentity: Sendable {
    private struct Loaded {
        var context: NIOSSLContext
        var stamps: [Stamp]
    }

    /// What changes when a file is replaced or written.
    private struct Stamp: Equatable {
        var inode: UInt64
        var bytes: Int64
        var seconds: Int
        var nanoseconds: Int

        init?(_ path: String) {
            var facts = stat()
            guard stat(path, &facts) == 0 else { return nil }
            inode = UInt64(facts.st_ino)
            bytes = Int64(facts.st_size)
            seconds = facts.st_mtim.tv_sec
            nanoseconds = facts.st_mtim.tv_nsec
        }
    }

    package let certificate: String
    package let key: String
    private let logger: Logger
    private let state: Mutex<Loaded>

    /// Reads both files. Throws `invalid` with what is wrong and which file it is about.
    package init(certificate: String, key: String, logger: Logger) throws {
        self.certificate = certificate
        self.key = key
        self.logger = logger
        let stamps = [certificate, key].compactMap(Stamp.init)
        let (context, expiry) = try Self.context(certificate, key)
        state = Mutex(Loaded(context: context, stamps: stamps))
        warn(of: expiry)
    }

    /// Days before its end from which on a certificate is complained about.
    private static let warningDays = 14

    /// An old certificate is shown all the same: cameras go on to be recorded, and browsers say what is wrong.
    private func warn(of expiry: time_t) {
        let days = (expiry - time(nil)) / 86_400
        if days < Self.warningDays {
            logger.warning(
                expiry <= time(nil) ? "the TLS certificate has expired" : "the TLS certificate expires soon",
                metadata: ["file": "\(certificate)", "days": "\(days)"])
        }
    }

    /// For the next connection.
    package var context: NIOSSLContext { state.withLock { $0.context } }

    /// Makes a connection one over TLS, with the certificate of this moment. Called on its event loop.
    package func encrypt(_ channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
    }

    /// Reads the files again. When they are no good, the old certificate stays and the log says why.
    package func reload() {
        let stamps = [certificate, key].compactMap(Stamp.init)
        do {
            let (context, expiry) = try Self.context(certificate, key)
            state.withLock { $0 = Loaded(context: context, stamps: stamps) }
            logger.notice("the TLS certificate was read again", metadata: ["file": "\(certificate)"])
            warn(of: expiry)
        } catch {
            // Tried again when the files change again: a renewal writes one after the other.
            state.withLock { $0.stamps = stamps }
            logger.error("the TLS certificate stays the old one", metadata: ["reason": "\(error)"])
        }
    }

    /// Looks at the files every `interval` until the task is cancelled. They count as changed once they have stopped changing.
    package func watch(every interval: Duration = .seconds(2)) async {
        var seen = state.withLock { $0.stamps }
        // Thrown by the cancellation that ends the watch.
        while (try? await Task.sleep(for: interval)) != nil {
            let now = [certificate, key].compactMap(Stamp.init)
            let isSettled = now == seen && now.count == 2
            seen = now
            if isSettled, state.withLock({ $0.stamps != now }) { reload() }
        }
    }

    // MARK: Reading

    private static func context(_ certificate: String, _ key: String) throws -> (context: NIOSSLContext, expiry: time_t) {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(try bytes(certificate, "certificate"))
        } catch let error as NVRError {
            throw error
        } catch {
            throw NVRError(.invalid, "the TLS certificate \(certificate) is no PEM certificate")
        }
        guard let leaf = chain.first else { throw NVRError(.invalid, "the TLS certificate \(certificate) holds no certificate") }
        let privateKey: NIOSSLPrivateKey
        do {
            privateKey = try NIOSSLPrivateKey(bytes: try bytes(key, "key"), format: .pem)
        } catch let error as NVRError {
            throw error
        } catch {
            throw NVRError(.invalid, "the TLS key \(key) is no PEM key without a passphrase")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do {
            return (try NIOSSLContext(configuration: configuration), leaf.notValidAfter)
        } catch {
            throw NVRError(.invalid, "the TLS key \(key) does not belong to the certificate \(certificate)")
        }
    }

    /// A file of a certificate or key, which are small.
    private static func bytes(_ path: String, _ what: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw NVRError(.invalid, "the TLS \(what) \(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.map { $0 + count }, $0.count - count) }
            guard got >= 0 else { throw NVRError(.invalid, "the TLS \(what) \(path) cannot be read: \(String(cString: strerror(errno)))") }
            if got == 0 { break }
            count += got
        }
        return Array(bytes.prefix(count))
    }
}
