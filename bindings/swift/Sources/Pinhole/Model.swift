import CPinhole
import Foundation

/// A loaded model: the networks and tables that files are made with. It never changes, so any number of threads may
/// use it at once. Encoders and decoders keep what they need of it.
public final class PinholeModel: @unchecked Sendable {
    let handle: OpaquePointer

    private init(_ handle: OpaquePointer) {
        self.handle = handle
    }

    deinit {
        pinhole_model_free(handle)
    }

    /// The model inside the C library; it is loaded once, however often this is called. Throws `badModel` if the
    /// library was built without one.
    public static func embedded() throws -> PinholeModel {
        PinholeModel(try make { pinhole_model_embedded($0, $1) })
    }

    /// Loads a bundle (a `.pinm` file), which is copied.
    public convenience init(bundle: Data) throws {
        let handle = try bundle.withBytes { bytes, count in
            try make { pinhole_model_from_memory(bytes, count, $0, $1) }
        }
        self.init(handle)
    }

    /// The latent space, eight bytes. Files name the same.
    public func latentSpace() throws -> [UInt8] {
        var name = [UInt8](repeating: 0, count: 8)
        try name.withUnsafeMutableBufferPointer { bytes in
            try check { pinhole_model_latent_space(handle, bytes.baseAddress, $0) }
        }
        return name
    }
}

extension Data {
    /// The bytes and their number. The C library refuses null pointers, which empty data may have.
    func withBytes<T>(_ work: (UnsafePointer<UInt8>, Int) throws -> T) rethrows -> T {
        try withUnsafeBytes { (raw: UnsafeRawBufferPointer) in
            guard let start = raw.bindMemory(to: UInt8.self).baseAddress else {
                var nothing: UInt8 = 0
                return try work(&nothing, 0)
            }
            return try work(start, raw.count)
        }
    }
}
