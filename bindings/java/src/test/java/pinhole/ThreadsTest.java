package pinhole;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Handles in many threads, closed at any time. */
class ThreadsTest {
    private static final int THREADS = 12;

    private static <T> List<T> inThreads(Callable<T> work) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(THREADS);
        try {
            List<Future<T>> futures = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                futures.add(pool.submit(work));
            }
            List<T> results = new ArrayList<>();
            for (Future<T> future : futures) {
                results.add(future.get());
            }
            return results;
        } finally {
            pool.shutdownNow();
        }
    }

    private static Picture photograph() throws Exception {
        byte[] rgb = Files.rgb(Files.sample("astronaut.png"), 200, 150);
        return Picture.of(200, 150, PixelFormat.RGB8, Files.direct(rgb));
    }

    @Test
    void oneEncoderForAll() throws Exception {
        Picture picture = photograph();
        try (Model model = Model.embedded();
                Encoder encoder = new Encoder(model, 2);
                Decoder decoder = new Decoder(model, 2)) {
            byte[] expected = encoder.encode(picture, EncodeOptions.DEFAULT);
            byte[] pixels = decoder.decode(expected).pixels();
            List<byte[]> results =
                    inThreads(
                            () -> {
                                byte[] file = encoder.encode(picture, EncodeOptions.DEFAULT);
                                assertArrayEquals(expected, file);
                                return decoder.decode(file).pixels();
                            });
            for (byte[] result : results) {
                assertArrayEquals(pixels, result);
            }
        }
    }

    @Test
    void oneEncoderEach() throws Exception {
        Picture picture = photograph();
        List<byte[]> files;
        try (Model model = Model.embedded()) {
            files =
                    inThreads(
                            () -> {
                                try (Encoder encoder = new Encoder(model)) {
                                    return encoder.encode(picture, EncodeOptions.DEFAULT);
                                }
                            });
        }
        for (byte[] file : files) {
            assertArrayEquals(files.get(0), file);
        }
    }

    @Test
    void closingWhileOthersWork() throws Exception {
        Picture picture = photograph();
        try (Model model = Model.embedded()) {
            Encoder encoder = new Encoder(model);
            byte[] expected = encoder.encode(picture, EncodeOptions.DEFAULT);
            List<Boolean> ends =
                    inThreads(
                            () -> {
                                for (int i = 0; i < 3; i++) {
                                    try {
                                        assertArrayEquals(
                                                expected,
                                                encoder.encode(picture, EncodeOptions.DEFAULT));
                                        encoder.close();
                                    } catch (IllegalStateException closed) {
                                        return true;
                                    } catch (PinholeException closed) {
                                        assertEquals(ErrorCode.CLOSED, closed.code());
                                        return true;
                                    }
                                }
                                return false;
                            });
            for (boolean end : ends) {
                assertTrue(end);
            }
            assertTrue(encoder.isClosed());
        }
    }

    @Test
    void closedIsClosed() throws Exception {
        Model model = Model.open(Files.TOY);
        Encoder encoder = new Encoder(model);
        Decoder decoder = new Decoder(model);
        model.close();
        model.close();
        assertThrows(IllegalStateException.class, model::latentSpace);
        assertThrows(IllegalStateException.class, () -> new Encoder(model));
        // They keep what they need of the model.
        Picture picture = Picture.of(3, 3, PixelFormat.GRAY8, new byte[9]);
        byte[] file = encoder.encode(picture, EncodeOptions.DEFAULT);
        assertEquals(9, decoder.decode(file).pixels().length);
        encoder.close();
        decoder.close();
        assertThrows(
                IllegalStateException.class, () -> encoder.encode(picture, EncodeOptions.DEFAULT));
        assertThrows(IllegalStateException.class, () -> decoder.decode(file));
    }

    @Test
    void forgottenHandlesAreFreed() throws Exception {
        try (Model model = Model.open(Files.TOY)) {
            Encoder[] forgotten = {new Encoder(model)};
            long number = forgotten[0].number();
            WeakReference<Encoder> weak = new WeakReference<>(forgotten[0]);
            forgotten[0] = null;
            int[] layout = {1, 0, 0, 0, 1, 1, 0, 1, 0};
            boolean freed = false;
            for (int i = 0; i < 200 && !freed; i++) {
                System.gc();
                Thread.sleep(20);
                try {
                    Native.encode(
                            number, layout, new byte[1][1], new java.nio.ByteBuffer[1], 50, 0, 0, 1, 0, new byte[0][]);
                } catch (PinholeException e) {
                    freed = e.code() == ErrorCode.CLOSED;
                }
            }
            assertTrue(freed && weak.get() == null);
        }
    }
}
