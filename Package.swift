// swift-tools-version:6.2
import PackageDescription

/// Settings of every first-party target: Swift 6 mode, and imports that stay inside a target unless it says otherwise.
let houseSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

extension Target.Dependency {
    static let nioCore: Self = .product(name: "NIOCore", package: "swift-nio")
    static let nioPosix: Self = .product(name: "NIOPosix", package: "swift-nio")
    static let nioHTTP1: Self = .product(name: "NIOHTTP1", package: "swift-nio")
    static let nioWebSocket: Self = .product(name: "NIOWebSocket", package: "swift-nio")
    static let nioHTTPTypes: Self = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let nioHTTPTypesHTTP1: Self = .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
    static let nioSSL: Self = .product(name: "NIOSSL", package: "swift-nio-ssl")
    static let logging: Self = .product(name: "Logging", package: "swift-log")
    static let crypto: Self = .product(name: "Crypto", package: "swift-crypto")
    static let collections: Self = .product(name: "DequeModule", package: "swift-collections")
    static let lifecycle: Self = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let grdb: Self = .product(name: "GRDB", package: "GRDB.swift")
    static let hummingbird: Self = .product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore: Self = .product(name: "HummingbirdCore", package: "hummingbird")
    static let x509: Self = .product(name: "X509", package: "swift-certificates")
    static let httpTypes: Self = .product(name: "HTTPTypes", package: "swift-http-types")
    static let argumentParser: Self = .product(name: "ArgumentParser", package: "swift-argument-parser")
}

func room(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: houseSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: houseSettings)
}

let package = Package(
    name: "vibenvr",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "vibenvr", targets: ["vibenvr"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
    ],
    targets: [
        // C libraries of the system, each imported only by the wrapper of its name.
        .systemLibrary(name: "CFFmpeg", providers: [.apt(["libavformat-dev", "libavcodec-dev", "libswscale-dev", "libswresample-dev"])]),
        .systemLibrary(name: "CArgon2", providers: [.apt(["libargon2-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CFiles"),

        // The web interface, which WebUI/build.mjs makes before this is compiled.
        .target(name: "CWebUI"),

        // Layer 0: no first-party imports.
        room("NVRModel"),
        room("NVRBase", [.logging, .collections, .lifecycle]),
        room("RTSP", [.nioCore, .nioPosix, .nioSSL, .crypto, .logging, .collections]),
        room("ISOBMFF"),
        room("S3", [.nioCore, .nioPosix, .nioHTTP1, .nioSSL, .crypto]),
        room(
            "WebSocketUpgrade",
            [.hummingbirdCore, .httpTypes, .nioCore, .nioHTTP1, .nioWebSocket, .nioHTTPTypes, .nioHTTPTypesHTTP1, .logging]),
        room("Libav", ["CFFmpeg"]),
        room("Argon2", ["CArgon2"]),
        room("Zlib", ["CZlib"]),
        room("Files", ["CFiles"]),
        room("WebUI", ["CWebUI"]),

        // Layer 1: packets and rows.
        room("NVRMedia", ["NVRModel", "NVRBase", "RTSP", "ISOBMFF", "Libav", .nioCore, .nioPosix, .nioSSL, .logging, .collections]),
        room("NVRStore", ["NVRModel", "NVRBase", "Files", .grdb, .crypto, .logging]),

        // Layer 2.
        room("NVRRecording", ["NVRMedia", "NVRStore", "NVRModel", "NVRBase", "ISOBMFF", "Zlib", "Files", .crypto, .logging, .lifecycle]),
        room("NVRDetection", ["NVRMedia", "NVRModel", "NVRBase", .logging]),
        room("NVRAccounts", ["NVRStore", "NVRModel", "NVRBase", "Argon2", .crypto, .logging]),
        room("NVRBackup", ["NVRStore", "NVRModel", "NVRBase", "Argon2", .crypto, .logging, .lifecycle]),

        // Layer 3.
        room("NVRCameras", ["NVRMedia", "NVRRecording", "NVRDetection", "NVRStore", "NVRModel", "NVRBase", .logging, .lifecycle]),

        room("NVRImport", ["NVRRecording", "NVRMedia", "NVRBackup", "NVRStore", "NVRModel", "NVRBase", "Argon2", .logging]),

        room(
            "NVROffsite", ["NVRRecording", "NVRStore", "NVRModel", "NVRBase", "ISOBMFF", "S3", .nioCore, .logging, .lifecycle]),

        // Layer 4.
        room(
            "NVRWeb",
            [
                "NVRCameras", "NVRRecording", "NVRDetection", "NVRMedia", "NVRAccounts", "NVRBackup", "NVRStore", "NVRModel", "NVRBase", "Zlib",
                "NVROffsite", "WebUI", "WebSocketUpgrade", .hummingbird, .hummingbirdCore, .httpTypes, .nioCore, .nioPosix, .nioHTTP1, .nioHTTPTypes,
                .nioSSL,
                .logging,
                .lifecycle, .collections,
            ],
            resources: [.embedInCode("UI")]
        ),

        room(
            "NVRRestream",
            [
                "NVRCameras", "NVRMedia", "NVRAccounts", "NVRStore", "NVRModel", "NVRBase", "RTSP", .nioCore, .nioPosix, .logging, .lifecycle,
            ]),

        // Layer 5.
        .executableTarget(
            name: "vibenvr",
            dependencies: [
                "NVRWeb", "NVRRestream", "NVRCameras", "NVRRecording", "NVRDetection", "NVRMedia", "NVRAccounts", "NVRBackup", "NVRStore", "NVRModel",
                "NVRBase", "NVROffsite", "NVRImport", .argumentParser, .lifecycle, .logging, .nioCore, .nioPosix, .x509, .crypto,
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: houseSettings
        ),

        tests("NVRModelTests", ["NVRModel"]),
        tests("NVRBaseTests", ["NVRBase"]),
        tests("RTSPTests", ["RTSP", .nioCore, .nioPosix, .logging]),
        tests("ISOBMFFTests", ["ISOBMFF"]),
        tests("S3Tests", ["S3", .nioCore, .nioPosix, .nioHTTP1]),
        tests(
            "WebSocketUpgradeTests",
            [
                "WebSocketUpgrade", .nioCore, .nioHTTP1, .nioWebSocket, .httpTypes, .product(name: "NIOEmbedded", package: "swift-nio"),
            ]),
        tests("LibavTests", ["Libav"]),
        tests("ZlibTests", ["Zlib"]),
        tests("NVRMediaTests", ["NVRMedia", "NVRModel", "NVRBase", "ISOBMFF", "RTSP", .nioCore, .nioPosix, .logging]),
        tests("NVRStoreTests", ["NVRStore", "NVRModel", "NVRBase", .grdb]),
        tests("NVRRecordingTests", ["NVRRecording", "NVRMedia", "NVRStore", "NVRModel", "NVRBase", "ISOBMFF", "RTSP", "Zlib", .logging]),
        tests("NVRDetectionTests", ["NVRDetection", "NVRMedia", "NVRModel", "NVRBase"]),
        tests("NVRAccountsTests", ["NVRAccounts", "NVRStore", "NVRModel", "NVRBase", "Argon2", .crypto]),
        tests("NVRBackupTests", ["NVRBackup", "NVRStore", "NVRModel", "NVRBase", "Argon2", .logging]),
        tests("NVRImportTests", ["NVRImport", "NVRRecording", "NVRBackup", "NVRStore", "NVRModel", "NVRBase", "Argon2", .logging]),
        tests(
            "NVROffsiteTests",
            ["NVROffsite", "NVRRecording", "NVRStore", "NVRModel", "NVRBase", "ISOBMFF", "S3", .nioCore, .nioPosix, .nioHTTP1, .logging]),
        tests("NVRCamerasTests", ["NVRCameras", "NVRDetection", "NVRMedia", "RTSP", "NVRModel", "NVRBase", .nioCore, .nioPosix, .logging]),
        tests(
            "NVRWebTests",
            [
                "NVRWeb", "NVROffsite", "WebSocketUpgrade", "ISOBMFF", "Argon2", "NVRAccounts", "NVRBackup", "NVRStore", "NVRCameras", "NVRRecording",
                "NVRMedia",
                "NVRModel", "NVRBase", .hummingbird, .hummingbirdCore,
                .httpTypes, .nioCore, .nioPosix, .nioHTTPTypes, .product(name: "NIOEmbedded", package: "swift-nio"), .logging,
            ]),
        tests(
            "NVRRestreamTests",
            [
                "NVRRestream", "NVRMedia", "NVRAccounts", "NVRStore", "NVRModel", "NVRBase", "RTSP", "ISOBMFF", "Argon2", .nioCore, .nioPosix,
                .logging,
            ]),
        tests("HouseTests", []),
    ]
)
