import NIOCore
import Synchronization

/// Whether the other end of a connection has gone, as far as it can be known before something is sent to it. Any thread may ask.
package final class Departure: Sendable {
    private let flag = Atomic(false)

    package init() {}

    package var hasHappened: Bool { flag.load(ordering: .relaxed) }
    func note() { flag.store(true, ordering: .relaxed) }
}

/// Notes that the other end sends no more: a browser that gives up a request closes its socket. The connection stays, since half of it
/// may still be open (RFC 9293 section 3.6), so answers go on; only work that is done for a person who looks need not be.
final class DepartureWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    let departure = Departure()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { departure.note() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        departure.note()
        context.fireChannelInactive()
    }
}

extension AppContext {
    /// What tells of the end of this connection; nil in tests that have none.
    func departure() async -> Departure? {
        guard let channel else { return nil }
        // Thrown where nobody watches the connection.
        return try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: DepartureWatch.self).departure
        }.get()
    }
}
