import CPinhole

/// How samples lie in memory.
public struct PinholeFormat: Equatable, Sendable {
    /// The C library's number, with its additions.
    let code: UInt32

    /// One byte a pixel.
    public static let gray8 = PinholeFormat(code: 1)
    /// Grey and alpha.
    public static let grayA8 = PinholeFormat(code: 2)
    /// Red, green, blue.
    public static let rgb8 = PinholeFormat(code: 4)
    /// Red, green, blue, alpha, not premultiplied.
    public static let rgba8 = PinholeFormat(code: 5)
    /// Blue, green, red, alpha, not premultiplied: `kCVPixelFormatType_32BGRA`.
    public static let bgra8 = PinholeFormat(code: 6)

    /// Deep grey: two bytes a pixel, the lower one first, of which the lowest `bits` (8 to 16) count.
    public static func gray16(bits: UInt8) -> PinholeFormat {
        PinholeFormat(code: 3 | UInt32(bits) << 16)
    }

    /// Luma weights of 4:2:0 formats.
    public enum Matrix: UInt32, Sendable {
        case bt601 = 0
        case bt709 = 256
    }

    /// Range of the samples of 4:2:0 formats.
    public enum Range: UInt32, Sendable {
        /// Luma 0 to 255.
        case full = 0
        /// Luma 16 to 235, chroma 16 to 240: "video range".
        case limited = 512
    }

    /// Two planes: luma; Cb and Cr in turns, at half width and height (rounded up).
    public static func nv12(_ matrix: Matrix = .bt601, _ range: Range = .full) -> PinholeFormat {
        PinholeFormat(code: 7 | matrix.rawValue | range.rawValue)
    }

    /// Two planes: luma; Cr and Cb in turns.
    public static func nv21(_ matrix: Matrix = .bt601, _ range: Range = .full) -> PinholeFormat {
        PinholeFormat(code: 8 | matrix.rawValue | range.rawValue)
    }

    /// Three planes: luma; Cb; Cr.
    public static func i420(_ matrix: Matrix = .bt601, _ range: Range = .full) -> PinholeFormat {
        PinholeFormat(code: 9 | matrix.rawValue | range.rawValue)
    }

    /// Bytes of a picture without gaps between rows and planes. Throws `invalidArgument` unless both sides are 1 to
    /// 65535.
    public func bufferLength(width: Int, height: Int) throws -> Int {
        var length = 0
        let (w, h) = (try side(width), try side(height))
        try check { pinhole_buffer_len(code, w, h, &length, $0) }
        return length
    }
}

/// One plane in the caller's memory: row y starts `y * stride` bytes behind the first; the last row needs no gap
/// behind it.
public struct PinholePlaneBytes {
    /// The rows.
    public var bytes: UnsafeMutableRawBufferPointer
    /// Bytes from the start of a row to that of the next.
    public var stride: Int

    /// A plane to be read or written.
    public init(_ bytes: UnsafeMutableRawBufferPointer, stride: Int) {
        self.bytes = bytes
        self.stride = stride
    }

    /// A plane that is only read: not to be decoded into.
    public init(reading bytes: UnsafeRawBufferPointer, stride: Int) {
        self.init(UnsafeMutableRawBufferPointer(mutating: bytes), stride: stride)
    }
}

/// A picture in the caller's memory, which must stay until the call it is given to returns. Sizes are checked by that
/// call.
public struct PinholePicture {
    let format: PinholeFormat
    let width: UInt32
    let height: UInt32
    let planes: [PinholePlaneBytes]

    /// A picture of `width` by `height` pixels in as many planes as the format has. Throws `invalidArgument` for a
    /// side or stride that no picture can have, or more than three planes.
    public init(width: Int, height: Int, format: PinholeFormat, planes: [PinholePlaneBytes]) throws {
        guard (1...3).contains(planes.count), planes.allSatisfy({ $0.stride > 0 }) else {
            throw PinholeFailure(.invalidArgument, "one to three planes with positive strides are needed")
        }
        self.format = format
        self.width = try side(width)
        self.height = try side(height)
        self.planes = planes
    }

    /// The C struct to be read.
    func image() -> PinholeImage {
        var image = PinholeImage()
        image.size = MemoryLayout<PinholeImage>.size
        image.format = format.code
        image.width = width
        image.height = height
        let c = planes.map { plane in
            PinholePlane(
                data: UnsafePointer(plane.bytes.bindMemory(to: UInt8.self).baseAddress),
                stride: plane.stride, len: plane.bytes.count)
        }
        // Planes that are not there are null, which the library refuses where the format needs them.
        image.planes = (c[0], c.count > 1 ? c[1] : PinholePlane(), c.count > 2 ? c[2] : PinholePlane())
        return image
    }

    /// The C struct to be written.
    func imageToWrite() -> PinholeImageMut {
        var image = PinholeImageMut()
        image.size = MemoryLayout<PinholeImageMut>.size
        image.format = format.code
        image.width = width
        image.height = height
        let c = planes.map { plane in
            PinholePlaneMut(
                data: plane.bytes.bindMemory(to: UInt8.self).baseAddress,
                stride: plane.stride, len: plane.bytes.count)
        }
        image.planes = (c[0], c.count > 1 ? c[1] : PinholePlaneMut(), c.count > 2 ? c[2] : PinholePlaneMut())
        return image
    }
}

/// A side as C takes it. What fits is checked there.
func side(_ side: Int) throws -> UInt32 {
    guard let side = UInt32(exactly: side) else {
        throw PinholeFailure(.invalidArgument, "\(side) pixels: each side must be 1 to 65535")
    }
    return side
}
