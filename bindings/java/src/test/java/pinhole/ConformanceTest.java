package pinhole;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The conformance set gives the same files and pixels through Java; tests/conformance/cases.rs defines it. */
class ConformanceTest {
    private static final Map<String, PixelFormat> FORMATS =
            Map.of(
                    "gray8", PixelFormat.GRAY8,
                    "graya8", PixelFormat.GRAYA8,
                    "rgb8", PixelFormat.RGB8,
                    "rgba8", PixelFormat.RGBA8,
                    "bgra8", PixelFormat.BGRA8,
                    "gray16", PixelFormat.gray16(16),
                    "nv12-jpeg", PixelFormat.NV12,
                    "nv21-video", video(PixelFormat.NV21),
                    "i420-video", video(PixelFormat.I420));

    private static PixelFormat video(PixelFormat format) {
        return format.with(PixelFormat.Matrix.BT709, PixelFormat.Range.LIMITED);
    }

    @Test
    void toyModel() throws Exception {
        try (Model model = Model.open(Files.TOY)) {
            check(model, Files.lines("v1.txt"), 1);
        }
    }

    @Test
    void shippedModel() throws Exception {
        try (Model model = Model.embedded()) {
            check(model, Files.lines("photo.txt"), 2);
        }
    }

    @Test
    void oldFilesDecodeForEver() throws Exception {
        try (Model model = Model.open(Files.TOY);
                Decoder decoder = new Decoder(model)) {
            List<String> lines = Files.lines("frozen.txt");
            assertFalse(lines.isEmpty());
            for (String line : lines) {
                String[] fields = line.split(" ");
                byte[] file = Files.read(Files.ROOT.resolve("tests/conformance/frozen/" + fields[0]));
                assertEquals(fields[1], hash(decoder.decode(file).pixels()), fields[0]);
            }
        }
    }

    private static void check(Model model, List<String> lines, int threads) throws Exception {
        assertFalse(lines.isEmpty());
        try (Encoder encoder = new Encoder(model, threads);
                Decoder decoder = new Decoder(model, threads)) {
            for (String line : lines) {
                String[] fields = line.split(" ");
                String name = String.join(" ", fields[0], fields[1], fields[2], fields[3]);
                PixelFormat format = FORMATS.get(fields[0]);
                String[] size = fields[1].split("x");
                int width = Integer.parseInt(size[0]);
                int height = Integer.parseInt(size[1]);
                EncodeOptions options =
                        EncodeOptions.quality(Integer.parseInt(fields[2].substring(1)))
                                .withChunkRows(Integer.parseInt(fields[3].substring(1)));
                byte[] samples = samples(format, width, height);
                byte[] file = encoder.encode(Picture.of(width, height, format, samples), options);
                assertEquals(line, name + " " + file.length + " " + hash(file) + " "
                        + pixels(decoder, file, format, samples.length));
                // The same from a direct buffer, and as a stream of one band.
                Picture direct = Picture.of(width, height, format, Files.direct(samples));
                assertEquals(fields[5], hash(encoder.encode(direct, options)), name);
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                try (StreamEncoder stream =
                        new StreamEncoder(model, width, height, format, options, out)) {
                    stream.push(direct);
                    stream.finish();
                }
                assertEquals(fields[5], hash(out.toByteArray()), name);
            }
        }
    }

    /** The hash of the pixels in the case's own format; of formats that files cannot have, of those decoded to. */
    private static String pixels(Decoder decoder, byte[] file, PixelFormat format, int length)
            throws Exception {
        Info info = Pinhole.info(file);
        ByteBuffer direct = ByteBuffer.allocateDirect(length);
        Picture target = Picture.of(info.width(), info.height(), format, direct);
        assertEquals(List.of(), decoder.decodeInto(file, target, DecodeOptions.DEFAULT));
        byte[] array = decoder.decode(file, format, DecodeOptions.DEFAULT).pixels();
        assertEquals(hash(array), hash(Files.bytes(direct)));
        return hash(array);
    }

    /** The picture of a case: waves, a hard edge, flat areas and noise, in integers only. */
    private static byte[] samples(PixelFormat format, int width, int height) {
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        int noise = width * 31 + height;
        int planes = format.kind().planes();
        for (int plane = 0; plane < planes; plane++) {
            int half = (width + 1) / 2;
            int row = plane == 0 ? width * bytes(format) : planes == 2 ? 2 * half : half;
            int channels = planes == 1 ? row / width : 1;
            int rows = plane == 0 ? height : (height + 1) / 2;
            for (int y = 0; y < rows; y++) {
                for (int i = 0; i < row; i++) {
                    int x = i / channels;
                    int c = i % channels + plane;
                    noise = noise * 1_664_525 + 1_013_904_223;
                    int wave = (x * (3 + c) + y * 2) / 3 % 256;
                    wave = wave < 128 ? wave : 255 - wave;
                    switch ((x / 32 + y / 48) % 4) {
                        case 0 -> data.write(40 + 50 * c);
                        case 1 -> data.write(60 + wave);
                        case 2 -> data.write(wave + (noise >>> 25));
                        default -> data.write((x + 2 * y) % 50 < 20 ? 230 : 12 * c);
                    }
                }
            }
        }
        return data.toByteArray();
    }

    private static int bytes(PixelFormat format) {
        return switch (format.kind()) {
            case RGB8 -> 3;
            case RGBA8, BGRA8 -> 4;
            case GRAYA8, GRAY16 -> 2;
            default -> 1;
        };
    }

    /** FNV-1a, 64 bits. */
    private static String hash(byte[] bytes) {
        long hash = 0xcbf2_9ce4_8422_2325L;
        for (byte b : bytes) {
            hash = (hash ^ (b & 255)) * 0x0000_0100_0000_01b3L;
        }
        return String.format("%016x", hash);
    }
}
