enum SecondFactorStore {
    static func context(_ user: Int64) -> String { "user:\(user):totp_secret" }
}
