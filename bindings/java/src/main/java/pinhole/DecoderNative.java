package pinhole;

import java.nio.ByteBuffer;

/** What encoder-only builds of the native library lack. */
final class DecoderNative {
    private DecoderNative() {}

    static {
        Library.load();
    }

    static native long decoderNew(long model, int threads) throws PinholeException;

    static native byte[] decode(
            long decoder,
            byte[] file,
            int[] layout,
            int synthesis,
            boolean conceal,
            long maxPixels,
            int[][] report)
            throws PinholeException;

    static native int[] decodeInto(
            long decoder,
            byte[] file,
            int[] layout,
            byte[][] arrays,
            ByteBuffer[] buffers,
            int synthesis,
            boolean conceal,
            long maxPixels)
            throws PinholeException;

    static native void decoderFree(long decoder);
}
