package pinhole;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.ref.Reference;
import java.util.Objects;

/**
 * Encodes a picture that arrives in bands of rows, in memory that does not grow with its height. The file is that of
 * {@link Encoder#encode}, byte for byte. The work is done on the caller's thread; calls from several threads run one
 * after the other.
 *
 * <pre>{@code
 * try (var encoder = new StreamEncoder(model, width, height, PixelFormat.NV21, EncodeOptions.DEFAULT, out)) {
 *     while (camera.hasRows()) {
 *         encoder.push(camera.nextRows());
 *     }
 *     encoder.finish();
 * }
 * }</pre>
 */
public final class StreamEncoder extends Handle {
    /** Takes the parts of the file, in order. */
    @FunctionalInterface
    public interface Sink {
        /**
         * The next bytes: the header and metadata, then whole chunks. Called on the thread that pushes rows.
         *
         * @throws IOException to give up: the encoder can then only be closed
         */
        void accept(byte[] bytes) throws IOException;
    }

    private final Sink sink;
    private boolean lost;

    /**
     * Starts a picture.
     *
     * @throws PinholeException for sizes and options out of range, a target size, a model that cannot encode
     */
    public StreamEncoder(
            Model model, int width, int height, PixelFormat format, EncodeOptions options, Sink sink)
            throws PinholeException {
        super(create(model, format.describe(width, height, 0), options), Native::streamFree);
        this.sink = Objects.requireNonNull(sink);
    }

    /** As the other one, writing to a stream, which is neither flushed nor closed. */
    public StreamEncoder(
            Model model,
            int width,
            int height,
            PixelFormat format,
            EncodeOptions options,
            OutputStream out)
            throws PinholeException {
        this(model, width, height, format, options, (Sink) out::write);
    }

    private static long create(Model model, int[] layout, EncodeOptions options)
            throws PinholeException {
        try {
            return Native.streamNew(
                    model.number(),
                    layout,
                    options.quality(),
                    options.targetBytes(),
                    options.chunkRows(),
                    options.effort().ordinal(),
                    options.tune().ordinal(),
                    options.metadata().records());
        } finally {
            Reference.reachabilityFence(model);
        }
    }

    /**
     * Takes the next rows: a picture of the stream's width and format, and of any height (even for 4:2:0, but for the
     * last rows). Gives to the sink what is ready, which is often nothing.
     *
     * @throws PinholeException {@link ErrorCode#WRONG_ROWS}, {@link ErrorCode#BUFFER_TOO_SMALL} and
     *     {@link ErrorCode#INVALID_ARGUMENT} change nothing: other rows may follow. After any other error the stream is
     *     lost
     * @throws IOException the sink's; the stream is lost
     */
    public synchronized void push(Picture rows) throws IOException {
        checkWhole();
        byte[] ready;
        try {
            ready =
                    Native.streamPush(number(), rows.layout(), rows.arrays(), rows.buffers());
        } finally {
            Reference.reachabilityFence(this);
            Reference.reachabilityFence(rows);
        }
        if (ready.length > 0) {
            lost = true;
            sink.accept(ready);
            lost = false;
        }
    }

    /**
     * Checks that the whole picture was pushed, and closes.
     *
     * @throws PinholeException {@link ErrorCode#MISSING_ROWS}; rows may still follow. {@link ErrorCode#BROKEN} after an
     *     error
     */
    public synchronized void finish() throws PinholeException {
        checkWhole();
        int missing;
        try {
            missing = Native.streamMissing(number());
        } finally {
            Reference.reachabilityFence(this);
        }
        if (missing > 0) {
            throw new PinholeException(
                    ErrorCode.MISSING_ROWS, missing + " rows have not been pushed");
        }
        close();
    }

    private void checkWhole() throws PinholeException {
        if (lost) {
            throw new PinholeException(ErrorCode.BROKEN, "the sink failed before");
        }
    }
}
