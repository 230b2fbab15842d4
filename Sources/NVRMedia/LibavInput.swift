import Libav
import NIOCore
import NVRBase
import RTSP

/// How a source is opened with libav so that it is led nowhere it may not go: names are resolved here, every address is checked,
/// and libav is given the address.
struct LibavInput: Sendable {
    /// An opened source.
    struct Opened {
        var context: InputContext
        /// What fetches for the demuxer, when it is on the web.
        var web: WebReader?
        /// Packets may come faster than they were made: from a file, in the segments of a playlist, or from a server that begins with
        /// what it has.
        var isAhead: Bool
        /// The stream has timestamps of its own; pictures one after the other have none.
        var isTimed: Bool
    }

    private static let openTimeout = Duration.seconds(15)
    private static let maximumRedirects = 3

    private let url: Secret
    private let transport: RTSPTransport
    private let addresses: AddressGuard
    private let eventLoop: any EventLoop

    /// `url` may carry credentials. `transport` matters for RTSP alone.
    init(url: Secret, transport: RTSPTransport, addresses: AddressGuard, eventLoop: any EventLoop) {
        self.url = url
        self.transport = transport
        self.addresses = addresses
        self.eventLoop = eventLoop
    }

    /// Connects and finds the streams. Blocks; throws `LibavError` or `RTSPError`.
    func open(interrupt: Interrupt) throws -> Opened {
        let text = url.reveal()
        switch text.prefix(while: { $0 != ":" }).lowercased() {
        case "file":
            let context = try InputContext(url: text, protocols: .file, interrupt: interrupt, timeout: Self.openTimeout)
            return Opened(context: context, isAhead: true, isTimed: true)
        case "rtsp", "rtsps":
            let options = ["rtsp_transport": transport == .udp ? "udp" : "tcp", "timeout": "10000000"]
            return try openConnection(parsed(text), .rtsp, interrupt) { _ in options }
        case "rtmp", "rtmps":
            return try openConnection(parsed(text), .rtmp, interrupt) { url in
                // Servers of many names tell them apart by this.
                var options = ["rw_timeout": "10000000", "rtmp_live": "live"]
                if !url.hasNumericHost { options["rtmp_tcurl"] = url.with(userInfo: nil).applicationURL }
                return options
            }
        default:
            return try openWeb(parsed(text), interrupt)
        }
    }

    private func parsed(_ text: String) throws(RTSPError) -> SourceURL {
        guard let url = SourceURL(text) else { throw .malformed("the URL has no host") }
        return url
    }

    /// RTSP and RTMP: libav connects, to an address that was checked; where an RTSP server sends it is checked again.
    private func openConnection(
        _ start: SourceURL, _ protocols: AllowedProtocols, _ interrupt: Interrupt, options: (SourceURL) -> [String: String]
    ) throws -> Opened {
        var url = start
        for _ in 0...Self.maximumRedirects {
            var location: String?
            var failure: LibavError?
            for address in try addresses.addresses(of: url) {
                do throws(LibavError) {
                    let context = try InputContext(
                        url: url.pinned(to: address), options: options(url), protocols: protocols, interrupt: interrupt,
                        timeout: Self.openTimeout, redirected: { location = $0 })
                    return Opened(context: context, isAhead: false, isTimed: true)
                } catch {
                    failure = error
                    if location != nil || interrupt.isCancelled { break }
                }
            }
            guard let location else { throw failure ?? RTSPError.unreachable(url.host) }
            guard var next = url.resolved(location), next.scheme == "rtsps" || next.scheme == url.scheme else {
                throw RTSPError.malformed("a redirect that leads nowhere")
            }
            // Credentials go along to the same machine only.
            if next.userInfo == nil, next.host.lowercased() == url.host.lowercased() { next = next.with(userInfo: url.userInfo) }
            url = next
        }
        throw RTSPError.malformed("too many redirects")
    }

    private func openWeb(_ url: SourceURL, _ interrupt: Interrupt) throws -> Opened {
        let web = WebReader(camera: url, addresses: addresses, eventLoop: eventLoop, interrupt: interrupt)
        interrupt.setDeadline(in: Self.openTimeout)
        let first = try web.open()
        let format = first.demuxer
        // Pictures one after the other are counted at a rate the demuxer makes up, and measuring it would hold them back.
        let options = format == "mpjpeg" ? ["fpsprobesize": "0"] : [:]
        do {
            let context = try InputContext(
                url: first.url, first: first, opener: web, format: format, options: options, interrupt: interrupt, timeout: Self.openTimeout)
            let isPictures = context.formatName == "mpjpeg"
            return Opened(context: context, web: web, isAhead: !isPictures, isTimed: !isPictures)
        } catch {
            // What the fetching says is nearer to the cause than what the demuxer makes of it.
            if let failure = web.failure, !interrupt.isCancelled { throw failure }
            throw error
        }
    }
}
