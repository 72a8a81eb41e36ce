package pinhole;

import java.nio.ByteBuffer;

/** Gathers interleaved chroma samples. */
final class Chroma {
    private Chroma() {}

    /**
     * The samples of one kind as a plane without gaps. Rows and samples are {@code rowStride} and {@code pixelStride}
     * bytes apart, from the buffer's position on; the last row ends with its last sample.
     */
    static Plane gather(ByteBuffer from, int width, int height, int rowStride, int pixelStride) {
        if (rowStride <= 0 || pixelStride <= 0) {
            throw new IllegalArgumentException(
                    "strides of " + rowStride + " and " + pixelStride + " bytes: must be positive");
        }
        if (width < 1 || height < 1 || width > 65535 || height > 65535) {
            throw new IllegalArgumentException(
                    width + "x" + height + " pixels: each side must be 1 to 65535");
        }
        int columns = (width + 1) / 2;
        int rows = (height + 1) / 2;
        long rowBytes = (long) pixelStride * (columns - 1) + 1;
        long needed = (long) rowStride * (rows - 1) + rowBytes;
        if (needed > from.remaining()) {
            throw new IndexOutOfBoundsException(
                    from.remaining() + " bytes of chroma where " + needed + " are needed");
        }
        byte[] plane = new byte[columns * rows];
        // Single reads of a direct buffer are slow on Android: a row at a time.
        byte[] row = new byte[(int) rowBytes];
        for (int y = 0; y < rows; y++) {
            ByteBuffer part = from.duplicate();
            part.position(from.position() + y * rowStride);
            part.get(row);
            for (int x = 0, at = y * columns; x < columns; x++, at++) {
                plane[at] = row[x * pixelStride];
            }
        }
        return Plane.of(plane, 0, columns);
    }
}
