import NVRModel

/// Signing in and out, first set-up, and who I am.
extension OpenAPIDocument {
    static let authOperations: [Operation] = [
        Operation("GET /auth/status", "getAuthStatus", .sessions, "Whether the first user is still to be made")
            .answers(.named("AuthStatus"), "What a sign-in page shows."),
        Operation("POST /auth/setup", "setUp", .sessions, "Make the first administrator")
            .explained("From another machine than the server's own it needs the code that is printed in the log of the server.")
            .header("X-Setup-Code", .text, "The code, where it is not in the body.")
            .body(.named("SetUp"))
            .answers(.named("User"), "The administrator.")
            .refuses(400, "The e-mail address is not valid.")
            .refuses(403, "There are users already, or the code is missing or wrong.")
            .refuses(429, "Too many attempts."),
        Operation("POST /auth/login", "logIn", .sessions, "Sign in")
            .explained("Sets the cookies `auth_token` and `media_token` as well.")
            .body(.named("LogIn"), as: "application/x-www-form-urlencoded")
            .answers(
                .named("Token"), "Signed in.", headers: [Operation.Header(name: "Set-Cookie", schema: .text, text: "Both cookies.", isRequired: true)]
            )
            .refuses(401, "Name or password is wrong.")
            .refuses(429, "Too many attempts."),
        Operation("POST /auth/logout", "logOut", .sessions, "End the session and clear the cookies")
            .answers(.object(["status": .text]), "Also when nobody was signed in."),
        Operation("GET /auth/me", "getMe", .sessions, "Who I am").answers(.named("User"), "You."),
        Operation("GET /auth/me-from-cookie", "getMeFromCookie", .sessions, "Who the cookie `auth_token` means")
            .answers(.object(["user": .named("User"), "access_token": .text]), "You, and a token for further calls.")
            .answers(204, "No cookie, or its session is over.", types: []),
        Operation("PATCH /auth/me/language", "setMyLanguage", .sessions, "Choose my language")
            .body(.object(["language": Schema.text(2...16, pattern: "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$").described("A tag of BCP 47.")]))
            .answers(.named("User"), "You."),
    ]

    static let accountSchemas: [(String, Schema)] = [
        (
            "Grant",
            Schema.object(["id": .id, "name": .text, "can_view": .boolean, "can_replay": .boolean, "can_control": .boolean])
                .described("What a user may do with a camera, or with every camera of a group.")
        ),
        (
            "AuthStatus",
            .object(["setup_required": .boolean, "oauth_enabled": .boolean, "oauth_provider_name": .text, "oauth_auto_redirect": .boolean])
        ),
        (
            "SetUp",
            .object(
                ["username": userName, "password": password],
                optional: ["email": Schema.text(0...320).orNull, "code": Schema.text.described("From the log of the server.")])
        ),
        ("LogIn", .object(["username": .text(1...1024), "password": .text(1...PasswordPolicy.maxBytes)])),
        ("Token", .object(["access_token": .text, "token_type": .choice(["bearer"]), "device_token": Schema.text.orNull])),
        (
            "User",
            .object([
                "username": .text, "email": Schema.text.orNull, "role": role, "is_2fa_enabled": .boolean,
                "restrict_camera_access": Schema.boolean.described("Sees only the cameras that were given to him."), "language": .text,
                "auth_source": .choice(["local"]), "oauth_subject_id": .null, "oauth_enabled": .boolean, "id": .id, "is_active": .boolean,
                "avatar_path": Schema.text.orNull, "created_at": .dateTime, "camera_accesses": .array(of: .named("Grant")),
                "group_accesses": .array(of: .named("Grant")),
            ])
        ),
    ]

    static let role = Schema.choice(User.Role.allCases.map(\.rawValue))
    static let userName = Schema.text(1...64).described("Without control characters and without spaces at the ends.")
    static let password = Schema.text(PasswordPolicy.minLength...PasswordPolicy.maxBytes)
        .described("At most \(PasswordPolicy.maxBytes) bytes; not the user name, no run such as 12345678, none of the common ones.")
}
