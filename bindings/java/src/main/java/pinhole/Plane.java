package pinhole;

import java.nio.ByteBuffer;
import java.util.Objects;

/** One plane of a {@link Picture}: row y starts {@code y * stride} bytes after the first. */
public final class Plane {
    final byte[] array;
    final ByteBuffer buffer;
    final int offset;
    final int length;
    final int stride;
    /** Whether writing to the plane is forbidden or would be lost. */
    final boolean readOnly;

    private Plane(
            byte[] array, ByteBuffer buffer, int offset, int length, int stride, boolean readOnly) {
        this.array = array;
        this.buffer = buffer;
        this.offset = offset;
        this.length = length;
        this.stride = stride;
        this.readOnly = readOnly;
    }

    /**
     * A plane in an array. Encoding copies its samples, decoding copies them back: arrays can move.
     *
     * @param offset index of the first sample
     * @param stride bytes from the start of one row to that of the next; the last row needs no gap behind it
     */
    public static Plane of(byte[] data, int offset, int stride) {
        Objects.checkIndex(offset, data.length + 1);
        return new Plane(data, null, offset, data.length - offset, positive(stride), false);
    }

    /**
     * A plane in a buffer, from its position to its limit; both stay. Direct buffers are used in place: nobody may
     * write to their memory, unmap it or shorten its file while a call uses them. Others are treated as arrays.
     *
     * @param stride bytes from the start of one row to that of the next; the last row needs no gap behind it
     */
    public static Plane of(ByteBuffer data, int stride) {
        return within(data, positive(stride));
    }

    /** Rows and planes without gaps. */
    static Plane whole(byte[] data) {
        return new Plane(data, null, 0, data.length, 0, false);
    }

    /** Rows and planes without gaps. */
    static Plane whole(ByteBuffer data) {
        return within(data, 0);
    }

    /** A part of this plane from a byte on, with another stride. */
    Plane from(long start, int stride) {
        // A start behind the end is a plane without bytes, which native code refuses.
        int skipped = (int) Math.min(start, length);
        int rest = length - skipped;
        return new Plane(array, buffer, offset + skipped, rest, positive(stride), readOnly);
    }

    private static int positive(int stride) {
        if (stride <= 0) {
            throw new IllegalArgumentException("a stride of " + stride + " bytes: must be positive");
        }
        return stride;
    }

    private static Plane within(ByteBuffer data, int stride) {
        int length = data.remaining();
        if (data.isDirect()) {
            return new Plane(null, data, data.position(), length, stride, data.isReadOnly());
        }
        if (data.hasArray()) {
            int offset = data.arrayOffset() + data.position();
            return new Plane(data.array(), null, offset, length, stride, false);
        }
        return new Plane(Pinhole.bytes(data), null, 0, length, stride, true);
    }
}
