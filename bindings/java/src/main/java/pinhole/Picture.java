package pinhole;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A picture in the caller's memory: to be encoded, or to be decoded into. It refers to the memory and copies nothing.
 * Sizes are checked when it is used: sides are 1 to 65535, planes must be long enough.
 */
public final class Picture {
    private final int width;
    private final int height;
    private final PixelFormat format;
    private final Plane[] planes;

    private Picture(int width, int height, PixelFormat format, Plane... planes) {
        this.width = width;
        this.height = height;
        this.format = Objects.requireNonNull(format);
        this.planes = planes;
    }

    /** A picture whose rows and planes follow each other without gaps, in an array. */
    public static Picture of(int width, int height, PixelFormat format, byte[] data) {
        return new Picture(width, height, format, Plane.whole(data));
    }

    /**
     * A picture whose rows and planes follow each other without gaps, in a buffer from its position to its limit; see
     * {@link Plane#of(ByteBuffer, int)} for who may touch it when.
     */
    public static Picture of(int width, int height, PixelFormat format, ByteBuffer data) {
        return new Picture(width, height, format, Plane.whole(data));
    }

    /**
     * A picture in one array with gaps behind its rows: {@code stride} bytes from row to row. The chroma planes of
     * 4:2:0 formats follow, with the same stride (NV12, NV21) or half of it (I420).
     *
     * @throws IllegalArgumentException for a stride that is not positive, or odd where half of it is needed
     */
    public static Picture of(int width, int height, PixelFormat format, byte[] data, int stride) {
        return strided(width, height, format, Plane.of(data, 0, stride));
    }

    /** As {@link #of(int, int, PixelFormat, byte[], int)}, in a buffer from its position to its limit. */
    public static Picture of(
            int width, int height, PixelFormat format, ByteBuffer data, int stride) {
        return strided(width, height, format, Plane.of(data, stride));
    }

    /**
     * A picture of planes that lie anywhere.
     *
     * @throws IllegalArgumentException for another number of planes than the format's
     */
    public static Picture of(int width, int height, PixelFormat format, Plane... planes) {
        int needed = format.kind().planes();
        if (planes.length != needed) {
            throw new IllegalArgumentException(
                    planes.length + " planes in a format of " + needed);
        }
        Plane[] own = planes.clone();
        for (Plane plane : own) {
            Objects.requireNonNull(plane);
        }
        return new Picture(width, height, format, own);
    }

    /**
     * A camera's YUV_420_888 picture, given what {@code Image.Plane} tells: buffers, row strides and the pixel stride
     * of chroma. Chroma samples side by side (pixel stride 1) are used in place, others are gathered into arrays.
     *
     * @param format {@link PixelFormat#I420}, or that with another meaning of the samples
     * @throws IllegalArgumentException if the format is not I420 or a stride is not positive
     * @throws IndexOutOfBoundsException if a chroma buffer is too short
     */
    public static Picture yuv420(
            int width,
            int height,
            PixelFormat format,
            ByteBuffer y,
            int yRowStride,
            ByteBuffer u,
            ByteBuffer v,
            int chromaRowStride,
            int chromaPixelStride) {
        if (format.kind() != PixelFormat.Kind.I420) {
            throw new IllegalArgumentException("YUV_420_888 is I420, not " + format.kind());
        }
        Plane luma = Plane.of(y, yRowStride);
        if (chromaPixelStride == 1) {
            Plane cb = Plane.of(u, chromaRowStride);
            return of(width, height, format, luma, cb, Plane.of(v, chromaRowStride));
        }
        Plane cb = Chroma.gather(u, width, height, chromaRowStride, chromaPixelStride);
        Plane cr = Chroma.gather(v, width, height, chromaRowStride, chromaPixelStride);
        return of(width, height, format, luma, cb, cr);
    }

    private static Picture strided(int width, int height, PixelFormat format, Plane first) {
        int stride = first.stride;
        long luma = (long) stride * Math.max(height, 0);
        switch (format.kind()) {
            case NV12:
            case NV21:
                return new Picture(width, height, format, first, first.from(luma, stride));
            case I420:
                if (stride % 2 != 0) {
                    throw new IllegalArgumentException(
                            "a stride of " + stride + " bytes: chroma needs half of it");
                }
                int half = stride / 2;
                long chroma = (long) half * ((Math.max(height, 0) + 1L) / 2);
                Plane cb = first.from(luma, half);
                return new Picture(width, height, format, first, cb, first.from(luma + chroma, half));
            default:
                return new Picture(width, height, format, first);
        }
    }

    /** Pixels of a row. */
    public int width() {
        return width;
    }

    /** Rows. */
    public int height() {
        return height;
    }

    /** How the samples lie. */
    public PixelFormat format() {
        return format;
    }

    /** The description for native code. */
    int[] layout() {
        int[] layout = format.describe(width, height, planes.length);
        for (int i = 0; i < planes.length; i++) {
            layout[6 + 3 * i] = planes[i].offset;
            layout[7 + 3 * i] = planes[i].length;
            layout[8 + 3 * i] = planes[i].stride;
        }
        return layout;
    }

    byte[][] arrays() {
        byte[][] arrays = new byte[planes.length][];
        for (int i = 0; i < planes.length; i++) {
            arrays[i] = planes[i].array;
        }
        return arrays;
    }

    ByteBuffer[] buffers() {
        ByteBuffer[] buffers = new ByteBuffer[planes.length];
        for (int i = 0; i < planes.length; i++) {
            buffers[i] = planes[i].buffer;
        }
        return buffers;
    }

    /** Refuses planes that cannot be written to. */
    void checkWritable() {
        for (Plane plane : planes) {
            if (plane.readOnly) {
                throw new IllegalArgumentException("a read-only buffer to decode into");
            }
        }
    }
}
