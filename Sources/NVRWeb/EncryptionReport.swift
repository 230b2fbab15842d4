import NVRBase
import NVRModel
import NVRRecording
import NVRStore

/// What administrators are told of the encryption of footage: keys by their names, which tell nothing of them, and how much footage has which.
final class EncryptionReport: Sendable {
    private let store: Store
    private let keys: FootageKeys

    init(store: Store, keys: FootageKeys) {
        self.store = store
        self.keys = keys
    }

    func json() async throws -> JSONValue {
        let amounts = try await store.footageKeys.amounts()
        let since = try await store.footageKeys.writingSince()
        return Self.json(writing: keys.writing?.description, given: Set(keys.ids.map(\.description)), amounts: amounts, since: since)
    }

    /// The key for new footage first, then those that footage has, then those that none has.
    static func json(writing: String?, given: Set<String>, amounts: [FootageKeyStore.Amount], since: WallTime?) -> JSONValue {
        let used = amounts.compactMap { amount in amount.key.map { (key: $0, amount: amount) } }
        let order = [writing].compactMap { $0 } + used.map(\.key).filter { $0 != writing }
        let idle = given.subtracting(order).sorted()
        func numbers(_ amount: FootageKeyStore.Amount?, in object: JSONObject = [:]) -> JSONValue {
            var object = object
            object["recordings"] = JSONValue(amount?.count ?? 0)
            object["bytes"] = .integer(amount?.bytes ?? 0)
            return .object(object)
        }
        let list = (order + idle).map { key in
            numbers(
                used.first { $0.key == key }?.amount,
                in: ["key": .string(key), "available": .bool(given.contains(key)), "writing": .bool(key == writing)])
        }
        return [
            "enabled": .bool(writing != nil), "key": JSONValue(writing), "since": JSONValue(writing == nil ? nil : since?.iso8601),
            "keys": .array(list), "clear": numbers(amounts.first { $0.key == nil }),
            "missing_keys": .array(used.map(\.key).filter { !given.contains($0) }.map(JSONValue.string)),
        ]
    }
}
