import HummingbirdCore
import Logging
package import NIOCore
package import NIOHTTPTypes
import NVRBase
import Synchronization

/// Room for connections. When it becomes tight, the connection that has been quiet for longest makes place for a new one, so that
/// nobody keeps others out by holding connections open. Any thread may use it.
package final class ConnectionRoom: Sendable {
    private struct Guest {
        let close: @Sendable () -> Void
        /// Number of the moment since when it is quiet; nil while it asks or is answered.
        var quietSince: UInt64?
    }

    private struct State {
        var guests: [ObjectIdentifier: Guest] = [:]
        /// Counts moments: their order is all that matters.
        var moment: UInt64 = 0

        mutating func next() -> UInt64 {
            moment += 1
            return moment
        }
    }

    /// From this number on, quiet connections are closed for new ones.
    private let tight: Int
    private let state = Mutex(State())

    /// `most`: connections that are accepted at all.
    package init(most: Int) { tight = max(1, most - most / 4) }

    package var count: Int { state.withLock { $0.guests.count } }

    /// A connection came; it is quiet until it asks.
    package func enter(_ id: ObjectIdentifier, close: @escaping @Sendable () -> Void) {
        let eldest = state.withLock { state -> Guest? in
            let moment = state.next()
            state.guests[id] = Guest(close: close, quietSince: moment)
            guard state.guests.count > tight else { return nil }
            // Some hundred entries, and only while it is tight.
            let eldest = state.guests.filter { $0.key != id && $0.value.quietSince != nil }.min {
                ($0.value.quietSince ?? 0) < ($1.value.quietSince ?? 0)
            }
            guard let eldest else { return nil }
            return state.guests.removeValue(forKey: eldest.key)
        }
        eldest?.close()
    }

    package func leave(_ id: ObjectIdentifier) { _ = state.withLock { $0.guests.removeValue(forKey: id) } }

    /// It asked, or became something that lasts.
    package func becameBusy(_ id: ObjectIdentifier) { state.withLock { $0.guests[id]?.quietSince = nil } }

    package func becameQuiet(_ id: ObjectIdentifier) {
        state.withLock { state in
            let moment = state.next()
            state.guests[id]?.quietSince = moment
        }
    }
}

/// Tells the room when a connection asks and when it has its answer. One whose request is still on its way counts as quiet since its last
/// bytes: to begin a body and to send no more of it is no way to keep a place.
package final class RequestCounter: ChannelDuplexHandler, RemovableChannelHandler {
    package typealias InboundIn = HTTPRequestPart
    package typealias InboundOut = HTTPRequestPart
    package typealias OutboundIn = HTTPResponsePart
    package typealias OutboundOut = HTTPResponsePart

    private let room: ConnectionRoom
    /// Requests that came whole and are not answered; less than none where one was answered before it had come.
    private var open = 0

    package init(room: ConnectionRoom) { self.room = room }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = unwrapInboundIn(data) { open += 1 }
        tell(context)
        context.fireChannelRead(data)
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            open -= 1
            tell(context)
        }
        context.write(data, promise: promise)
    }

    private func tell(_ context: ChannelHandlerContext) {
        let id = ObjectIdentifier(context.channel)
        if open > 0 { room.becameBusy(id) } else { room.becameQuiet(id) }
    }
}

/// Every connection of `base`, entered in a room.
struct CountedChannel<Base: ServerChildChannel>: ServerChildChannel {
    typealias Value = Base.Value

    let base: Base
    let room: ConnectionRoom

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let id = ObjectIdentifier(channel)
        room.enter(id) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { [room] _ in room.leave(id) }
        return base.setup(channel: channel, logger: logger)
    }

    func handle(value: Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}
