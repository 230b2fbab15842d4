import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import NVRWeb
import Synchronization
import Testing

@Suite struct ConnectionRoomTests {
    private final class Thing: Sendable {}

    /// Connections that note which of them were closed.
    private final class Door: Sendable {
        let things = (0..<20).map { _ in Thing() }
        let closed = Mutex<[Int]>([])

        func id(_ number: Int) -> ObjectIdentifier { ObjectIdentifier(things[number]) }
        func enter(_ number: Int, _ room: ConnectionRoom) { room.enter(id(number)) { self.closed.withLock { $0.append(number) } } }
    }

    @Test("When room is tight, the connection quiet for longest makes place")
    func eviction() {
        let room = ConnectionRoom(most: 8)
        let door = Door()
        for number in 0..<6 { door.enter(number, room) }
        #expect(door.closed.withLock { $0 } == [] && room.count == 6)
        // The first two ask; the second has its answer: it is quiet since then, and thus the youngest.
        room.becameBusy(door.id(0))
        room.becameBusy(door.id(1))
        room.becameQuiet(door.id(1))
        for number in 6..<11 { door.enter(number, room) }
        #expect(door.closed.withLock { $0 } == [2, 3, 4, 5, 1] && room.count == 6)
    }

    @Test("Who is being answered is never closed, however many come")
    func busy() {
        let room = ConnectionRoom(most: 4)
        let door = Door()
        for number in 0..<6 {
            door.enter(number, room)
            room.becameBusy(door.id(number))
        }
        #expect(door.closed.withLock { $0 } == [] && room.count == 6)
        room.leave(door.id(0))
        room.becameQuiet(door.id(0))
        #expect(room.count == 5, "who has left is not entered again")
    }

    @Test("A request whose body does not come keeps no place; one that came whole does until it is answered")
    func bodies() throws {
        let room = ConnectionRoom(most: 4)
        let channels = (0..<7).map { _ in EmbeddedChannel(handler: RequestCounter(room: room)) }
        let door = Door()
        func enter(_ number: Int) { room.enter(ObjectIdentifier(channels[number])) { door.closed.withLock { $0.append(number) } } }
        func send(_ number: Int, _ parts: HTTPRequestPart...) throws { for part in parts { try channels[number].writeInbound(part) } }
        let head = HTTPRequestPart.head(HTTPRequest(method: .post, scheme: "http", authority: "x", path: "/auth/login"))
        let (body, end) = (HTTPRequestPart.body(ByteBuffer(string: "a")), HTTPRequestPart.end(nil))
        for number in 0..<3 { enter(number) }
        try send(0, head, end)
        try send(1, head)
        try send(2, head)
        // Who goes on sending is younger than who does not.
        try send(1, body)
        enter(3)
        #expect(door.closed.withLock { $0 } == [2])
        try send(3, head, end)
        enter(4)
        #expect(door.closed.withLock { $0 } == [2, 1])
        // Answered before it has come whole: quiet, also when the rest comes.
        try send(4, head)
        try channels[4].writeOutbound(HTTPResponsePart.end(nil))
        try send(4, end)
        enter(5)
        #expect(door.closed.withLock { $0 } == [2, 1, 4])
        try channels[0].writeOutbound(HTTPResponsePart.end(nil))
        try send(5, head, end)
        enter(6)
        #expect(door.closed.withLock { $0 } == [2, 1, 4, 0])
    }
}
