package pinhole;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Whatever comes in, there is an exception and the process goes on. */
class HostileTest {
    private static Model model;
    private static Encoder encoder;
    private static Decoder decoder;
    private static byte[] file;

    @BeforeAll
    static void open() throws Exception {
        model = Model.open(Files.TOY);
        encoder = new Encoder(model);
        decoder = new Decoder(model);
        byte[] rgb = Files.rgb(Files.sample("rocket.jpg"), 160, 150);
        byte[] rgba = new byte[160 * 150 * 4];
        for (int i = 0; i < 160 * 150; i++) {
            System.arraycopy(rgb, 3 * i, rgba, 4 * i, 3);
            rgba[4 * i + 3] = (byte) i;
        }
        Metadata metadata = Metadata.EMPTY.withExif(new byte[20]);
        file =
                encoder.encode(
                        Picture.of(160, 150, PixelFormat.RGBA8, rgba),
                        EncodeOptions.quality(50).withChunkRows(64).withMetadata(metadata));
    }

    @AfterAll
    static void close() {
        decoder.close();
        encoder.close();
        model.close();
    }

    private static ErrorCode code(Executable call) {
        return assertThrows(PinholeException.class, call).code();
    }

    @Test
    void everyTruncationIsNoticed() {
        for (int length = 0; length < file.length; length++) {
            byte[] part = Arrays.copyOf(file, length);
            assertEquals(ErrorCode.TRUNCATED, code(() -> decoder.decode(part)), length + " bytes");
        }
    }

    @Test
    void everyDamageIsNoticedOrConcealed() {
        DecodeOptions lenient = DecodeOptions.DEFAULT.withConceal(true);
        int concealed = 0;
        for (int i = 0; i < file.length; i++) {
            byte[] damaged = file.clone();
            damaged[i] ^= (byte) (1 << i % 8);
            PinholeException e =
                    assertThrows(PinholeException.class, () -> decoder.decode(damaged), "byte " + i);
            assertFalse(e.getMessage().isEmpty());
            try {
                Decoded decoded = decoder.decode(damaged, null, lenient);
                assertEquals(160 * 150 * 4, decoded.pixels().length);
                assertTrue(decoded.lost().size() <= 1);
                concealed += decoded.lost().size();
            } catch (PinholeException header) {
                assertTrue(i < 32, "byte " + i + ": " + header.getMessage());
            }
        }
        assertTrue(concealed > file.length / 2);
    }

    @Test
    void noiseIsNoPicture() {
        Random random = new Random(3);
        for (int i = 0; i < 2000; i++) {
            byte[] noise = new byte[random.nextInt(500)];
            random.nextBytes(noise);
            // Half of them begin as they should.
            System.arraycopy(file, 0, noise, 0, Math.min(noise.length, i % 2 * random.nextInt(60)));
            code(() -> decoder.decode(noise));
            code(() -> decoder.decode(noise, null, DecodeOptions.DEFAULT.withConceal(true)));
            code(() -> Model.load(noise));
        }
        assertEquals(ErrorCode.NOT_A_STREAM, code(() -> Pinhole.info("GIF89a".getBytes())));
        assertEquals(ErrorCode.BAD_MODEL, code(() -> Model.load(ByteBuffer.allocateDirect(0))));
    }

    /** Some damage only makes another model: that must encode and decode its own files, or say why not. */
    @Test
    void damagedModels() throws Exception {
        byte[] toy = Files.read(Files.TOY);
        Random random = new Random(4);
        byte[] noise = new byte[40 * 30 * 3];
        random.nextBytes(noise);
        Picture picture = Picture.of(40, 30, PixelFormat.RGB8, noise);
        int refused = 0;
        for (int i = 0; i < 500; i++) {
            byte[] damaged = toy.clone();
            damaged[random.nextInt(toy.length)] ^= (byte) (1 << random.nextInt(8));
            try (Model other = Model.load(damaged);
                    Encoder encoder = new Encoder(other);
                    Decoder decoder = new Decoder(other)) {
                byte[] coded = encoder.encode(picture, EncodeOptions.DEFAULT);
                assertEquals(noise.length, decoder.decode(coded).pixels().length);
            } catch (PinholeException e) {
                assertEquals(ErrorCode.BAD_MODEL, e.code(), e.getMessage());
                refused++;
            }
            byte[] part = Arrays.copyOf(toy, random.nextInt(toy.length));
            assertEquals(ErrorCode.BAD_MODEL, code(() -> Model.load(part)));
        }
        assertTrue(refused > 0 && refused < 500, refused + " refused");
    }

    @Test
    void hugeHeadersTakeNoMemory() throws Exception {
        // A picture of 65535 rows: the header of a stream whose rows never come.
        byte[][] head = new byte[1][];
        try (StreamEncoder stream =
                new StreamEncoder(
                        model, 65535, 65535, PixelFormat.RGB8, EncodeOptions.DEFAULT, b -> head[0] = b)) {
            stream.push(Picture.of(65535, 1, PixelFormat.RGB8, new byte[3 * 65535]));
        }
        assertEquals(65535, Pinhole.info(head[0]).height());
        for (boolean conceal : new boolean[] {false, true}) {
            DecodeOptions options = DecodeOptions.DEFAULT.withConceal(conceal);
            assertEquals(ErrorCode.TOO_MANY_PIXELS, code(() -> decoder.decode(head[0], null, options)));
            // More bytes than an array can have.
            DecodeOptions all = options.withMaxPixels(Long.MAX_VALUE);
            assertEquals(ErrorCode.TOO_MANY_PIXELS, code(() -> decoder.decode(head[0], null, all)));
        }
        assertEquals(
                ErrorCode.TOO_MANY_PIXELS,
                code(() -> decoder.decode(file, null, DecodeOptions.DEFAULT.withMaxPixels(23999))));
        assertEquals(
                ErrorCode.INVALID_ARGUMENT,
                code(() -> decoder.decode(file, null, DecodeOptions.DEFAULT.withMaxPixels(-1))));
    }

    @Test
    void sizesOutOfRange() {
        int[] sides = {Integer.MIN_VALUE, -1, 0, 65536, Integer.MAX_VALUE};
        for (int side : sides) {
            for (PixelFormat format :
                    new PixelFormat[] {PixelFormat.RGBA8, PixelFormat.NV21, PixelFormat.I420}) {
                byte[] data = new byte[100];
                ByteBuffer direct = ByteBuffer.allocateDirect(100);
                for (Picture picture :
                        new Picture[] {
                            Picture.of(side, 5, format, data),
                            Picture.of(5, side, format, direct),
                            Picture.of(side, side, format, direct, 32),
                            Picture.of(5, side, format, data, Integer.MAX_VALUE - 1),
                        }) {
                    ErrorCode code = code(() -> encoder.encode(picture, EncodeOptions.DEFAULT));
                    assertEquals(ErrorCode.INVALID_ARGUMENT, code, side + " " + format);
                    code(() -> decoder.decodeInto(file, picture, DecodeOptions.DEFAULT));
                }
            }
        }
    }

    @Test
    void shortBuffers() {
        for (PixelFormat.Kind kind : PixelFormat.Kind.values()) {
            PixelFormat format =
                    new PixelFormat(kind, 12, PixelFormat.Matrix.BT601, PixelFormat.Range.FULL);
            for (int length = 0; length < 400; length += 7) {
                byte[] data = new byte[length];
                ByteBuffer direct = ByteBuffer.allocateDirect(length);
                for (Picture picture :
                        new Picture[] {
                            Picture.of(160, 150, format, data),
                            Picture.of(160, 150, format, direct),
                            Picture.of(160, 150, format, data, 1000),
                            Picture.of(160, 150, format, direct, 1000),
                        }) {
                    assertEquals(
                            ErrorCode.BUFFER_TOO_SMALL,
                            code(() -> encoder.encode(picture, EncodeOptions.DEFAULT)));
                    assertEquals(
                            ErrorCode.BUFFER_TOO_SMALL,
                            code(() -> decoder.decodeInto(file, picture, DecodeOptions.DEFAULT)));
                }
            }
        }
        Picture narrow = Picture.of(160, 2, PixelFormat.RGB8, new byte[10000], 479);
        assertEquals(
                ErrorCode.INVALID_ARGUMENT, code(() -> encoder.encode(narrow, EncodeOptions.DEFAULT)));
        Picture wrong = Picture.of(160, 149, PixelFormat.RGB8, new byte[160 * 150 * 3]);
        assertEquals(
                ErrorCode.INVALID_ARGUMENT,
                code(() -> decoder.decodeInto(file, wrong, DecodeOptions.DEFAULT)));
    }

    @Test
    void planesToDecodeIntoMustBeApartAndWritable() throws Exception {
        ByteBuffer memory = ByteBuffer.allocateDirect(160 * 150 * 2);
        Plane luma = Plane.of(memory, 160);
        Plane overlapping = Plane.of(memory.duplicate().position(160 * 150 - 1), 160);
        Plane behind = Plane.of(memory.duplicate().position(160 * 150), 160);
        DecodeOptions options = DecodeOptions.DEFAULT;
        Picture bad = Picture.of(160, 150, PixelFormat.NV12, luma, overlapping);
        assertEquals(ErrorCode.INVALID_ARGUMENT, code(() -> decoder.decodeInto(file, bad, options)));
        decoder.decodeInto(file, Picture.of(160, 150, PixelFormat.NV12, luma, behind), options);
        for (ByteBuffer readOnly :
                new ByteBuffer[] {
                    memory.asReadOnlyBuffer(), ByteBuffer.allocate(160 * 150).asReadOnlyBuffer(),
                }) {
            Picture picture = Picture.of(160, 150, PixelFormat.GRAY8, readOnly);
            assertThrows(
                    IllegalArgumentException.class, () -> decoder.decodeInto(file, picture, options));
        }
    }

    @Test
    void optionsOutOfRange() {
        Picture picture = Picture.of(8, 8, PixelFormat.GRAY8, new byte[64]);
        for (EncodeOptions options :
                new EncodeOptions[] {
                    EncodeOptions.quality(-0.1),
                    EncodeOptions.quality(100.1),
                    EncodeOptions.quality(Double.NaN),
                    EncodeOptions.quality(Double.POSITIVE_INFINITY),
                    EncodeOptions.target(-1),
                    EncodeOptions.DEFAULT.withChunkRows(63),
                    EncodeOptions.DEFAULT.withChunkRows(-64),
                    EncodeOptions.DEFAULT.withChunkRows(65600),
                    EncodeOptions.DEFAULT.withMetadata(Metadata.EMPTY.withIcc(new byte[1 << 24])),
                }) {
            assertEquals(
                    ErrorCode.INVALID_ARGUMENT,
                    code(() -> encoder.encode(picture, options)),
                    options.toString());
        }
        assertEquals(
                ErrorCode.TARGET_TOO_SMALL,
                code(() -> encoder.encode(picture, EncodeOptions.target(10))));
        for (int bits : new int[] {Integer.MIN_VALUE, 0, 7, 17, 300}) {
            Picture deep = Picture.of(5, 5, PixelFormat.gray16(bits), new byte[50]);
            assertEquals(
                    ErrorCode.INVALID_ARGUMENT,
                    code(() -> encoder.encode(deep, EncodeOptions.DEFAULT)));
        }
        for (int threads : new int[] {0, -1, Integer.MIN_VALUE}) {
            assertEquals(ErrorCode.INVALID_ARGUMENT, code(() -> new Encoder(model, threads)));
            assertEquals(ErrorCode.INVALID_ARGUMENT, code(() -> new Decoder(model, threads)));
        }
    }

    @Test
    void nulls() {
        assertThrows(NullPointerException.class, () -> Model.load((byte[]) null));
        assertThrows(NullPointerException.class, () -> encoder.encode(null, EncodeOptions.DEFAULT));
        assertThrows(NullPointerException.class, () -> decoder.decode(null));
        assertThrows(NullPointerException.class, () -> new Encoder(null));
        assertThrows(
                NullPointerException.class,
                () -> Picture.of(1, 1, PixelFormat.NV12, new Plane[] {null, null}));
        assertThrows(NullPointerException.class, () -> Picture.of(1, 1, null, new byte[1]));
    }

    /** Not reachable through the public classes; still no reason to end the process. */
    @Test
    void nativeMethodsRefuseNonsense() {
        byte[][] none = new byte[0][];
        ByteBuffer[] heap = {ByteBuffer.allocate(100)};
        int[] layout = {1, 0, 0, 0, 5, 5, 0, 25, 5};
        for (long handle : new long[] {0, -1, 12345, Long.MIN_VALUE, Long.MAX_VALUE}) {
            assertEquals(
                    ErrorCode.CLOSED,
                    code(() -> Native.encode(handle, layout, new byte[1][25], heap, 50, 0, 0, 1, 0, none)));
            assertEquals(
                    ErrorCode.CLOSED,
                    code(() -> DecoderNative.decode(handle, file, null, 0, false, 9, new int[1][])));
            assertEquals(ErrorCode.CLOSED, code(() -> Native.encoderNew(handle, 1)));
            Native.encoderFree(handle);
            Native.streamFree(handle);
            Native.modelFree(handle == 12345 ? 0 : handle);
            DecoderNative.decoderFree(handle);
        }
        long number = encoder.number();
        code(() -> Native.encode(number, null, null, null, 50, 0, 0, 1, 0, null));
        code(() -> Native.encode(number, layout, new byte[1][], heap, 50, 0, 0, 1, 0, none));
        code(() -> Native.encode(number, layout, none, new ByteBuffer[0], 50, 0, 0, 1, 0, none));
        code(() -> Native.encode(number, layout, new byte[1][], new ByteBuffer[1], 50, 0, 0, 1, 0, none));
        code(() -> Native.encode(number, layout, new byte[1][9], heap, 50, 0, 0, 1, 0, none));
        code(() -> Native.encode(number, layout, new byte[1][25], heap, 50, 0, 0, 1, 0, new byte[1][0]));
        code(() -> Native.encode(number, layout, new byte[1][25], heap, 50, 0, 0, 1, 0, new byte[1][]));
        code(() -> Native.encode(number, new int[3], new byte[1][25], heap, 50, 0, 0, 1, 0, none));
        code(() -> Native.encode(number, new int[99], new byte[1][25], heap, 50, 0, 0, 1, 0, none));
        code(() -> Native.encode(number, layout, new byte[1][25], new ByteBuffer[1], 50, 0, 0, 99, 0, none));
        code(() -> Native.encode(number, layout, new byte[1][25], new ByteBuffer[1], 50, 0, 0, 1, 99, none));
        long toDecode = decoder.number();
        code(() -> DecoderNative.decode(toDecode, file, null, -1, false, 99999, new int[1][]));
        code(() -> DecoderNative.decode(toDecode, null, null, 0, false, 99999, new int[1][]));
        code(() -> DecoderNative.decode(toDecode, file, null, 0, false, 99999, null));
        code(() -> DecoderNative.decode(toDecode, file, null, 0, false, 99999, new int[0][]));
        int[] target = {5, 0, 0, 0, 160, 150, Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE};
        ByteBuffer[] direct = {ByteBuffer.allocateDirect(10)};
        code(() -> DecoderNative.decodeInto(toDecode, file, target, new byte[1][], direct, 0, false, 99999));
        code(() -> DecoderNative.decodeInto(toDecode, file, target, new byte[1][10], direct, 0, false, 99999));
    }
}
