import HTTPTypes
import Hummingbird
import NIOCore
import NVRAccounts
import NVRBase
import NVRMedia
import NVRModel
import ServiceLifecycle

/// Motion JPEG: pictures one after the other in one answer (`multipart/x-mixed-replace`), as every browser shows them. Everybody who
/// watches shares the decoded and encoded pictures; who does not keep up gets fewer.
struct MovingPictures: Sendable {
    static let boundary = "frame"
    static let mostPerSecond = 10
    /// Seconds without a picture, or in which a client takes none, before the answer ends.
    static let patience: Int64 = 30

    let camera: ID<Camera>
    let width: Int?
    /// Pictures a second.
    let rate: Int
    /// Of the JPEGs, 1…100.
    let quality: Int
    let live: LiveCameras
    let access: LiveAccess
    let totals: LiveTotals

    /// The answer, which begins with `first`. The caller has entered `totals`.
    func response(first: Picture, channel: (any Channel)?, clock: any NVRClock) -> Response {
        var headers = LiveRoutes.uncached
        headers[.contentType] = "multipart/x-mixed-replace; boundary=\(Self.boundary)"
        // The answer ends with its connection.
        headers[.connection] = "close"
        let ticket = Ticket(totals)
        let body = ResponseBody { writer in
            defer { ticket.leave() }
            try await withGracefulShutdownHandler {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        // A client that takes nothing is stuck in a write: only the end of the connection helps.
                        if await access.end() != nil { channel?.close(promise: nil) }
                    }
                    try await send(first, to: &writer, channel, clock)
                    group.cancelAll()
                }
                try await writer.finish(nil)
            } onGracefulShutdown: {
                channel?.close(promise: nil)
            }
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    /// Returns when no picture has come for long; throws when the client is gone.
    private func send(_ first: Picture, to writer: inout any ResponseBodyWriter, _ channel: (any Channel)?, _ clock: any NVRClock) async throws {
        let interval = Int64(1_000_000 / rate)
        var picture: Picture? = first
        var last: WallTime?
        var lastSent = clock.monotonic()
        var due = lastSent
        while true {
            if let picture, picture.time != last {
                last = picture.time
                let part = Self.part(picture)
                let deadline = channel.map { channel in
                    channel.eventLoop.scheduleTask(in: .seconds(Self.patience)) { channel.close(promise: nil) }
                }
                defer { deadline?.cancel() }
                try await writer.write(part)
                totals.note(sent: part.readableBytes)
                lastSent = clock.monotonic()
            } else if clock.monotonic() - lastSent > Self.patience * 1_000_000 {
                return
            }
            // A slow client is not sent what it missed.
            let now = clock.monotonic()
            due = max(due + interval, now)
            try await Task.sleep(for: .microseconds(due - now))
            // While the camera is away the last picture stays.
            picture = try? await live.picture(camera, width, interval / 2, quality)
        }
    }

    private static func part(_ picture: Picture) -> ByteBuffer {
        let head = "--\(boundary)\r\nContent-Type: image/jpeg\r\nContent-Length: \(picture.jpeg.count)\r\n\r\n"
        var buffer = ByteBufferAllocator().buffer(capacity: head.utf8.count + picture.jpeg.count + 2)
        buffer.writeString(head)
        buffer.writeBytes(picture.jpeg)
        buffer.writeString("\r\n")
        return buffer
    }

    /// Leaves the viewers once: when the body ends, or when it was never asked for.
    private final class Ticket: Sendable {
        private let totals: LiveTotals
        private let hasLeft = ShutdownSwitch()

        init(_ totals: LiveTotals) { self.totals = totals }

        func leave() {
            guard !hasLeft.isOn else { return }
            hasLeft.turnOn()
            totals.leave()
        }

        deinit { leave() }
    }
}
