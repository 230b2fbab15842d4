// The form in which a camera is stored: one JSON object of the fields that belong to the owner. Values that must not be read from a
// copied database are stored as `{"sealed": text}`, so that they are told from plain ones by their shape.

extension Camera {
    /// Encrypts or decrypts the value of a field.
    package typealias Crypt = (_ field: String, _ text: String) throws -> String

    private static let sealedKey = "sealed"

    /// The text that is stored. `seal` encrypts the values of fields that are `isEncrypted`.
    package func settingsText(sealing seal: Crypt) rethrows -> String {
        var object = JSONObject()
        for field in CameraField.all where field.isStored {
            let value = field.read(self)
            object[field.name] = field.isEncrypted ? try Self.sealed(value, field.name, seal) : value
        }
        return JSONValue.object(object).serialized()
    }

    /// Reads stored settings. Missing fields take their defaults; limits are not checked again, so that tightening one never loses
    /// a camera. Throws `JSONSyntaxError`, and what `open` throws.
    package init(id: ID<Camera>, createdAt: WallTime, settingsText: String, opening open: Crypt) throws {
        self.init(id: id, createdAt: createdAt)
        let object = try Self.object(settingsText)
        for field in CameraField.all where field.isStored {
            guard let value = object[field.name] else { continue }
            if let sealed = value[Self.sealedKey]?.string {
                field.write(&self, .string(try open(field.name, sealed)))
            } else {
                field.write(&self, value)
            }
        }
    }

    /// Stored settings with what should be encrypted encrypted, without looking at anything else.
    package static func sealed(settingsText: String, sealing seal: Crypt) throws -> String {
        var object = try object(settingsText)
        for field in CameraField.all where field.isEncrypted {
            if let value = object[field.name] { object[field.name] = try sealed(value, field.name, seal) }
        }
        return JSONValue.object(object).serialized()
    }

    /// Stored settings with everything that is encrypted passed through `change`.
    package static func resealed(settingsText: String, changing change: Crypt) throws -> String {
        var object = try object(settingsText)
        for name in object.keys {
            if let text = object[name]?[sealedKey]?.string { object[name] = [sealedKey: .string(try change(name, text))] }
        }
        return JSONValue.object(object).serialized()
    }

    private static func sealed(_ value: JSONValue, _ field: String, _ seal: Crypt) rethrows -> JSONValue {
        guard case .string(let text) = value, !text.isEmpty else { return value }
        return [sealedKey: .string(try seal(field, text))]
    }

    private static func object(_ settingsText: String) throws(JSONSyntaxError) -> JSONObject {
        guard let object = try JSONValue(parsing: settingsText).object else {
            throw JSONSyntaxError(offset: 0, message: "Expecting an object")
        }
        return object
    }
}
