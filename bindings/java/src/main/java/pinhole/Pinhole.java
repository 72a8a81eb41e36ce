package pinhole;

import java.nio.ByteBuffer;
import java.util.Objects;

/** What needs no model. */
public final class Pinhole {
    private Pinhole() {}

    /** The version of the native library. */
    public static String version() {
        return Native.version();
    }

    /**
     * What the header of a file says; the first 32 bytes suffice.
     *
     * @throws PinholeException for anything but the beginning of a Pinhole file
     */
    public static Info info(byte[] file) throws PinholeException {
        long[] h = Native.header(Objects.requireNonNull(file));
        return new Info(
                (int) h[0],
                (int) h[1],
                h[2] != 0,
                h[3] != 0,
                h[4] / 100f,
                (int) h[5],
                (int) h[6],
                hexadecimal(Long.reverseBytes(h[7])));
    }

    /** As {@link #info(byte[])}, from a buffer's position to its limit; both stay. */
    public static Info info(ByteBuffer file) throws PinholeException {
        return info(bytes(file));
    }

    /**
     * ICC profile, Exif and XMP of a file.
     *
     * @throws PinholeException if header or metadata are damaged or not all there
     */
    public static Metadata metadata(byte[] file) throws PinholeException {
        return Metadata.ofRecords(Native.metadata(Objects.requireNonNull(file)));
    }

    /** A copy of what is between a buffer's position and limit. */
    static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    /** Sixteen digits, the highest byte first. */
    static String hexadecimal(long bytes) {
        return String.format((java.util.Locale) null, "%016x", bytes);
    }
}
