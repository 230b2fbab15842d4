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
}
