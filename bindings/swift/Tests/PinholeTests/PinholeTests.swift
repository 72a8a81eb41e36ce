import Foundation
import XCTest

import Pinhole

final class PinholeTests: XCTestCase {
    /// The repository, four folders above this file.
    private static let root = (0..<5).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
        url.deletingLastPathComponent()
    }

    private func read(_ path: String) throws -> Data {
        try Data(contentsOf: Self.root.appendingPathComponent(path))
    }

    /// FNV-1a, 64 bits.
    private func hash(_ bytes: Data) -> String {
        let hash = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    func testFrozenFilesGiveTheirHashes() throws {
        let decoder = try PinholeDecoder(model: PinholeModel(bundle: read("tests/conformance/toy.pinm")))
        let list = String(decoding: try read("tests/conformance/frozen.txt"), as: UTF8.self)
        let lines = list.split(separator: "\n").filter { !$0.hasPrefix("#") }
        XCTAssertFalse(lines.isEmpty)
        for line in lines {
            let fields = line.split(separator: " ")
            let file = try read("tests/conformance/frozen/\(fields[0])")
            XCTAssertEqual(hash(try decoder.decode(file).pixels), String(fields[1]), String(fields[0]))
        }
    }

    func testBandsGiveTheSameFile() throws {
        let model = try PinholeModel.embedded()
        let (width, height) = (120, 90)
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        for i in pixels.indices {
            pixels[i] = UInt8(truncatingIfNeeded: i * 7 / 3)
        }
        let records = PinholeRecords(exif: Data([77, 77, 0, 42]), xmp: Data())
        let options = PinholeEncoder.Options(quality: 60, records: records)
        var parts = Data()
        let whole: Data = try pixels.withUnsafeBytes { bytes in
            func rows(_ rows: Range<Int>) throws -> PinholePicture {
                let part = UnsafeRawBufferPointer(rebasing: bytes[rows.lowerBound * width * 3..<rows.upperBound * width * 3])
                let plane = PinholePlaneBytes(reading: part, stride: width * 3)
                return try PinholePicture(width: width, height: rows.count, format: .rgb8, planes: [plane])
            }
            let stream = try PinholeStreamEncoder(
                model: model, width: width, height: height, format: .rgb8, options: options
            ) { parts.append($0) }
            try stream.push(rows(0..<33))
            XCTAssertThrowsError(try stream.finish())
            try stream.push(rows(33..<height))
            try stream.finish()
            return try PinholeEncoder(model: model).encode(rows(0..<height), options: options)
        }
        XCTAssertEqual(parts, whole)
        XCTAssertEqual(try PinholeRecords(of: whole), records)
        let info = try PinholeStreamInfo(of: whole)
        XCTAssertEqual([info.width, info.height], [width, height])
        XCTAssertEqual(info.latentSpace, try model.latentSpace())

        let decoder = try PinholeDecoder(model: model)
        let decoded = try decoder.decode(whole)
        var buffer = [UInt8](repeating: 0, count: try PinholeFormat.rgba8.bufferLength(width: width, height: height))
        try buffer.withUnsafeMutableBytes { bytes in
            let plane = PinholePlaneBytes(bytes, stride: width * 4)
            try decoder.decode(
                whole, into: PinholePicture(width: width, height: height, format: .rgba8, planes: [plane]))
        }
        XCTAssertEqual(buffer[5], decoded.pixels[4])
        XCTAssertEqual(buffer[7], 255)
    }

    func testErrorsHaveCodes() throws {
        XCTAssertThrowsError(try PinholeModel(bundle: Data())) { error in
            XCTAssertEqual((error as? PinholeFailure)?.code, .badModel)
        }
        let decoder = try PinholeDecoder(model: PinholeModel.embedded())
        for (bytes, code) in [("GIF89a", PinholeFailure.Code.notAStream), ("", .truncated)] {
            XCTAssertThrowsError(try decoder.decode(Data(bytes.utf8))) { error in
                XCTAssertEqual((error as? PinholeFailure)?.code, code)
            }
        }
    }
}
