import Synchronization

/// A value that is made anew every few seconds, when somebody asks. While one makes it the others get the one before, so that a moment at
/// which it is due is not one at which everybody makes it. Any task may use it.
package final class Refreshed<Value: Sendable>: Sendable {
    private struct State: Sendable {
        var known: (moment: Int64, value: Value)?
        var isBeingMade = false
    }

    /// Microseconds for which a value is good.
    private let period: Int64
    /// Periods after which it is no answer any more, also while it is made anew.
    private static var longest: Int64 { 5 }
    private let state = Mutex(State())

    package init(every period: Int64) { self.period = period }

    /// `isGood`: whether what is known answers this question.
    package func value(at now: Int64, if isGood: (Value) -> Bool = { _ in true }, make: () async throws -> Value) async rethrows -> Value {
        let moment = now / period
        let known = state.withLock { state -> Value? in
            guard let known = state.known, isGood(known.value) else { return nil }
            if known.moment == moment { return known.value }
            if state.isBeingMade, moment - known.moment < Self.longest { return known.value }
            state.isBeingMade = true
            return nil
        }
        if let known { return known }
        do {
            let value = try await make()
            state.withLock { $0 = State(known: (moment, value)) }
            return value
        } catch {
            state.withLock { $0.isBeingMade = false }
            throw error
        }
    }
}
