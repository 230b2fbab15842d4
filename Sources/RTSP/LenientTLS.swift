import NIOCore
package import NIOSSL
import Synchronization

/// TLS as cameras speak it: they sign their own certificates, so there is nothing to verify them against, and old ones know old
/// versions only.
package enum LenientTLS {
    private static let shared = Mutex<NIOSSLContext?>(nil)

    /// One context for all connections: making one costs more than a handshake.
    package static func context() throws -> NIOSSLContext {
        try shared.withLock { shared in
            if let shared { return shared }
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.certificateVerification = .none
            tls.trustRoots = .certificates([])
            tls.minimumTLSVersion = .tlsv1
            tls.shutdownTimeout = .milliseconds(300)
            let context = try NIOSSLContext(configuration: tls)
            shared = context
            return context
        }
    }
}
