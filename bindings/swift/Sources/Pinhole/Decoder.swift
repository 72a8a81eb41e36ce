import CPinhole
import Foundation

/// What the header of a file says.
public struct PinholeStreamInfo: Equatable, Sendable {
    /// Pixels of a row.
    public let width: Int
    /// Rows.
    public let height: Int
    /// What `PinholeDecoder.decode` gives: `gray8`, `grayA8`, `rgb8` or `rgba8`.
    public let format: PinholeFormat
    /// 0 to 100.
    public let quality: Float
    /// Picture rows of a chunk.
    public let chunkRows: Int
    /// Names the models that decode it; see `PinholeModel.latentSpace`.
    public let latentSpace: [UInt8]

    /// Reads a header; the first 32 bytes of a file suffice. A picture may have up to 65535 by 65535 pixels: check
    /// that before you allocate.
    public init(of file: Data) throws {
        var info = PinholeInfo()
        try file.withBytes { bytes, count in
            try check { pinhole_info(bytes, count, &info, MemoryLayout<PinholeInfo>.size, $0) }
        }
        width = Int(info.width)
        height = Int(info.height)
        format = PinholeFormat(code: info.format)
        quality = info.quality
        chunkRows = Int(info.chunk_rows)
        latentSpace = withUnsafeBytes(of: &info.latent_space) { Array($0) }
    }
}

/// A chunk that was damaged and has been concealed.
public struct PinholeLostChunk: Equatable, Sendable {
    /// The band of rows, from 0 at the top.
    public let band: Int
    /// Whether it held the band's transparency rather than its colours.
    public let alpha: Bool
}

/// Decodes files; keeps its buffers between them. Calls from several threads run one after the other: use one for each
/// thread to decode in parallel.
public final class PinholeDecoder: @unchecked Sendable {
    /// A decoded picture.
    public struct Decoded: Sendable {
        /// Pixels of a row.
        public let width: Int
        /// Rows.
        public let height: Int
        /// Order of the samples.
        public let format: PinholeFormat
        /// Rows without gaps.
        public let pixels: Data
        /// Chunks that were damaged; empty unless `Options.conceal` is set.
        public let lost: [PinholeLostChunk]
    }

    private let handle: OpaquePointer
    private let lock = NSLock()

    /// A decoder that uses up to `threads` threads of a pool that all encoders and decoders share. The pixels do not
    /// depend on it.
    public init(model: PinholeModel, threads: Int = 1) throws {
        handle = try make { pinhole_decoder_new(model.handle, max(threads, 1), $0, $1) }
    }

    deinit {
        pinhole_decoder_free(handle)
    }

    /// Decodes a whole file in its own format. Throws for anything but a whole, undamaged file of the model's latent
    /// space; with `Options.conceal` only for a damaged header, another latent space, or no intact chunk at all.
    public func decode(_ file: Data, options: Options = Options()) throws -> Decoded {
        var settings = try options.c()
        lock.lock()
        defer { lock.unlock() }
        let decoded = try file.withBytes { bytes, count in
            try make { pinhole_decode(handle, bytes, count, &settings, $0, $1) }
        }
        defer { pinhole_decoded_free(decoded) }
        var image = PinholeImage()
        try check { pinhole_decoded_image(decoded, &image, MemoryLayout<PinholeImage>.size, $0) }
        let plane = image.planes.0
        return Decoded(
            width: Int(image.width), height: Int(image.height), format: PinholeFormat(code: image.format),
            pixels: plane.data.map { Data(bytes: $0, count: plane.len) } ?? Data(), lost: try Self.lost(decoded))
    }

    /// Decodes a whole file into the caller's memory, in any format, with any strides; the size must be that of the
    /// file. The bytes between rows stay as they are. After an error about damage the samples are anything.
    @discardableResult
    public func decode(
        _ file: Data, into picture: PinholePicture, options: Options = Options()
    ) throws -> [PinholeLostChunk] {
        var settings = try options.c()
        var image = picture.imageToWrite()
        lock.lock()
        defer { lock.unlock() }
        let decoded = try file.withBytes { bytes, count in
            try make { pinhole_decode_into(handle, bytes, count, &settings, &image, $0, $1) }
        }
        defer { pinhole_decoded_free(decoded) }
        return try Self.lost(decoded)
    }

    private static func lost(_ decoded: OpaquePointer) throws -> [PinholeLostChunk] {
        try (0..<pinhole_decoded_damaged_count(decoded)).map { index in
            var kind: UInt32 = 0
            var band: UInt32 = 0
            try check { pinhole_decoded_damaged(decoded, index, &kind, &band, $0) }
            return PinholeLostChunk(band: Int(band), alpha: kind == 1)
        }
    }
}
