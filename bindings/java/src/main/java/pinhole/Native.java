package pinhole;

import java.nio.ByteBuffer;

/**
 * What every build of the native library has: models, headers, encoders. Handles are numbers that are never used
 * twice; those of closed objects are refused. {@link Picture} describes the arrays of a picture.
 */
final class Native {
    private Native() {}

    static {
        Library.load();
    }

    static native String version();

    static native long modelEmbedded() throws PinholeException;

    static native long modelLoad(byte[] bundle) throws PinholeException;

    static native byte[] modelLatentSpace(long model) throws PinholeException;

    static native boolean modelEncodes(long model) throws PinholeException;

    static native void modelFree(long model);

    static native long[] header(byte[] file) throws PinholeException;

    static native byte[][] metadata(byte[] file) throws PinholeException;

    static native long encoderNew(long model, int threads) throws PinholeException;

    static native byte[] encode(
            long encoder,
            int[] layout,
            byte[][] arrays,
            ByteBuffer[] buffers,
            float quality,
            long target,
            int chunkRows,
            int effort,
            int tune,
            byte[][] metadata)
            throws PinholeException;

    static native void encoderFree(long encoder);

    static native long streamNew(
            long model,
            int[] layout,
            float quality,
            long target,
            int chunkRows,
            int effort,
            int tune,
            byte[][] metadata)
            throws PinholeException;

    static native byte[] streamPush(
            long stream, int[] layout, byte[][] arrays, ByteBuffer[] buffers) throws PinholeException;

    static native int streamMissing(long stream) throws PinholeException;

    static native void streamFree(long stream);
}
