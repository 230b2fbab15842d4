package import Logging
package import NVRBase
package import NVRMedia
import NVRModel
package import NVRRecording
package import NVRStore
import ServiceLifecycle
import Synchronization

/// Sends what people must hear of to the webhooks they named: all of it to that of the server, and what is about a camera also to the
/// camera's own, where that is switched on. Deliveries wait in a bounded queue and are tried again for some minutes.
package final class HealthWebhook: Service {
    /// Totals since the start.
    package struct Counters: Sendable {
        package var sent = 0
        package var failed = 0
        /// Not even tried: too many waited.
        package var dropped = 0

        package init() {}
    }

    private struct Delivery: Sendable {
        var url: String
        var body: String
        var tries = 0
        var due: Int64
    }

    private struct State {
        var waiting: [Delivery] = []
        var counters = Counters()
    }

    private static let mostWaiting = 256
    /// Microseconds before each further try.
    private static let pauses: [Int64] = [5_000_000, 30_000_000, 120_000_000, 300_000_000]

    private let store: Store
    private let health: HealthLog
    private let post: WebPost
    private let clock: any NVRClock
    private let logger: Logger
    private let thread = BlockingThread(name: "webhook")
    private let state = Mutex(State())
    private let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation

    package init(store: Store, health: HealthLog, post: WebPost, clock: any NVRClock, logger: Logger) {
        self.store = store
        self.health = health
        self.post = post
        self.clock = clock
        self.logger = logger
        (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        news = health.news.subscribe()
    }

    /// From before anything could begin.
    private let news: AsyncStream<HealthNews>

    package var counters: Counters { state.withLock { $0.counters } }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await item in self.news { await self.enqueue(item) } }
                group.addTask { await self.deliver() }
                await group.waitForAll()
            }
        }
        thread.stop()
    }

    private func enqueue(_ item: HealthNews) async {
        do {
            let settings = try await store.settings.values()
            var urls = [settings[Settings.notifyWebhookURL]]
            var name: String?
            if let id = item.event.cameraID, let camera = try await store.cameras.get(id) {
                name = camera.general.name
                if camera.alerts.healthWebhook, let url = camera.alerts.healthWebhookURL ?? camera.alerts.webhookURL { urls.append(url) }
            }
            let body = Self.body(item, cameraName: name, now: WallTime(microseconds: clock.wall()))
            for url in Set(urls.filter { !$0.isEmpty }) { enqueue(Delivery(url: url, body: body, due: clock.monotonic())) }
        } catch {
            logger.error("nobody can be told of the server's health: the settings cannot be read", metadata: ["error": "\(error)"])
        }
    }

    private func enqueue(_ delivery: Delivery) {
        state.withLock { state in
            if state.waiting.count < Self.mostWaiting { state.waiting.append(delivery) } else { state.counters.dropped += 1 }
        }
        wish.yield()
    }

    /// What is sent: `{"event": "health", "kind": …}`.
    static func body(_ item: HealthNews, cameraName: String?, now: WallTime) -> String {
        let event = item.event
        let state = item.isAllClear ? "cleared" : event.end == nil ? "raised" : "noted"
        let json: JSONValue = [
            "event": "health", "kind": .string(event.kind.rawValue), "state": .string(state),
            "camera_id": JSONValue(event.cameraID.map { Int($0.rawValue) }), "camera_name": JSONValue(cameraName),
            "start": .string(event.start.iso8601), "end": JSONValue(event.end?.iso8601), "cause": JSONValue(event.cause),
            "detail": JSONValue(event.detail), "sent_at": .string(now.iso8601),
        ]
        return json.serialized()
    }

    private func deliver() async {
        for await _ in wishes {
            while let delivery = takeDue() { await send(delivery) }
            guard let next = state.withLock({ $0.waiting.map(\.due).min() }) else { continue }
            let wait = max(0, next - clock.monotonic())
            Task { [wish] in
                // Nobody cancels it.
                try? await Task.sleep(for: .microseconds(wait + 1000))
                wish.yield()
            }
        }
    }

    private func takeDue() -> Delivery? {
        let now = clock.monotonic()
        return state.withLock { state in
            state.waiting.firstIndex { $0.due <= now }.map { state.waiting.remove(at: $0) }
        }
    }

    private func send(_ delivery: Delivery) async {
        let secret: String
        do { secret = try await store.settings.values()[Settings.notifyWebhookSecret] } catch {
            return retry(delivery, "the settings cannot be read")
        }
        let timestamp = String(clock.wall() / 1_000_000)
        var headers = [(name: "X-VibeNVR-Timestamp", value: timestamp)]
        if !secret.isEmpty {
            headers.append(("X-VibeNVR-Signature", WebhookSignature.text(of: delivery.body, secret: secret, timestamp: timestamp)))
        }
        do {
            try await thread.run { [post, headers] in try post.send(delivery.body, to: delivery.url, headers: headers) }
            state.withLock { $0.counters.sent += 1 }
        } catch let failure as WebPost.Failure where !failure.isWorthRetrying {
            giveUp(failure.reason)
        } catch {
            retry(delivery, "\(error)")
        }
    }

    private func retry(_ delivery: Delivery, _ reason: String) {
        guard delivery.tries < Self.pauses.count else { return giveUp(reason) }
        var next = delivery
        next.due = clock.monotonic() + Self.pauses[delivery.tries]
        next.tries += 1
        enqueue(next)
    }

    private func giveUp(_ reason: String) {
        state.withLock { $0.counters.failed += 1 }
        logger.warning("a message about the server's health could not be delivered to a webhook", metadata: ["reason": "\(reason)"])
    }
}
