package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension RTSPError {
    /// What a failed system call on a socket means for the session.
    init(errno code: CInt) {
        switch code {
        case ECONNREFUSED: self = .refused
        case ETIMEDOUT: self = .timeout("connect")
        case ECONNRESET, EPIPE: self = .closed("the connection was reset")
        default: self = .unreachable(String(cString: strerror(code)))
        }
    }
}

/// Names to addresses.
package enum Resolver {
    /// The addresses of a host in the order the system prefers. Blocks: call on a thread that may.
    package static func addresses(host: String, port: Int) throws(RTSPError) -> [SocketAddress] {
        var hints = addrinfo()
        #if canImport(Glibc)
            hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard code == 0 else { throw .unreachable("the name \(host) does not resolve") }
        var result: [SocketAddress] = []
        var next = list
        while let entry = next, result.count < 16 {
            next = entry.pointee.ai_next
            guard let address = entry.pointee.ai_addr else { continue }
            switch entry.pointee.ai_family {
            case AF_INET:
                result.append(SocketAddress(address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee }))
            case AF_INET6:
                result.append(SocketAddress(address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee }))
            default:
                continue
            }
        }
        guard !result.isEmpty else { throw .unreachable("the name \(host) has no address") }
        return result
    }
}

extension SocketAddress {
    /// Whether the IP addresses are equal, whatever the ports. Allocates nothing.
    func hasSameHost(as other: SocketAddress) -> Bool {
        switch (self, other) {
        case (.v4(let left), .v4(let right)):
            return left.address.sin_addr.s_addr == right.address.sin_addr.s_addr
        case (.v6(let left), .v6(let right)):
            // Family, port and flow label are in front of the sixteen bytes of the address.
            return withUnsafeBytes(of: left.address) { one in
                withUnsafeBytes(of: right.address) { two in one[8..<24].elementsEqual(two[8..<24]) }
            }
        default:
            return false
        }
    }
}

/// A connected socket that its channel owns and that is read past the channel: one system call per batch, where the
/// channel would need four to arm, wait, read and disarm. Only valid while the channel is open, and only on its loop.
struct DirectSocket {
    enum Outcome {
        case bytes(Int)
        /// Nothing there for now.
        case empty
        case ended
        case failed(RTSPError)
    }

    let descriptor: CInt

    /// Reads what is there into `buffer` without waiting.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        let count = recv(descriptor, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT))
        if count > 0 { return .bytes(count) }
        if count == 0 { return .ended }
        return failure()
    }

    private func failure() -> Outcome {
        switch errno {
        case EAGAIN, EWOULDBLOCK, EINTR: .empty
        default: .failed(RTSPError(errno: errno))
        }
    }

    /// Reads one datagram without waiting; `isFromHost` tells whether its sender has the address of `host`.
    func readDatagram(into buffer: UnsafeMutableRawBufferPointer, host: SocketAddress, isFromHost: inout Bool) -> Outcome {
        var sender = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = withUnsafeMutablePointer(to: &sender) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                recvfrom(descriptor, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT), address, &length)
            }
        }
        // An empty datagram is one all the same.
        guard count >= 0 else { return failure() }
        isFromHost = withUnsafeBytes(of: sender) { bytes in
            switch host {
            case .v4(let address):
                sender.ss_family == sa_family_t(AF_INET) && withUnsafeBytes(of: address.address) { $0[4..<8].elementsEqual(bytes[4..<8]) }
            case .v6(let address):
                sender.ss_family == sa_family_t(AF_INET6) && withUnsafeBytes(of: address.address) { $0[8..<24].elementsEqual(bytes[8..<24]) }
            default: false
            }
        }
        return .bytes(count)
    }
}
