/// Every setting of the server, declared once: name, type, limits, default, description (the API's contract), and which are secret.
/// Code reads one by naming it: `values[Settings.backupAutoEnabled]`.
package enum Settings {
    // MARK: Detection and streams

    package static let aiEnabled = Setting<Bool>("ai_enabled", default: false, "Enable Global AI Detection Engine")
    package static let aiModel = Setting<String>(
        "ai_model", .choice(["mobilenet_ssd_v2", "yolo_v8"]), default: "mobilenet_ssd_v2", "Global AI Model architecture (mobilenet_ssd_v2, yolo_v8)")
    package static let aiHardware = Setting<String>(
        "ai_hardware", .choice(["auto", "cpu", "tpu"]), default: "auto", "Global AI Hardware Accelerator (auto, cpu, tpu)")
    package static let go2rtcEnabled = Setting<Bool>(
        "go2rtc_enabled", default: false, "Route all cameras through the internal go2rtc gateway for stability with flaky cameras (no exposed ports)")

    // MARK: Storage

    package static let maxGlobalStorageGB = Setting<Double>(
        "max_global_storage_gb", 0...1_000_000, default: 0, "Maximum total storage for all cameras (0 = unlimited)")
    package static let cleanupEnabled = Setting<Bool>("cleanup_enabled", default: true, "Enable automatic cleanup of old recordings")
    package static let archivalEnabled = Setting<Bool>(
        "archival_enabled", default: true, "Enable automatic archival of recordings to secondary storage")
    package static let archivalIntervalHours = Setting<Int>("archival_interval_hours", 1...8760, default: 24, "How often to run archival (in hours)")
    package static let archivalMaxMBPerSecond = Setting<Int>(
        "archival_max_mb_per_second", 0...10_000, default: 20, "Megabytes that archival copies a second at most (0 = as fast as the disks allow)")
    package static let cleanupIntervalHours = Setting<Int>("cleanup_interval_hours", 1...8760, default: 24, "How often to run cleanup (in hours)")
    package static let retentionEventDays = Setting<Int>(
        "retention_event_days", 0...36_500, default: 0,
        "Days for which recordings with events are kept at least, beyond the camera's own (0 = no longer)")
    package static let retentionLabelledDays = Setting<Int>(
        "retention_labelled_days", 0...36_500, default: 0,
        "Days for which recordings of events with labels are kept at least, beyond the camera's own (0 = no longer)")
    package static let retentionMinimumDays = Setting<Int>(
        "retention_minimum_days", 0...36_500, default: 0, "Days before which nothing is deleted, whatever limit is passed (0 = none)")
    package static let retentionMaxSharePercent = Setting<Int>(
        "retention_max_share_percent", 1...100, default: 20,
        "Percent of everything that is stored that cleanup may delete in a day beyond what was recorded, unless somebody confirms it")
    package static let storageFloorGB = Setting<Double>(
        "storage_floor_gb", 0...1_000_000, default: 0,
        "Free space that is kept by deleting the oldest recordings of the volume (GB; 0 = a twentieth of it, at most 4 GB)")

    // MARK: Notifications

    package static let smtpServer = Setting<String>("smtp_server", .text(253), "SMTP Server Address")
    package static let smtpPort = Setting<Int>(
        "smtp_port", 1...65_535, default: 587, refusal: "Port must be between 1 and 65535", "SMTP Port (e.g. 587 or 465)")
    package static let smtpUsername = Setting<String>("smtp_username", .text(320), "SMTP Username")
    package static let smtpPassword = Setting<String>("smtp_password", .text(1024), secret: true, "SMTP Password")
    package static let smtpFromEmail = Setting<String>("smtp_from_email", .text(320), "Email Sender Address")
    package static let smtpVerifyCert = Setting<Bool>("smtp_verify_cert", default: true, "Verify SMTP Server Certificate (SSL/TLS)")
    package static let telegramBotToken = Setting<String>(
        "telegram_bot_token", .text(256), secret: true, "Telegram Bot Token for global notifications")
    package static let telegramChatID = Setting<String>("telegram_chat_id", .text(256), "Telegram Chat ID for global notifications")
    package static let telegramProxyEnabled = Setting<Bool>("telegram_proxy_enabled", default: false, "Enable SOCKS/HTTPS Proxy for Telegram")
    package static let telegramProxyURL = Setting<String>(
        "telegram_proxy_url", .url(schemes: ["http", "https", "socks4", "socks5", "socks5h"]), secret: true,
        "Telegram Proxy URL (e.g. socks5://user:pass@host:port)")
    package static let telegramProxyRetries = Setting<Int>("telegram_proxy_retries", 0...100, default: 3, "Maximum retries if proxy fails")
    package static let telegramProxyRetryDelay = Setting<Int>("telegram_proxy_retry_delay", 0...3600, default: 2, "Seconds to wait between retries")
    package static let notifyEmailRecipient = Setting<String>("notify_email_recipient", .text(1000), "Default recipient for email notifications")
    package static let notifyWebhookURL = Setting<String>(
        "notify_webhook_url", .url(schemes: ["http", "https"]), secret: true, "Global Webhook URL for notifications")

    package static let notifyWebhookSecret = Setting<String>(
        "notify_webhook_secret", .text(1024), secret: true, "Secret that signs what is sent to webhooks (HMAC-SHA256)")

    // MARK: The server and its page

    package static let defaultLandingPage = Setting<String>(
        "default_landing_page", .choice(["dashboard", "timeline", "live"]), default: "live", public: true,
        "Default page when opening the app (dashboard, timeline, live)")
    package static let telemetryEnabled = Setting<Bool>(
        "telemetry_enabled", default: true, public: true, "Permit anonymous telemetry (this server sends none, whatever is set)")
    package static let instanceID = Setting<String>("instance_id", .server, public: true, "Unique anonymous ID for this VibeNVR instance")
    package static let defaultLiveViewMode = Setting<String>(
        "default_live_view_mode", .choice(["auto", "webcodecs", "mjpeg"]), default: "auto",
        refusal: "Invalid mode. Must be 'auto', 'webcodecs', or 'mjpeg'", "Default streaming mode for new cameras (auto, webcodecs, mjpeg)")

    // MARK: Logs

    package static let logMaxSizeMB = Setting<Int>("log_max_size_mb", 1...10_000, default: 50, "Maximum size of a log file before rotation (MB)")
    package static let logBackupCount = Setting<Int>("log_backup_count", 0...1000, default: 5, "Number of rotated log files to keep")
    package static let logRotationCheckMinutes = Setting<Int>(
        "log_rotation_check_minutes", 1...10_080, default: 60, "How often to check for log rotation (minutes)")

    package static let auditRetentionDays = Setting<Int>(
        "audit_retention_days", 1...36_500, default: 90, "Days after which entries of the audit trail are deleted")

    // MARK: Live view and analysis

    package static let optLiveViewFPSThrottle = Setting<Int>(
        "opt_live_view_fps_throttle", 1...1000, default: 2, refusal: "Throttle must be between 1 and 1000",
        "Process every Nth frame for Live View (higher = less CPU)")
    package static let optMotionFPSThrottle = Setting<Int>(
        "opt_motion_fps_throttle", 1...1000, default: 3, refusal: "Throttle must be between 1 and 1000",
        "Process every Nth frame for Motion Detection (higher = less CPU)")
    package static let optLiveViewHeightLimit = Setting<Int>(
        "opt_live_view_height_limit", 144...16_384, default: 720, refusal: "Height limit must be between 144 and 16384",
        "Max height for live stream (downscales if larger)")
    package static let optMotionAnalysisHeight = Setting<Int>(
        "opt_motion_analysis_height", 64...4320, default: 180, refusal: "Motion analysis height must be between 64 and 4320",
        "Height for motion analysis resizing (smaller = faster)")
    package static let optLiveViewQuality = Setting<Int>(
        "opt_live_view_quality", 1...100, default: 60, refusal: "Quality must be between 1 and 100", "JPEG Quality for live stream (1-100)")
    package static let optSnapshotQuality = Setting<Int>(
        "opt_snapshot_quality", 1...100, default: 90, refusal: "Quality must be between 1 and 100", "JPEG Quality for snapshots (1-100)")
    package static let optFfmpegPreset = Setting<String>(
        "opt_ffmpeg_preset", .choice(["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]),
        default: "ultrafast", "FFmpeg preset for transcoding (ultrafast, superfast, veryfast, faster, fast, medium)")
    package static let optVerboseEngineLogs = Setting<Bool>(
        "opt_verbose_engine_logs", default: false, "Enable verbose logs from PyAV/FFmpeg in the engine")

    // MARK: Backups

    package static let backupAutoEnabled = Setting<Bool>(
        "backup_auto_enabled", default: false, "Enable automatic configuration backups to the folder backups of the data directory")
    package static let backupAutoFrequencyHours = Setting<Int>(
        "backup_auto_frequency_hours", 1...8760, default: 24, "Frequency in hours for automatic backups")
    package static let backupAutoRetention = Setting<Int>(
        "backup_auto_retention", 1...1000, default: 7, "Number of backup files to retain in the folder")

    // MARK: MQTT

    package static let mqttEnabled = Setting<Bool>("mqtt_enabled", default: false, "Enable internal MQTT Service for Home Assistant integration")
    package static let mqttHost = Setting<String>("mqtt_host", .text(253), "MQTT Broker Host (e.g. 192.168.1.50)")
    package static let mqttPort = Setting<Int>(
        "mqtt_port", 1...65_535, default: 1883, refusal: "Port must be between 1 and 65535", "MQTT Broker Port (default 1883)")
    package static let mqttUsername = Setting<String>("mqtt_username", .text(256), "MQTT Username (optional)")
    package static let mqttPassword = Setting<String>("mqtt_password", .text(1024), secret: true, "MQTT Password (optional)")
    package static let mqttTopicPrefix = Setting<String>("mqtt_topic_prefix", .text(256), default: "vibenvr", "MQTT Topic Prefix (default: vibenvr)")

    // MARK: Single sign-on

    package static let oauthGlobalEnabled = Setting<Bool>("oauth_global_enabled", default: false, "Enable global OAuth/SSO login")
    package static let oauthAutoRedirect = Setting<Bool>(
        "oauth_auto_redirect", default: false, "Bypass local login page and redirect to OAuth provider")
    package static let oauthProviderName = Setting<String>(
        "oauth_provider_name", .text(100), default: "Authentik", "Name of the OAuth provider (e.g. Authentik)")
    package static let oauthClientID = Setting<String>("oauth_client_id", .text(512), "OAuth Client ID")
    package static let oauthClientSecret = Setting<String>("oauth_client_secret", .text(1024), secret: true, "OAuth Client Secret")
    package static let oauthMetadataURL = Setting<String>(
        "oauth_metadata_url", .url(schemes: ["http", "https"]), "OAuth OpenID Connect Metadata URL (.well-known/openid-configuration)")

    // MARK: All

    /// All of them, in the order of answers.
    package static let all: [SettingKey] = [
        aiEnabled.key, maxGlobalStorageGB.key, cleanupEnabled.key, archivalEnabled.key, archivalIntervalHours.key, cleanupIntervalHours.key,
        retentionEventDays.key, retentionLabelledDays.key, retentionMinimumDays.key, retentionMaxSharePercent.key, storageFloorGB.key,
        smtpServer.key, smtpPort.key, smtpUsername.key, smtpPassword.key, smtpFromEmail.key, smtpVerifyCert.key, telegramBotToken.key,
        telegramChatID.key, telegramProxyEnabled.key, telegramProxyURL.key, telegramProxyRetries.key, telegramProxyRetryDelay.key,
        notifyEmailRecipient.key, notifyWebhookURL.key, notifyWebhookSecret.key, defaultLandingPage.key, aiModel.key, aiHardware.key,
        go2rtcEnabled.key, logMaxSizeMB.key,
        logBackupCount.key, logRotationCheckMinutes.key, auditRetentionDays.key, optLiveViewFPSThrottle.key, optMotionFPSThrottle.key,
        optLiveViewHeightLimit.key,
        optMotionAnalysisHeight.key, optLiveViewQuality.key, optSnapshotQuality.key, optFfmpegPreset.key, optVerboseEngineLogs.key,
        telemetryEnabled.key, instanceID.key, defaultLiveViewMode.key, backupAutoEnabled.key, backupAutoFrequencyHours.key, backupAutoRetention.key,
        mqttEnabled.key, mqttHost.key, mqttPort.key, mqttUsername.key, mqttPassword.key, mqttTopicPrefix.key, oauthGlobalEnabled.key,
        oauthAutoRedirect.key, oauthProviderName.key, oauthClientID.key, oauthClientSecret.key, oauthMetadataURL.key,
        archivalMaxMBPerSecond.key,
    ]

    /// Kept, backed up and answered, since clients and backups of the reference have them, but nothing in this server acts on them: what they
    /// are about does not exist here, or is decided by measuring or by each camera.
    package static let idle: Set<String> = Set(
        [
            aiEnabled.key, aiModel.key, aiHardware.key, go2rtcEnabled.key, smtpServer.key, smtpPort.key, smtpUsername.key, smtpPassword.key,
            smtpFromEmail.key, smtpVerifyCert.key, telegramBotToken.key, telegramChatID.key, telegramProxyEnabled.key, telegramProxyURL.key,
            telegramProxyRetries.key, telegramProxyRetryDelay.key, notifyEmailRecipient.key, logRotationCheckMinutes.key,
            optLiveViewFPSThrottle.key, optMotionFPSThrottle.key, optMotionAnalysisHeight.key, optSnapshotQuality.key, optFfmpegPreset.key,
            optVerboseEngineLogs.key, mqttEnabled.key, mqttHost.key, mqttPort.key, mqttUsername.key, mqttPassword.key, mqttTopicPrefix.key,
            oauthGlobalEnabled.key, oauthAutoRedirect.key, oauthProviderName.key, oauthClientID.key, oauthClientSecret.key, oauthMetadataURL.key,
        ].map(\.name))

    private static let byName: [String: SettingKey] = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    /// The setting of a name.
    package static func named(_ name: String) -> SettingKey? { byName[name] }
}
