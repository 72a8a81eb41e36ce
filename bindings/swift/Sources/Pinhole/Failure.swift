import CPinhole

/// Why a call failed, with the C library's words, which name the values at fault.
public struct PinholeFailure: Error, CustomStringConvertible {
    /// The C library's status codes; later versions may add some.
    public enum Code: Int32, Sendable {
        case nullArgument = 1
        /// A value is out of its range: format, dimensions, stride, quality, chunk rows, metadata.
        case invalidArgument = 2
        /// A plane is shorter than the picture needs.
        case bufferTooSmall = 3
        /// The object failed before and is of no more use.
        case broken = 5
        /// A file could not be read.
        case io = 6
        /// The model is damaged, incomplete for this use, or not in the library.
        case badModel = 7
        /// The file was made for another model.
        case wrongModel = 8
        /// The file ends early: more bytes may be on their way.
        case truncated = 9
        case damaged = 10
        case notAStream = 11
        /// The file is of a later version or of a kind that this library does not know.
        case unsupported = 12
        /// The picture has more pixels than the options allow.
        case tooManyPixels = 13
        /// No quality gives a file as small as asked for.
        case targetTooSmall = 14
        /// Rows of another width or format than the stream's, too many, or an odd number of 4:2:0 rows. Nothing has
        /// changed: other rows may follow.
        case wrongRows = 15
        /// The stream was finished before the picture's last row.
        case missingRows = 16
        /// A defect of the library, or a code that this version does not know.
        case `internal` = 18
    }

    /// What went wrong.
    public let code: Code
    /// English text.
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// Calls a C function with room for its message; throws unless it returns 0.
func check(_ call: (UnsafeMutablePointer<CPinhole.PinholeError>) -> Int32) throws {
    var error = CPinhole.PinholeError()
    let status = call(&error)
    if status == 0 {
        return
    }
    // The message ends with a zero byte, always.
    let text = withUnsafeBytes(of: &error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    throw PinholeFailure(PinholeFailure.Code(rawValue: status) ?? .internal, text)
}

/// As `check`, for functions that make a handle.
func make(
    _ call: (UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<CPinhole.PinholeError>) -> Int32
) throws -> OpaquePointer {
    var handle: OpaquePointer?
    try check { error in call(&handle, error) }
    guard let handle = handle else {
        throw PinholeFailure(.internal, "no handle and no error")
    }
    return handle
}
