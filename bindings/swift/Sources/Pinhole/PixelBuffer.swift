#if canImport(CoreVideo)
import CoreVideo
import Foundation

/// Pixel buffers of cameras and displays, used in place.
extension PinholePicture {
    /// Calls `work` with the picture in a locked pixel buffer: `420YpCbCr8BiPlanarFullRange` and `...VideoRange`
    /// (NV12), `32BGRA`, or `OneComponent8`. The picture must not leave `work`. The matrix of NV12 is the one attached
    /// to the buffer, BT.601 if there is none. Throws `invalidArgument` for other formats.
    public static func with<T>(
        _ buffer: CVPixelBuffer, readOnly: Bool = true, _ work: (PinholePicture) throws -> T
    ) throws -> T {
        let flags: CVPixelBufferLockFlags = readOnly ? .readOnly : []
        guard CVPixelBufferLockBaseAddress(buffer, flags) == kCVReturnSuccess else {
            throw PinholeFailure(.invalidArgument, "the pixel buffer cannot be locked")
        }
        defer { CVPixelBufferUnlockBaseAddress(buffer, flags) }
        let format = try kind(of: buffer)
        let planes = try memory(of: buffer)
        let (width, height) = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer))
        return try work(PinholePicture(width: width, height: height, format: format, planes: planes))
    }

    private static func kind(of buffer: CVPixelBuffer) throws -> PinholeFormat {
        switch CVPixelBufferGetPixelFormatType(buffer) {
        case kCVPixelFormatType_420YpCbCr8BiPlanarFullRange:
            return .nv12(matrix(of: buffer), .full)
        case kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange:
            return .nv12(matrix(of: buffer), .limited)
        case kCVPixelFormatType_32BGRA:
            return .bgra8
        case kCVPixelFormatType_OneComponent8:
            return .gray8
        case let other:
            throw PinholeFailure(.invalidArgument, "pixel buffers of type \(other) are not supported")
        }
    }

    private static func matrix(of buffer: CVPixelBuffer) -> PinholeFormat.Matrix {
        guard #available(macOS 12, iOS 15, tvOS 15, watchOS 8, *) else { return .bt601 }
        let attached = CVBufferCopyAttachment(buffer, kCVImageBufferYCbCrMatrixKey, nil)
        guard let name = attached as? String else { return .bt601 }
        return name == (kCVImageBufferYCbCrMatrix_ITU_R_709_2 as String) ? .bt709 : .bt601
    }

    private static func memory(of buffer: CVPixelBuffer) throws -> [PinholePlaneBytes] {
        func plane(_ start: UnsafeMutableRawPointer?, stride: Int, rows: Int) throws -> PinholePlaneBytes {
            guard let start = start else {
                throw PinholeFailure(.invalidArgument, "the pixel buffer has no memory that can be read")
            }
            return PinholePlaneBytes(.init(start: start, count: stride * rows), stride: stride)
        }
        guard CVPixelBufferIsPlanar(buffer) else {
            let rows = CVPixelBufferGetHeight(buffer)
            let stride = CVPixelBufferGetBytesPerRow(buffer)
            return [try plane(CVPixelBufferGetBaseAddress(buffer), stride: stride, rows: rows)]
        }
        return try (0..<CVPixelBufferGetPlaneCount(buffer)).map { index in
            try plane(
                CVPixelBufferGetBaseAddressOfPlane(buffer, index),
                stride: CVPixelBufferGetBytesPerRowOfPlane(buffer, index),
                rows: CVPixelBufferGetHeightOfPlane(buffer, index))
        }
    }
}

extension PinholeEncoder {
    /// Encodes a pixel buffer, such as a camera's frame, in place.
    public func encode(_ buffer: CVPixelBuffer, options: Options = Options()) throws -> Data {
        try PinholePicture.with(buffer) { try encode($0, options: options) }
    }
}

extension PinholeDecoder {
    /// Decodes into a pixel buffer of the file's size.
    @discardableResult
    public func decode(
        _ file: Data, into buffer: CVPixelBuffer, options: Options = Options()
    ) throws -> [PinholeLostChunk] {
        try PinholePicture.with(buffer, readOnly: false) { try decode(file, into: $0, options: options) }
    }
}
#endif
