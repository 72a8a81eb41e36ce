package pinhole;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Pictures in bands of rows. */
class StreamTest {
    private static final int WIDTH = 301;
    private static final int HEIGHT = 203;
    private static final EncodeOptions OPTIONS = EncodeOptions.quality(60).withChunkRows(64);

    private static void code(ErrorCode code, org.junit.jupiter.api.function.Executable call) {
        assertEquals(code, assertThrows(PinholeException.class, call).code());
    }

    @Test
    void bandsGiveTheSameFile() throws Exception {
        byte[] rgb = Files.rgb(Files.sample("chelsea.png"), WIDTH, HEIGHT);
        ByteBuffer direct = Files.direct(rgb);
        int row = 3 * WIDTH;
        try (Model model = Model.embedded();
                Encoder encoder = new Encoder(model)) {
            byte[] whole =
                    encoder.encode(Picture.of(WIDTH, HEIGHT, PixelFormat.RGB8, rgb), OPTIONS);
            List<byte[]> parts = new ArrayList<>();
            try (StreamEncoder stream =
                    new StreamEncoder(
                            model, WIDTH, HEIGHT, PixelFormat.RGB8, OPTIONS, parts::add)) {
                for (int y = 0; y < HEIGHT; y += 17) {
                    int rows = Math.min(17, HEIGHT - y);
                    stream.push(
                            y % 2 == 0
                                    ? Picture.of(WIDTH, rows, PixelFormat.RGB8, Plane.of(rgb, y * row, row))
                                    : Picture.of(WIDTH, rows, PixelFormat.RGB8, direct.position(y * row)));
                }
                stream.finish();
                assertTrue(stream.isClosed());
            }
            // The header, two chunks as they are ready, and with the last rows the other two.
            assertEquals(4, parts.size());
            ByteArrayOutputStream joined = new ByteArrayOutputStream();
            for (byte[] part : parts) {
                joined.write(part);
            }
            assertArrayEquals(whole, joined.toByteArray());
        }
    }

    @Test
    void mistakesChangeNothing() throws Exception {
        byte[] samples = new byte[64 * 64 * 3 / 2];
        try (Model model = Model.open(Files.TOY)) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            StreamEncoder stream =
                    new StreamEncoder(model, 64, 64, PixelFormat.NV21, OPTIONS, out);
            code(ErrorCode.WRONG_ROWS, () -> stream.push(Picture.of(32, 2, PixelFormat.NV21, samples)));
            code(ErrorCode.WRONG_ROWS, () -> stream.push(Picture.of(64, 2, PixelFormat.NV12, samples)));
            code(ErrorCode.WRONG_ROWS, () -> stream.push(Picture.of(64, 3, PixelFormat.NV21, samples)));
            code(
                    ErrorCode.BUFFER_TOO_SMALL,
                    () -> stream.push(Picture.of(64, 64, PixelFormat.NV21, new byte[5])));
            stream.push(Picture.of(64, 32, PixelFormat.NV21, samples));
            code(ErrorCode.WRONG_ROWS, () -> stream.push(Picture.of(64, 64, PixelFormat.NV21, samples)));
            code(ErrorCode.MISSING_ROWS, stream::finish);
            stream.push(Picture.of(64, 32, PixelFormat.NV21, samples));
            stream.finish();
            try (Encoder encoder = new Encoder(model)) {
                Picture whole = Picture.of(64, 64, PixelFormat.NV21, samples);
                assertArrayEquals(encoder.encode(whole, OPTIONS), out.toByteArray());
            }
            assertThrows(IllegalStateException.class, stream::finish);
            assertThrows(
                    IllegalStateException.class,
                    () -> stream.push(Picture.of(64, 32, PixelFormat.NV21, samples)));
        }
    }

    @Test
    void failingSinksEndTheStream() throws Exception {
        try (Model model = Model.open(Files.TOY);
                StreamEncoder stream =
                        new StreamEncoder(
                                model,
                                16,
                                16,
                                PixelFormat.GRAY8,
                                EncodeOptions.DEFAULT,
                                bytes -> {
                                    throw new IOException("disk full");
                                })) {
            Picture picture = Picture.of(16, 16, PixelFormat.GRAY8, new byte[256]);
            assertEquals("disk full", assertThrows(IOException.class, () -> stream.push(picture)).getMessage());
            code(ErrorCode.BROKEN, () -> stream.push(picture));
            code(ErrorCode.BROKEN, stream::finish);
        }
    }

    @Test
    void targetsNeedTheWholePicture() throws Exception {
        try (Model model = Model.open(Files.TOY)) {
            code(
                    ErrorCode.INVALID_ARGUMENT,
                    () ->
                            new StreamEncoder(
                                    model, 16, 16, PixelFormat.GRAY8, EncodeOptions.target(99), b -> {}));
            for (int[] size : new int[][] {{0, 1}, {1, -1}, {65536, 1}, {1, Integer.MAX_VALUE}}) {
                code(
                        ErrorCode.INVALID_ARGUMENT,
                        () ->
                                new StreamEncoder(
                                        model, size[0], size[1], PixelFormat.GRAY8, OPTIONS, b -> {}));
            }
        }
    }
}
