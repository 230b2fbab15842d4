/// A camera as its owner set it up: what to connect to, what to record, when and how. What it does right now is `CameraHealth`.
///
/// Names, types, limits and defaults of the API are declared once, in `CameraField.all`; the defaults are the initial values here.
package struct Camera: Sendable, Hashable {
    package var id: ID<Camera>
    package var createdAt: WallTime
    /// Place in lists, smallest first.
    package var sortOrder = 0
    package static let largestSortOrder = 1_000_000
    package var general = General()
    package var streams = Streams()
    package var onvif = ONVIF()
    package var recording = Recording()
    package var pictures = Pictures()
    package var detection = Detection()
    package var overlay = Overlay()
    package var alerts = Alerts()
    package var schedule = Schedule()
    package var storage = Storage()
    package var ai = AI()

    package init(id: ID<Camera>, createdAt: WallTime, name: String = "", url: String = "") {
        self.id = id
        self.createdAt = createdAt
        general.name = name
        streams.url = url
    }

    package struct General: Sendable, Hashable {
        package var name = ""
        package var location: String?
        package var isActive = true
        /// How browsers are asked to show it: auto, webcodecs, mjpeg.
        package var liveViewMode = "auto"
    }

    /// Where pictures and sound come from.
    package struct Streams: Sendable, Hashable {
        /// URL of the full stream, with credentials: never log it as it is.
        package var url = ""
        /// URL of the small stream for grids and detection.
        package var subURL: String?
        package var transport = StreamTransport.tcp
        package var subTransport = StreamTransport.tcp
        package var audioEnabled = false
        package var enableAudio = false
        package var width = 800
        package var height = 600
        /// True when width and height follow the stream.
        package var autoResolution = true
        /// Frames a second.
        package var framerate = 15
        /// Degrees clockwise: 0, 90, 180 or 270.
        package var rotation = 0
    }

    package struct ONVIF: Sendable, Hashable {
        package var host: String?
        package var port = 80
        package var username: String?
        /// A secret: never logged, and answered to administrators only.
        package var password: String?
        package var profileToken: String?
        package var manufacturer: String?
        package var model: String?
        package var firmware: String?
        package var serial: String?
        package var hardwareID: String?
        package var canPanTilt = true
        package var canZoom = true
        package var canHome = true
        package var canEvents = false
    }

    package struct Recording: Sendable, Hashable {
        package var mode = RecordingMode.motionTriggered
        /// The mode to go back to when a manual recording ends.
        package var previousMode: RecordingMode?
        /// File name below the camera's folder, with strftime specifiers and without the ending.
        package var fileName = "%Y-%m-%d/%H-%M-%S"
        /// 1…100, for recordings that are encoded.
        package var quality = 75
        /// True when the camera's own encoding is stored.
        package var passthrough = true
        /// Seconds after which a file is closed at the next keyframe.
        package var maxLength = 120
        package var audio = false
        /// Seconds kept from before motion.
        package var capturedBefore = 5
        /// Seconds kept after motion.
        package var capturedAfter = 10
        /// How long recordings are kept, as the API names it.
        package var preserve = "For One Week"
        /// Gigabytes; 0 = no limit.
        package var maxStorage = 0.0
    }

    package struct Pictures: Sendable, Hashable {
        package var fileName = "%Y-%m-%d/%H-%M-%S-%q"
        /// JPEG quality, 1…100.
        package var quality = 75
        package var mode = "Manual"
        package var preserve = "Forever"
        package var manualSnapshots = true
        /// Gigabytes; 0 = no limit.
        package var maxStorage = 0.0
    }

    package struct Detection: Sendable, Hashable {
        package var mode = "Always"
        package var engine = "OpenCV"
        /// Changed pixels of a 320×180 picture that count as motion.
        package var threshold = 1500
        package var despeckle = false
        /// Seconds without motion after which an event ends.
        package var motionGap = 10
        package var minMotionFrames = 2
        package var showFrameChanges = true
        package var autoThreshold = true
        package var autoNoise = true
        /// Percent of the picture whose sudden change is a light switched on; 0 = off.
        package var lightSwitch = 0
        package var maskEnabled = false
        package var createDebugMedia = false
        /// Areas that are blacked out in recordings.
        package var privacyMasks: [Mask] = []
        /// Areas in which motion does not count.
        package var motionMasks: [Mask] = []
    }

    /// Text drawn on pictures.
    package struct Overlay: Sendable, Hashable {
        package var left = "Camera Name"
        package var right = "%Y-%m-%d %H:%M:%S"
        package var scale = 1.0
    }

    /// Who hears of what. The URLs and tokens are secrets.
    package struct Alerts: Sendable, Hashable {
        package var webhookURL: String?
        package var telegramToken: String?
        package var telegramChatID: String?
        package var emailAddress: String?
        package var healthWebhookURL: String?
        package var healthTelegramToken: String?
        package var healthTelegramChatID: String?
        package var healthEmailRecipient: String?
        package var startEmail = false
        package var startTelegram = false
        package var startWebhook = false
        package var startCommand = false
        package var endWebhook = false
        package var endCommand = false
        package var healthEmail = false
        package var healthTelegram = false
        package var healthWebhook = false
        package var attachImageToEmail = true
    }

    /// When detection works, in the server's time zone.
    package struct Schedule: Sendable, Hashable {
        package var monday = Day()
        package var tuesday = Day()
        package var wednesday = Day()
        package var thursday = Day()
        package var friday = Day()
        package var saturday = Day()
        package var sunday = Day()

        package struct Day: Sendable, Hashable {
            package var isEnabled = true
            package var start = TimeOfDay(minutes: 0)
            /// The last minute that belongs to the range.
            package var end = TimeOfDay(minutes: 23 * 60 + 59)
        }
    }

    package struct Storage: Sendable, Hashable {
        package var profileID: Int?
        package var motionProfileID: Int?
        package var continuousProfileID: Int?
        package var snapshotProfileID: Int?
        package var archiveProfileID: Int?
        /// Hours after which recordings move to the archive profile.
        package var archiveAfterHours: Int?
    }

    package struct AI: Sendable, Hashable {
        package var isEnabled = false
        package var objectTypes = ["person", "vehicle"]
        /// 0…1.
        package var threshold = 0.5
        package var tracking = false
    }
}

/// When footage of a camera is kept. Raw values are those of the API.
package enum RecordingMode: String, Sendable, Hashable, Codable, CaseIterable {
    case off = "Off"
    case continuous = "Continuous"
    case motionTriggered = "Motion Triggered"
}

/// A minute of a day, written `HH:MM`.
package struct TimeOfDay: Sendable, Hashable, Comparable {
    /// 0…1439.
    package let minutes: Int

    package init(minutes: Int) { self.minutes = min(max(minutes, 0), 1439) }

    /// Nil unless the text is exactly `HH:MM` between 00:00 and 23:59.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return nil }
        var digits: [Int] = []
        for place in [0, 1, 3, 4] {
            guard bytes[place] >= UInt8(ascii: "0"), bytes[place] <= UInt8(ascii: "9") else { return nil }
            digits.append(Int(bytes[place] - UInt8(ascii: "0")))
        }
        let hour = digits[0] * 10 + digits[1]
        let minute = digits[2] * 10 + digits[3]
        guard hour < 24, minute < 60 else { return nil }
        minutes = hour * 60 + minute
    }

    package static func < (left: Self, right: Self) -> Bool { left.minutes < right.minutes }

    /// `HH:MM`.
    package var text: String {
        let hour = minutes / 60
        let minute = minutes % 60
        return (hour < 10 ? "0" : "") + String(hour) + ":" + (minute < 10 ? "0" : "") + String(minute)
    }
}
