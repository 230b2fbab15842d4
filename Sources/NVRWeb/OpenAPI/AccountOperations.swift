import NVRAccounts
import NVRModel
import NVRStore

/// Users and what they may do, second factors, API keys.
extension OpenAPIDocument {
    private static let noUser = "There is no such user."
    private static let takenName = "The name is taken, or a camera or group of a right does not exist."
    private static let lastAdministrator = "The last administrator cannot be removed, demoted or deactivated."
    private static let status = Schema.object(["status": .text])
    private static let done = Schema.object(["status": .text, "message": .text])

    private static let layout = Schema.map(of: .anything).described("Whatever the interface keeps, \(LayoutRoutes.mostBytes / 1024) KB at most.")

    static let userOperations: [Operation] = [
        Operation("GET /users", "listUsers", .users, "All users")
            .paged()
            .answers(.array(of: .named("User")), "By id.", headers: [.totalCount]),
        Operation("POST /users", "createUser", .users, "Make a user")
            .body(.object(required: [("username", userName), ("password", password)], optional: userFields))
            .answers(.named("User"), "The user.")
            .refuses(400, takenName),
        Operation("PUT /users/{user_id}", "updateUser", .users, "Change fields of a user")
            .explained(
                "What is not sent stays. A new role, a new password and `is_active: false` end all sessions; rights count at once. A new password of one's own needs `old_password`."
            )
            .body(
                .object(required: [], optional: [("username", userName), ("password", password), ("old_password", Schema.text.orNull)] + userFields)
            )
            .answers(.named("User"), "The user.")
            .refuses(400, takenName + " Or the old password is missing or wrong.")
            .refuses(404, noUser)
            .refuses(409, lastAdministrator)
            .refuses(429, "Too many attempts."),
        Operation("DELETE /users/{user_id}", "deleteUser", .users, "Delete a user with sessions and API keys")
            .answers(.named("User"), "Who was deleted.")
            .refuses(404, noUser)
            .refuses(409, lastAdministrator),
        Operation("PUT /users/{user_id}/password", "setPassword", .users, "Set a password")
            .explained("One's own needs the old one; administrators set any other. All sessions of the user end.")
            .body(.object(["new_password": password], optional: ["old_password": Schema.text.orNull]))
            .answers(.named("User"), "The user.")
            .refuses(400, "The old password is missing or wrong.")
            .refuses(404, noUser)
            .refuses(429, "Too many attempts."),
        Operation("POST /users/{user_id}/avatar", "setAvatar", .users, "Upload a picture of a user")
            .explained("PNG, JPEG or WebP of at most 2 MB; it is scaled down and stored as a JPEG. One's own, or anybody's for administrators.")
            .body(.object(["file": .binary]), as: "multipart/form-data")
            .answers(.named("User"), "`avatar_path` is where it is served.")
            .refuses(400, "No picture that can be read, or a broken form.")
            .refuses(404, noUser),
        Operation("DELETE /users/{user_id}/avatar", "deleteAvatar", .users, "Remove the picture of a user")
            .answers(.named("User"), "The user.")
            .refuses(404, noUser),
        Operation("GET /users/{user_id}/avatar", "getAvatar", .users, "The picture of a user")
            .explained("One's own, or anybody's for administrators.")
            .answers(200, "The picture.", types: ["image/jpeg"])
            .refuses(403, "It is another user's.")
            .refuses(404, "There is none."),
    ]

    static let apiKeyOperations: [Operation] = [
        Operation("GET /v1/api-tokens", "listAPIKeys", .apiKeys, "My API keys")
            .answers(.array(of: .named("APIKey")), "Without the keys themselves."),
        Operation("POST /v1/api-tokens", "createAPIKey", .apiKeys, "Make an API key")
            .explained("It reads what its owner may read, at any moment, and changes nothing.")
            .body(
                .object(
                    ["name": .text(1...100, pattern: "^[^\(unprintable)]*$")],
                    optional: ["expires_in_days": Schema.integer(1...APIKeys.maxDays).orNull])
            )
            .answers(.named("APIKey"), "`token` is the key; it is never shown again.")
            .refuses(409, "There are too many keys."),
        Operation("DELETE /v1/api-tokens/{token_id}", "deleteAPIKey", .apiKeys, "Delete an API key")
            .answers(status, "It is worth nothing from now on.")
            .refuses(404, "You have no such key."),
    ]

    static let twoFactorOperations: [Operation] = [
        Operation("POST /auth/2fa/setup", "beginTwoFactor", .twoFactor, "Begin to set up a second factor")
            .explained("Nothing changes at sign-in until `POST /auth/2fa/enable`.")
            .answers(.named("TwoFactorSetUp"), "What an authenticator app needs, and recovery codes; shown once.")
            .refuses(400, "There is a second factor already."),
        Operation("POST /auth/2fa/enable", "enableTwoFactor", .twoFactor, "Enable the second factor with its first code")
            .body(.object(["code": .text(0...1024)]))
            .answers(done, "From now on signing in takes a code.")
            .refuses(400, "The code is wrong, or there is nothing to enable.")
            .refuses(429, "Too many attempts."),
        Operation("POST /auth/2fa/disable", "disableTwoFactor", .twoFactor, "Remove the second factor")
            .explained("Recovery codes and trusted devices go with it.")
            .body(.object(["password": .text(0...1024)]))
            .answers(done, "From now on the password alone signs in.")
            .refuses(400, "The password is wrong, or there is no second factor.")
            .refuses(429, "Too many attempts."),
        Operation("POST /auth/2fa/recovery-codes", "renewRecoveryCodes", .twoFactor, "New recovery codes in place of the old ones")
            .answers(.object(["recovery_codes": .array(of: .text)]), "Shown once; each is good once.")
            .refuses(400, "There is no second factor."),
        Operation("GET /auth/me/layouts", "listLayouts", .users, "How I arranged live pictures")
            .answers(.array(of: .named("Layout")), "By name."),
        Operation("PUT /auth/me/layouts/{name}", "putLayout", .users, "Keep an arrangement under a name, in place of the one before")
            .body(.object(["layout": layout])).answers(.named("Layout"), "What is kept.")
            .refuses(409, "There are \(LayoutStore.most) already."),
        Operation("PUT /auth/me/layouts", "putLayoutByQuery", .users, "The same for any name")
            .explained("A name with `/`, or `.` and `..`, is no element of a path.")
            .query("name", Schema.text(1...64), "The name.", required: true)
            .body(.object(["layout": layout])).answers(.named("Layout"), "What is kept.")
            .refuses(409, "There are \(LayoutStore.most) already."),
        Operation("DELETE /auth/me/layouts", "deleteLayoutByQuery", .users, "Forget an arrangement of any name")
            .query("name", Schema.text(1...64), "The name.", required: true)
            .answers(status, "It is gone.").refuses(404, "There is none of the name."),
        Operation("DELETE /auth/me/layouts/{name}", "deleteLayout", .users, "Forget an arrangement")
            .answers(status, "It is gone.").refuses(404, "There is none of the name."),
        Operation("GET /auth/streaming-secret", "getStreamingSecret", .apiKeys, "Whether I have a secret for RTSP clients")
            .answers(.object(["exists": .boolean, "created_at": Schema.dateTime.orNull]), "Never the secret itself."),
        Operation("POST /auth/streaming-secret", "makeStreamingSecret", .apiKeys, "Make a secret for RTSP clients")
            .explained(
                "With my name it opens `rtsp://{host}:8554/{camera}` and `/{camera}/sub` of the cameras that I may see, and nothing else; the one before ends at once. Clients that only do digest authentication ask for the URL with `?auth=digest`."
            )
            .answers(.object(["username": .text, "secret": .text, "created_at": .dateTime]), "`secret` is never shown again."),
        Operation("DELETE /auth/streaming-secret", "deleteStreamingSecret", .apiKeys, "Delete my secret for RTSP clients")
            .answers(status, "Whatever was opened with it ends.")
            .refuses(404, "There is none."),
        Operation("GET /auth/devices", "listTrustedDevices", .twoFactor, "Devices from which I sign in without a code")
            .answers(.array(of: .named("TrustedDevice")), "By id."),
        Operation("DELETE /auth/devices/{device_id}", "deleteTrustedDevice", .twoFactor, "Trust a device no longer")
            .answers(status, "It needs a code again.")
            .refuses(404, "You trust no such device."),
    ]

    private static let userFields: [(String, Schema)] = [
        ("email", Schema.text(0...320).orNull),
        ("role", role),
        ("is_active", .boolean),
        ("restrict_camera_access", Schema.boolean.described("Sees only the cameras that are given below.")),
        ("language", .text(2...16)),
        ("camera_accesses", .array(of: .named("GrantChange"), count: 0...UserPatch.mostGrants)),
        ("group_accesses", .array(of: .named("GrantChange"), count: 0...UserPatch.mostGrants)),
        (
            "allowed_camera_ids",
            Schema.array(of: .id, count: 0...UserPatch.mostGrants).described("View and replay, where `camera_accesses` is absent.")
        ),
        ("allowed_group_ids", Schema.array(of: .id, count: 0...UserPatch.mostGrants).described("View and replay, where `group_accesses` is absent.")),
    ]

    static let userSchemas: [(String, Schema)] = [
        ("Layout", .object(["name": .text, "layout": layout, "updated_at": .dateTime])),
        ("Grant", .object(["id": .id, "name": .text, "can_view": .boolean, "can_replay": .boolean, "can_control": .boolean])),
        (
            "GrantChange",
            .object(
                ["id": .id],
                optional: [
                    "can_view": Schema.boolean.byDefault(true), "can_replay": Schema.boolean.byDefault(true),
                    "can_control": Schema.boolean.byDefault(false),
                ])
        ),
        (
            "APIKey",
            .object([
                "id": .id, "name": .text, "token": Schema.text.orNull, "created_at": .dateTime, "expires_at": Schema.dateTime.orNull,
                "last_used_at": Schema.dateTime.orNull, "is_active": .boolean,
            ])
        ),
        (
            "TwoFactorSetUp",
            .object([
                "secret": Schema.text.described("Base 32, for typing."), "otpauth_url": .text, "recovery_codes": .array(of: .text),
                "qr_svg": Schema.text.described("`otpauth_url` as a QR code: the text of an SVG picture."),
            ])
        ),
        ("TrustedDevice", .object(["id": .id, "name": .text, "last_used": .dateTime, "created_at": .dateTime])),
    ]
}
