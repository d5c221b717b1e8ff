// swift-tools-version:6.2
import PackageDescription

// A package of its own, so that neither builds nor tests of the program drag it along.
let package = Package(
    name: "benchmarks",
    dependencies: [.package(name: "logstore", path: "..")],
    targets: [
        .executableTarget(name: "generate"),
        .executableTarget(
            name: "micro",
            dependencies: [
                .product(name: "Disk", package: "logstore"),
                .product(name: "Compression", package: "logstore"),
                .product(name: "Columnar", package: "logstore"),
                .product(name: "Ingest", package: "logstore"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
