import ArgumentParser
#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import NVRRecording
import NVRRestream
import NVRWeb

/// Reads an environment variable; empty counts as unset.
func environment(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}

/// A yes or no of the environment. Throws for anything else, so that a typing error does not silently mean no.
func environmentFlag(_ name: String) throws -> Bool {
    guard let text = environment(name)?.lowercased() else { return false }
    switch text {
    case "1", "true", "yes", "on": return true
    case "0", "false", "no", "off": return false
    default: throw ValidationError("\(name) must be true or false, not '\(text)'")
    }
}

/// Where data lies: shared by all commands.
struct DataOptions: ParsableArguments {
    @Option(name: .long, help: "Folder for the database, keys and recordings. Env VIBENVR_DATA. (default: ./data)")
    var dataDir: String?

    var path: String {
        let text = dataDir ?? environment("VIBENVR_DATA") ?? "./data"
        return text.count > 1 && text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    var databasePath: String { path + "/vibenvr.db" }
    var recordingRoot: String { path + "/recordings" }
}

/// Everything `serve` can be told, flags before environment before defaults.
struct ServerOptions: ParsableArguments {
    @OptionGroup var data: DataOptions

    @OptionGroup var footageKeys: FootageKeyOptions

    @Option(name: .long, help: "Address to listen on. Env VIBENVR_HOST. (default: 0.0.0.0)")
    var host: String?

    @Option(name: .long, help: "Port to listen on; 0 takes a free one. Env VIBENVR_PORT. (default: 8080)")
    var port: Int?

    @Option(
        name: .long,
        help:
            "Key that signs sessions and encrypts stored passwords, at least 32 bytes. Better set as env SECRET_KEY; after a change, SECRET_KEY_OLD takes the former one for one start. (default: random keys kept in the data folder)"
    )
    var secretKey: String?

    @Option(name: .long, help: "Time zone of file names, dates and schedules. Env TZ. (default: the system's)")
    var timeZone: String?

    @Option(name: .long, help: "Certificate for HTTPS: a PEM file, the chain behind it. Env VIBENVR_TLS_CERT.")
    var tlsCert: String?

    @Option(name: .long, help: "Key of that certificate: a PEM file without a passphrase. Env VIBENVR_TLS_KEY.")
    var tlsKey: String?

    @Flag(
        name: .long,
        help: "Serve HTTPS with a certificate made for this machine and kept in the data folder. Env VIBENVR_TLS_SELF_SIGNED.")
    var tlsSelfSigned = false

    @Option(
        name: .long, help: "Port where plain HTTP is answered with the way to HTTPS; 0 takes a free one. Env VIBENVR_HTTP_REDIRECT_PORT.")
    var httpRedirectPort: Int?

    @Option(
        name: .long,
        help: "Port where cameras are played on to RTSP clients; 0 takes a free one, 'off' none. Env VIBENVR_RTSP_PORT. (default: 8554)")
    var rtspPort: String?

    @Option(name: .long, help: "The same for RTSP over TLS, which is there with HTTPS. Env VIBENVR_RTSPS_PORT. (default: 8322)")
    var rtspsPort: String?

    @Flag(name: .long, help: "Mark cookies as Secure, for servers behind an HTTPS proxy. Env COOKIE_SECURE.")
    var cookieSecure = false

    @Option(name: .long, help: "Comma-separated origins of other pages that may use the API. Env ALLOWED_ORIGINS.")
    var allowedOrigins: String?

    @Option(
        name: .long, help: "Comma-separated addresses or networks (10.0.0.0/8) of proxies whose forwarding headers are believed. Env TRUSTED_PROXIES."
    )
    var trustedProxies: String?

    @Option(
        name: .long,
        help: "What POST /events/webhook must carry as X-Webhook-Secret; without it the route is closed. Better set as env WEBHOOK_SECRET.")
    var webhookSecret: String?

    @Flag(name: .long, help: "Serve Prometheus counters at /metrics. Env VIBENVR_METRICS.")
    var metrics = false

    @Flag(name: .long, help: "Permit cameras on this machine (tests, demos). Env VIBENVR_ALLOW_LOOPBACK_CAMERAS.")
    var allowLoopbackCameras = false

    @Flag(name: .long, help: "Accept ?token= on media routes, as old clients send it. Env VIBENVR_ALLOW_TOKEN_QUERY.")
    var allowTokenQuery = false

    @Option(name: .long, help: "Longest segment file in seconds, below the cameras' own setting. Env VIBENVR_MAX_SEGMENT_SECONDS.")
    var maxSegmentSeconds: Int?

    @Option(
        name: .long,
        help:
            "Streams transcoded to H.264 at a time, for browsers that do not play the camera's codec; 0 switches it off. Env VIBENVR_MAX_TRANSCODES. (default: half the processors)"
    )
    var maxTranscodes: Int?

    @Option(
        name: .long, help: "Megabytes of sheets of previews that are kept in the data folder; 0 keeps none. Env VIBENVR_CACHE_MB. (default: 256)")
    var cacheMb: Int?

    @Option(
        name: .long,
        help:
            "Megabytes of each recorded stream that wait in memory while the disk stalls; then the oldest go. Env VIBENVR_BUFFER_MB. (default: 32)")
    var bufferMb: Int?

    @Option(name: .long, help: "Seconds between backups of the database. Env VIBENVR_DATABASE_BACKUP_SECONDS. (default: 3600)")
    var databaseBackupSeconds: Int?

    @Option(
        name: .long,
        help: "Seconds after the start before all footage is compared with its rows, slowly. Env VIBENVR_CHECK_AFTER_SECONDS. (default: 300)")
    var checkAfterSeconds: Int?

    @Option(name: .long, help: "How RTSP cameras are read: 'rtsp' (our client) or 'libav'. Env VIBENVR_SOURCE. (default: rtsp)")
    var source: String?

    @Option(name: .long, help: "Least severe level that is logged: debug, info, notice, warning, error. Env LOG_LEVEL. (default: info)")
    var logLevel: String?

    /// A path prefix of every option with its environment value taken in; throws with the way out for what makes no sense.
    func resolved() throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.dataPath = data.path
        configuration.databasePath = data.databasePath
        configuration.recordingRoot = data.recordingRoot
        configuration.host = host ?? environment("VIBENVR_HOST") ?? "0.0.0.0"
        configuration.port = try port ?? Self.number("VIBENVR_PORT") ?? 8080
        guard (0...65_535).contains(configuration.port) else { throw ValidationError("the port must be 0 to 65535, not \(configuration.port)") }
        configuration.secretKey = secretKey ?? environment("SECRET_KEY")
        configuration.oldSecretKey = environment("SECRET_KEY_OLD")
        configuration.footageKeys = try footageKeys.keys()
        configuration.backupPassphrase = environment("VIBENVR_BACKUP_PASSPHRASE")
        configuration.timeZone = timeZone
        configuration.tls = try tls()
        configuration.redirectPort = try httpRedirectPort ?? Self.number("VIBENVR_HTTP_REDIRECT_PORT")
        if let redirect = configuration.redirectPort {
            guard (0...65_535).contains(redirect) else { throw ValidationError("the redirect port must be 0 to 65535, not \(redirect)") }
            guard configuration.tls != .off else {
                throw ValidationError("--http-redirect-port needs HTTPS: give --tls-cert and --tls-key, or --tls-self-signed")
            }
            guard redirect == 0 || redirect != configuration.port else { throw ValidationError("HTTP and HTTPS cannot share port \(redirect)") }
        }
        configuration.rtspPort = try Self.streamPort(rtspPort ?? environment("VIBENVR_RTSP_PORT"), otherwise: 8554, option: "--rtsp-port")
        let demanded = rtspsPort ?? environment("VIBENVR_RTSPS_PORT")
        configuration.rtspsPort = try Self.streamPort(demanded, otherwise: 8322, option: "--rtsps-port")
        if configuration.tls == .off {
            if configuration.rtspsPort?.isDemanded == true, demanded != "0" {
                throw ValidationError("--rtsps-port needs HTTPS: give --tls-cert and --tls-key, or --tls-self-signed")
            }
            configuration.rtspsPort = nil
        }
        configuration.cookieSecure = try cookieSecure || environmentFlag("COOKIE_SECURE")
        configuration.allowedOrigins = Self.list(allowedOrigins ?? environment("ALLOWED_ORIGINS"))
        configuration.trustedProxies = Self.list(trustedProxies ?? environment("TRUSTED_PROXIES"))
        configuration.webhookSecret = (webhookSecret ?? environment("WEBHOOK_SECRET")).flatMap { $0.isEmpty ? nil : Secret($0) }
        if let refusal = configuration.trustedProxies.sorted().lazy.compactMap(TrustedProxies.refusal).first {
            throw ValidationError("trusted proxies: \(refusal)")
        }
        configuration.metrics = try metrics || environmentFlag("VIBENVR_METRICS")
        configuration.allowLoopbackCameras = try allowLoopbackCameras || environmentFlag("VIBENVR_ALLOW_LOOPBACK_CAMERAS")
        configuration.allowTokenQuery = try allowTokenQuery || environmentFlag("VIBENVR_ALLOW_TOKEN_QUERY")
        configuration.maxSegmentSeconds = try maxSegmentSeconds ?? Self.number("VIBENVR_MAX_SEGMENT_SECONDS")
        configuration.maxTranscodes = try maxTranscodes ?? Self.number("VIBENVR_MAX_TRANSCODES")
        if let most = configuration.maxTranscodes, !(0...64).contains(most) {
            throw ValidationError("the number of transcoded streams must be 0 to 64, not \(most)")
        }
        if let seconds = configuration.maxSegmentSeconds, seconds < 1 { throw ValidationError("segments must last at least 1 second") }
        if let megabytes = try cacheMb ?? Self.number("VIBENVR_CACHE_MB") {
            guard (0...1 << 20).contains(megabytes) else { throw ValidationError("the cache may have 0 to 1048576 megabytes") }
            configuration.cacheBytes = Int64(megabytes) << 20
        }
        if let megabytes = try bufferMb ?? Self.number("VIBENVR_BUFFER_MB") {
            guard (1...4096).contains(megabytes) else { throw ValidationError("the buffer may have 1 to 4096 megabytes") }
            configuration.bufferBytes = megabytes << 20
        }
        switch (source ?? environment("VIBENVR_SOURCE") ?? "rtsp").lowercased() {
        case "rtsp": configuration.prefersLibav = false
        case "libav": configuration.prefersLibav = true
        case let other: throw ValidationError("the source must be 'rtsp' or 'libav', not '\(other)'")
        }
        if let seconds = try databaseBackupSeconds ?? Self.number("VIBENVR_DATABASE_BACKUP_SECONDS") {
            guard (1...86_400 * 7).contains(seconds) else { throw ValidationError("the database can be backed up every 1 to 604800 seconds") }
            configuration.databaseBackupSeconds = seconds
        }
        if let seconds = try checkAfterSeconds ?? Self.number("VIBENVR_CHECK_AFTER_SECONDS") {
            guard seconds >= 0 else { throw ValidationError("VIBENVR_CHECK_AFTER_SECONDS must be 0 or more") }
            configuration.checkAfterSeconds = seconds
        }
        configuration.logLevel = logLevel ?? environment("LOG_LEVEL") ?? "info"
        return configuration
    }

    private func tls() throws -> ServerConfiguration.TLS {
        let (certificate, key) = (tlsCert ?? environment("VIBENVR_TLS_CERT"), tlsKey ?? environment("VIBENVR_TLS_KEY"))
        let isSelfSigned = try tlsSelfSigned || environmentFlag("VIBENVR_TLS_SELF_SIGNED")
        switch (certificate, key, isSelfSigned) {
        case (nil, nil, false): return .off
        case (nil, nil, true): return .selfSigned
        case (let certificate?, let key?, false): return .files(certificate: certificate, key: key)
        case (_, _, true): throw ValidationError("give either --tls-self-signed or --tls-cert with --tls-key, not both")
        case (nil, _, _): throw ValidationError("--tls-key needs --tls-cert with the certificate that belongs to it")
        case (_, nil, _): throw ValidationError("--tls-cert needs --tls-key with the key that belongs to it")
        }
    }

    /// Nil for a port that is switched off.
    private static func streamPort(_ text: String?, otherwise: Int, option: String) throws -> RestreamSettings.Port? {
        guard let text, !text.isEmpty else { return RestreamSettings.Port(number: otherwise, isDemanded: false, option: option) }
        if text.lowercased() == "off" { return nil }
        guard let number = Int(text), (0...65_535).contains(number) else {
            throw ValidationError("\(option) must be a port, 0 to 65535, or 'off', not '\(text)'")
        }
        return RestreamSettings.Port(number: number, isDemanded: true, option: option)
    }

    private static func number(_ name: String) throws -> Int? {
        guard let text = environment(name) else { return nil }
        guard let value = Int(text) else { throw ValidationError("\(name) must be a number, not '\(text)'") }
        return value
    }

    private static func list(_ text: String?) -> Set<String> {
        Set(
            (text ?? "").split(separator: ",").map { part in
                String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }.filter { !$0.isEmpty })
    }
}

/// The server's settings, checked.
struct ServerConfiguration: Sendable {
    /// Where the certificate of HTTPS comes from.
    enum TLS: Sendable, Equatable {
        case off
        case selfSigned
        case files(certificate: String, key: String)
    }

    var dataPath = "./data"
    var databasePath = ""
    var recordingRoot = ""
    var host = "0.0.0.0"
    var port = 8080
    var secretKey: String?
    /// What the database may still be encrypted with.
    var oldSecretKey: String?
    /// Encrypt footage.
    var footageKeys = FootageKeys.none
    /// Encrypts the backups in the data folder.
    var backupPassphrase: String?
    var timeZone: String?
    var tls = TLS.off
    /// Nil: nobody listens for plain HTTP beside HTTPS.
    var redirectPort: Int?
    /// Nil: cameras are not re-streamed.
    var rtspPort: RestreamSettings.Port?
    /// Nil without HTTPS, too.
    var rtspsPort: RestreamSettings.Port?
    var cookieSecure = false
    var allowedOrigins: Set<String> = []
    var trustedProxies: Set<String> = []
    var webhookSecret: Secret?
    var metrics = false
    var allowLoopbackCameras = false
    var allowTokenQuery = false
    var maxSegmentSeconds: Int?
    /// Nil: half the processors.
    var maxTranscodes: Int?
    /// Bytes of pictures that are kept ready on the disk.
    var cacheBytes: Int64 = 256 << 20
    /// Bytes of each recorded stream that wait for the disk at most.
    var bufferBytes = DiskWriter.defaultBuffer
    var prefersLibav = false
    /// Seconds between backups of the database.
    var databaseBackupSeconds = 3600
    /// Seconds after the start before the slow check of all footage begins.
    var checkAfterSeconds = 300
    var logLevel = "info"
}
