import CPinhole
import Foundation

/// ICC profile, Exif and XMP that a file carries.
public struct PinholeRecords: Equatable, Sendable {
    /// An ICC colour profile.
    public var icc: Data?
    /// Exif, from its TIFF header on.
    public var exif: Data?
    /// An XMP packet in UTF-8.
    public var xmp: Data?

    /// None, or some.
    public init(icc: Data? = nil, exif: Data? = nil, xmp: Data? = nil) {
        self.icc = icc
        self.exif = exif
        self.xmp = xmp
    }

    /// Reads what a file carries; its bytes up to the first chunk suffice. Throws if header or records are damaged.
    public init(of file: Data) throws {
        self.init(
            icc: try Self.record(1, of: file), exif: try Self.record(2, of: file), xmp: try Self.record(3, of: file))
    }

    private static func record(_ kind: UInt32, of file: Data) throws -> Data? {
        try file.withBytes { bytes, count in
            var record: UnsafePointer<UInt8>?
            var length = 0
            try check { pinhole_metadata(bytes, count, kind, &record, &length, $0) }
            return record.map { Data(bytes: $0, count: length) }
        }
    }

    /// Kinds and data of those that are there.
    fileprivate var list: [(UInt32, Data)] {
        [(1, icc), (2, exif), (3, xmp)].compactMap { kind, data in data.map { (UInt32(kind), $0) } }
    }
}

/// How much work encoding may be. A model need not have what each takes. Any decoder decodes the streams of all.
public enum PinholeEffortLevel: UInt32, Sendable {
    /// What the model's figures are about.
    case standard = 0
    /// Least time, larger files.
    case fast = 1
    /// Most time, smaller files: what was coded is drawn, looked at, and coded again with what it lacks.
    case best = 2
}

/// What the bits of a stream are spent on. Any decoder decodes the streams of all.
public enum PinholeTuneKind: UInt32, Sendable {
    /// What eyes see: fewer bits where more is going on. What the model's figures are about.
    case perceptual = 0
    /// The least squared error.
    case psnr = 1
}

/// Which of the model's synthesis transforms draws the picture.
public enum PinholeSynthesisKind: UInt32, Sendable {
    /// What the model's figures are about.
    case standard = 0
    /// A smaller one, for less time.
    case lite = 1
}

extension PinholeEncoder {
    /// How to encode.
    public struct Options: Sendable {
        /// 0 (smallest) to 100 (best), in steps of a hundredth.
        public var quality: Float
        /// The most bytes of the whole file, which then gets the best quality within them. Not for streams of rows.
        public var targetBytes: UInt64?
        /// Picture rows of a chunk, a multiple of 64; nil for the codec's choice.
        public var chunkRows: UInt32?
        /// What to carry.
        public var records: PinholeRecords
        /// Which analysis transform; the model must have it.
        public var effort: PinholeEffortLevel
        /// What to spend the bits on.
        public var tune: PinholeTuneKind

        /// Quality 50, no target, the codec's choice of chunks, no records, the default effort, for eyes, unless said
        /// otherwise.
        public init(
            quality: Float = 50, targetBytes: UInt64? = nil, chunkRows: UInt32? = nil,
            records: PinholeRecords = PinholeRecords(), effort: PinholeEffortLevel = .standard,
            tune: PinholeTuneKind = .perceptual
        ) {
            self.quality = quality
            self.targetBytes = targetBytes
            self.chunkRows = chunkRows
            self.records = records
            self.effort = effort
            self.tune = tune
        }

        /// Calls a C function with the C struct, whose pointers live as long as the call.
        func withC<T>(_ work: (UnsafePointer<CPinhole.PinholeEncodeOptions>) throws -> T) throws -> T {
            var options = CPinhole.PinholeEncodeOptions()
            try check {
                pinhole_encode_options_init(&options, MemoryLayout<CPinhole.PinholeEncodeOptions>.size, $0)
            }
            options.quality = quality
            options.target_bytes = targetBytes ?? 0
            options.effort = effort.rawValue
            options.tune = tune.rawValue
            if let rows = chunkRows {
                options.chunk_rows = rows
            }
            return try withRecords(records.list[...], []) { metadata in
                try metadata.withUnsafeBufferPointer { metadata in
                    options.metadata = metadata.isEmpty ? nil : metadata.baseAddress
                    options.metadata_count = metadata.count
                    return try work(&options)
                }
            }
        }

        /// Nests one borrow of bytes for each record.
        private func withRecords<T>(
            _ rest: ArraySlice<(UInt32, Data)>, _ done: [PinholeMetadata],
            _ work: ([PinholeMetadata]) throws -> T
        ) throws -> T {
            guard let (kind, data) = rest.first else {
                return try work(done)
            }
            return try data.withBytes { bytes, count in
                let record = PinholeMetadata(kind: kind, data: bytes, len: count)
                return try withRecords(rest.dropFirst(), done + [record], work)
            }
        }
    }
}

extension PinholeDecoder {
    /// How to decode.
    public struct Options: Sendable {
        /// Decode what is left of a damaged file and fill in the rest, instead of failing.
        public var conceal: Bool
        /// 1, 2, 4 or 8: the picture's sides are the file's divided by it, rounded up.
        public var scale: UInt32
        /// Refuse pictures of more pixels. Decoding takes up to about 12 bytes a pixel.
        public var maxPixels: UInt64
        /// Which synthesis transform; the model must have it.
        public var decoder: PinholeSynthesisKind

        /// No concealment, at most 2^27 pixels, the standard synthesis, unless said otherwise.
        public init(
            conceal: Bool = false, scale: UInt32 = 1, maxPixels: UInt64 = 1 << 27,
            decoder: PinholeSynthesisKind = .standard
        ) {
            self.conceal = conceal
            self.scale = scale
            self.maxPixels = maxPixels
            self.decoder = decoder
        }

        func c() throws -> CPinhole.PinholeDecodeOptions {
            var options = CPinhole.PinholeDecodeOptions()
            try check {
                pinhole_decode_options_init(&options, MemoryLayout<CPinhole.PinholeDecodeOptions>.size, $0)
            }
            options.conceal = conceal ? 1 : 0
            options.scale = scale
            options.max_pixels = maxPixels
            options.decoder = decoder.rawValue
            return options
        }
    }
}
