import CPinhole
import Foundation

/// Encodes pictures; keeps its buffers between them. Calls from several threads run one after the other: use one for
/// each thread to encode in parallel.
public final class PinholeEncoder: @unchecked Sendable {
    private let handle: OpaquePointer
    private let lock = NSLock()

    /// An encoder that uses up to `threads` threads of a pool that all encoders and decoders share. The bytes do not
    /// depend on it.
    public init(model: PinholeModel, threads: Int = 1) throws {
        handle = try make { pinhole_encoder_new(model.handle, max(threads, 1), $0, $1) }
    }

    deinit {
        pinhole_encoder_free(handle)
    }

    /// Encodes a picture to a whole file. Throws for sizes and options out of range, planes that are too short, and a
    /// target that cannot be reached.
    public func encode(_ picture: PinholePicture, options: Options = Options()) throws -> Data {
        var image = picture.image()
        lock.lock()
        defer { lock.unlock() }
        let bytes = try options.withC { options in
            try make { pinhole_encode(handle, &image, options, $0, $1) }
        }
        defer { pinhole_bytes_free(bytes) }
        let count = pinhole_bytes_len(bytes)
        return pinhole_bytes_data(bytes).map { Data(bytes: $0, count: count) } ?? Data()
    }
}

/// Encodes a picture that arrives in bands of rows, in memory that does not grow with its height. The file is that of
/// `PinholeEncoder.encode`. Calls from several threads run one after the other.
public final class PinholeStreamEncoder: @unchecked Sendable {
    /// What the C callback finds behind its pointer.
    private final class Receiver {
        let receive: (Data) throws -> Void
        var thrown: Error?

        init(_ receive: @escaping (Data) throws -> Void) {
            self.receive = receive
        }
    }

    private let handle: OpaquePointer
    private let receiver: Receiver
    private let lock = NSLock()

    /// Starts a picture. `receive` gets the parts of the file in order, on the thread that pushes rows: header and
    /// records, then each chunk as soon as it is finished. If it throws, the picture is lost and `push` throws the
    /// same. It must not use this object.
    public init(
        model: PinholeModel, width: Int, height: Int, format: PinholeFormat,
        options: PinholeEncoder.Options = PinholeEncoder.Options(), receive: @escaping (Data) throws -> Void
    ) throws {
        let receiver = Receiver(receive)
        let user = Unmanaged.passUnretained(receiver).toOpaque()
        let (w, h) = (try side(width), try side(height))
        handle = try options.withC { options in
            try make {
                pinhole_stream_new(
                    model.handle, format.code, w, h, options,
                    { user, _, _, data, count in
                        guard let user = user, let data = data else { return 1 }
                        // This object keeps the receiver for longer than the stream lives.
                        let receiver = Unmanaged<Receiver>.fromOpaque(user).takeUnretainedValue()
                        do {
                            try receiver.receive(Data(bytes: data, count: count))
                            return 0
                        } catch {
                            receiver.thrown = error
                            return 1
                        }
                    }, user, $0, $1)
            }
        }
        self.receiver = receiver
    }

    deinit {
        pinhole_stream_free(handle)
    }

    /// Takes the next rows: a picture of the stream's width and format and of any height (even for 4:2:0, but for the
    /// last rows). After `wrongRows`, `invalidArgument` or `bufferTooSmall` nothing has changed.
    public func push(_ rows: PinholePicture) throws {
        var image = rows.image()
        lock.lock()
        defer { lock.unlock() }
        do {
            try check { pinhole_stream_push_rows(handle, &image, $0) }
        } catch {
            // What the receiver threw says more than that it wanted to stop.
            throw receiver.thrown ?? error
        }
    }

    /// Checks that the whole picture was pushed. After `missingRows` more rows may follow.
    public func finish() throws {
        lock.lock()
        defer { lock.unlock() }
        try check { pinhole_stream_finish(handle, $0) }
    }
}
