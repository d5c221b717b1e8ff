// swift-tools-version:6.2
import PackageDescription

// Cross-module optimisation lets small public readers inline into the query engine's loops: a generic called
// across modules without it is tens of times slower. The flag is "unsafe" only in that a package using it
// cannot be a dependency of another; this one is a program.
let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

let package = Package(
    name: "logstore",
    products: [
        .executable(name: "logstore", targets: ["logstore"]),
        .library(name: "Disk", targets: ["Disk"]),
        .library(name: "Compression", targets: ["Compression"]),
        .library(name: "LogStore", targets: ["LogStore"]),
        .library(name: "Columnar", targets: ["Columnar"]),
        .library(name: "QueryEngine", targets: ["QueryEngine"]),
        .library(name: "Ingest", targets: ["Ingest"]),
        .library(name: "KafkaProtocol", targets: ["KafkaProtocol"]),
        .library(name: "KafkaBroker", targets: ["KafkaBroker"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.34.1"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        // Libraries of the system, linked statically.
        .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CLZ4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CSnappy", providers: [.apt(["libsnappy-dev"])]),
        .systemLibrary(name: "CNettle", providers: [.apt(["nettle-dev"])]),
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O2"])]),
        .target(
            name: "CRE2",
            cxxSettings: [.unsafeFlags(["-O2"])],
            // Linked statically, a library must come before those it needs, and SwiftPM names each once, in an order
            // of its own: hence the group.
            linkerSettings: [
                .unsafeFlags([
                    "-Xlinker", "--start-group", "-lre2", "-lsnappy", "-lstdc++", "-Xlinker", "--end-group",
                ])
            ]
        ),

        // The layers; dependencies point down only.
        .target(name: "Disk", dependencies: ["CKernels"], swiftSettings: swiftSettings),
        .target(
            name: "Compression", dependencies: ["CZstd", "CLZ4", "CZlib", "CSnappy"], swiftSettings: swiftSettings,
            linkerSettings: [.linkedLibrary("stdc++")]
        ),
        .target(name: "LogStore", dependencies: ["Disk", "Compression"], swiftSettings: swiftSettings),
        .target(name: "Columnar", dependencies: ["Disk", "Compression"], swiftSettings: swiftSettings),
        .target(
            name: "QueryEngine", dependencies: ["Columnar", "Disk", "CRE2", "CKernels"], swiftSettings: swiftSettings),
        .target(name: "Ingest", dependencies: ["LogStore", "Columnar", "Disk"], swiftSettings: swiftSettings),
        .target(name: "KafkaProtocol", dependencies: ["Disk"], swiftSettings: swiftSettings),
        .target(
            name: "KafkaBroker", dependencies: ["KafkaProtocol", "LogStore", "Disk", "CNettle"],
            swiftSettings: swiftSettings),
        .target(
            name: "Server",
            dependencies: [
                "KafkaBroker", "KafkaProtocol", "QueryEngine", "Ingest", "LogStore", "Columnar", "Compression", "Disk",
                "CKernels",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "logstore",
            dependencies: [
                "Server", "QueryEngine", "Ingest", "Columnar", "LogStore", "Compression", "Disk", "CKernels",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),

        // Tests mirror the sources.
        .target(name: "TestSupport", dependencies: ["Disk"], path: "Tests/TestSupport"),
        .testTarget(name: "DiskTests", dependencies: ["Disk", "TestSupport"]),
        .testTarget(name: "CompressionTests", dependencies: ["Compression"]),
        .testTarget(name: "LogStoreTests", dependencies: ["LogStore", "Disk", "Compression", "TestSupport"]),
        .testTarget(name: "ColumnarTests", dependencies: ["Columnar", "Disk", "TestSupport"]),
        .testTarget(
            name: "QueryEngineTests", dependencies: ["QueryEngine", "Columnar", "Disk", "TestSupport"],
            exclude: ["Expressions"]),
        .testTarget(name: "IngestTests", dependencies: ["Ingest", "LogStore", "Columnar", "Disk", "TestSupport"]),
        .testTarget(name: "KafkaProtocolTests", dependencies: ["KafkaProtocol", "Disk", "TestSupport"]),
        .testTarget(
            name: "KafkaBrokerTests", dependencies: ["KafkaBroker", "KafkaProtocol", "LogStore", "Disk", "TestSupport"]),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "Ingest", "QueryEngine", "Columnar", "LogStore", "Disk", "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        .testTarget(name: "TidyTests"),
        .testTarget(name: "EndToEndTests"),
    ],
    swiftLanguageModes: [.v6]
)
