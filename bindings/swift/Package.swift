// swift-tools-version:5.7
import PackageDescription

let package = Package(
    name: "Pinhole",
    platforms: [.iOS(.v13), .macOS(.v11)],
    products: [
        .library(name: "Pinhole", targets: ["Pinhole"])
    ],
    targets: [
        // The C library, found through pkg-config. Apps take an XCFramework of that name instead: README.md.
        .systemLibrary(name: "CPinhole", pkgConfig: "pinhole"),
        .target(name: "Pinhole", dependencies: ["CPinhole"]),
        .testTarget(name: "PinholeTests", dependencies: ["Pinhole"]),
    ]
)
