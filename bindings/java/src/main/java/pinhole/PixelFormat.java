package pinhole;

/**
 * How samples lie in memory. The 4:2:0 formats have chroma of half the width and height, rounded up. What their
 * samples mean is BT.601 in full range, as in JPEG files and Android's cameras, unless {@link #with} says otherwise.
 *
 * @param kind the order of samples and planes
 * @param bits bits that count of a {@link Kind#GRAY16} sample, 8 to 16; 0 otherwise
 * @param matrix luma weights of 4:2:0 formats
 * @param range range of the samples of 4:2:0 formats
 */
public record PixelFormat(Kind kind, int bits, Matrix matrix, Range range) {
    /** Order of samples and planes. */
    public enum Kind {
        /** One byte a pixel. */
        GRAY8(1, 1),
        /** Grey and alpha. */
        GRAYA8(2, 1),
        /** Two bytes a pixel, the lower one first. */
        GRAY16(3, 1),
        /** Red, green, blue. */
        RGB8(4, 1),
        /** Red, green, blue, alpha. */
        RGBA8(5, 1),
        /** Blue, green, red, alpha. */
        BGRA8(6, 1),
        /** Luma; Cb and Cr interleaved. */
        NV12(7, 2),
        /** Luma; Cr and Cb interleaved. */
        NV21(8, 2),
        /** Luma; Cb; Cr. */
        I420(9, 3);

        private final int code;
        private final int planes;

        Kind(int code, int planes) {
            this.code = code;
            this.planes = planes;
        }

        /** Number of planes, 1 to 3. */
        public int planes() {
            return planes;
        }
    }

    /** Luma weights. */
    public enum Matrix {
        /** ITU-R BT.601: JPEG, most cameras. */
        BT601,
        /** ITU-R BT.709: high definition video. */
        BT709
    }

    /** Range of 8-bit samples. */
    public enum Range {
        /** Luma 0 to 255. */
        FULL,
        /** Luma 16 to 235, chroma 16 to 240. */
        LIMITED
    }

    /** One grey byte a pixel. */
    public static final PixelFormat GRAY8 = of(Kind.GRAY8);
    /** Grey and alpha. */
    public static final PixelFormat GRAYA8 = of(Kind.GRAYA8);
    /** Red, green, blue. */
    public static final PixelFormat RGB8 = of(Kind.RGB8);
    /**
     * Red, green, blue, alpha, not premultiplied: Android's RGBA_8888. The memory of an ARGB_8888 {@code Bitmap} has
     * this order, too, but premultiplied: pictures without transparency can be used as they are.
     */
    public static final PixelFormat RGBA8 = of(Kind.RGBA8);
    /** Blue, green, red, alpha, not premultiplied. */
    public static final PixelFormat BGRA8 = of(Kind.BGRA8);
    /** Luma; Cb and Cr interleaved. */
    public static final PixelFormat NV12 = of(Kind.NV12);
    /** Luma; Cr and Cb interleaved: Android's camera previews. */
    public static final PixelFormat NV21 = of(Kind.NV21);
    /** Luma; Cb; Cr. */
    public static final PixelFormat I420 = of(Kind.I420);

    /** Checks that nothing is null. */
    public PixelFormat {
        java.util.Objects.requireNonNull(kind);
        java.util.Objects.requireNonNull(matrix);
        java.util.Objects.requireNonNull(range);
    }

    /**
     * Deep grey: two bytes a pixel, the lower one first. Streams carry eight bits; the rest is rounded away.
     *
     * @param bits how many of the lowest bits count, 8 to 16
     */
    public static PixelFormat gray16(int bits) {
        return new PixelFormat(Kind.GRAY16, bits, Matrix.BT601, Range.FULL);
    }

    /** The same format with other meaning of luma and chroma; for 4:2:0 formats only. */
    public PixelFormat with(Matrix matrix, Range range) {
        return new PixelFormat(kind, bits, matrix, range);
    }

    private static PixelFormat of(Kind kind) {
        return new PixelFormat(kind, 0, Matrix.BT601, Range.FULL);
    }

    /** The beginning of a picture's description for native code. */
    int[] describe(int width, int height, int planes) {
        int[] layout = new int[6 + 3 * planes];
        layout[0] = kind.code;
        layout[1] = bits;
        layout[2] = matrix.ordinal();
        layout[3] = range.ordinal();
        layout[4] = width;
        layout[5] = height;
        return layout;
    }
}
