package pinhole;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;

/** Decodes files; keeps its buffers between them. Calls from several threads run one after the other. */
public final class Decoder extends Handle {
    /**
     * A decoder of one thread.
     *
     * @throws PinholeException {@link ErrorCode#BAD_MODEL} if the model cannot decode, {@link ErrorCode#UNSUPPORTED} in
     *     an encoder-only build of the native library
     */
    public Decoder(Model model) throws PinholeException {
        this(model, 1);
    }

    /**
     * A decoder that uses up to so many threads of a pool that all encoders and decoders share. The pixels do not
     * depend on it.
     *
     * @param threads 1 or more
     * @throws PinholeException as {@link #Decoder(Model)}, and {@link ErrorCode#INVALID_ARGUMENT}
     */
    public Decoder(Model model, int threads) throws PinholeException {
        super(create(model, threads), DecoderNative::decoderFree);
    }

    private static long create(Model model, int threads) throws PinholeException {
        // Loads the library, so that a link error below means that this function is missing.
        Pinhole.version();
        try {
            return DecoderNative.decoderNew(model.number(), threads);
        } catch (UnsatisfiedLinkError e) {
            throw new PinholeException(
                    ErrorCode.UNSUPPORTED, "this library was built for encoding only");
        } finally {
            Reference.reachabilityFence(model);
        }
    }

    /** Decodes a whole file in its own format: grey or RGB, with or without alpha. */
    public Decoded decode(byte[] file) throws PinholeException {
        return decode(file, null, DecodeOptions.DEFAULT);
    }

    /** As {@link #decode(byte[], PixelFormat, DecodeOptions)}, from a buffer's position to its limit; both stay. */
    public Decoded decode(ByteBuffer file, PixelFormat format, DecodeOptions options)
            throws PinholeException {
        return decode(Pinhole.bytes(file), format, options);
    }

    /**
     * Decodes a whole file.
     *
     * @param format what to decode to, or null for the file's own format. Alpha is opaque where the file has none and
     *     dropped where the format has none; colour becomes grey and grey becomes colour where need be
     * @throws PinholeException for anything but a whole, undamaged file of the model's latent space; with
     *     {@link DecodeOptions#conceal} only for a damaged header, another latent space, or no intact chunk at all
     */
    public Decoded decode(byte[] file, PixelFormat format, DecodeOptions options)
            throws PinholeException {
        Info info = Pinhole.info(file);
        PixelFormat own = format == null ? own(info) : format;
        int[][] report = new int[1][];
        byte[] pixels;
        try {
            int[] layout = own.describe(info.width(), info.height(), 0);
            pixels =
                    DecoderNative.decode(
                            number(),
                            file,
                            layout,
                            options.decoder().ordinal(),
                            options.conceal(),
                            options.maxPixels(),
                            report);
        } finally {
            Reference.reachabilityFence(this);
        }
        Metadata metadata = metadata(file, options);
        List<LostChunk> lost = LostChunk.of(report[0]);
        return new Decoded(info.width(), info.height(), own, pixels, metadata, lost);
    }

    /**
     * Decodes a whole file into the caller's memory.
     *
     * @param target of the size that {@link Pinhole#info} tells, in any format. The bytes between rows stay as they
     *     are. After an error the samples are anything
     * @return chunks that were damaged; none unless {@link DecodeOptions#conceal} is set
     * @throws PinholeException as {@link #decode(byte[], PixelFormat, DecodeOptions)}, and for a target of another size
     *     or with planes that overlap
     * @throws IllegalArgumentException for a read-only buffer
     */
    public List<LostChunk> decodeInto(byte[] file, Picture target, DecodeOptions options)
            throws PinholeException {
        target.checkWritable();
        try {
            return LostChunk.of(
                    DecoderNative.decodeInto(
                            number(),
                            Objects.requireNonNull(file),
                            target.layout(),
                            target.arrays(),
                            target.buffers(),
                            options.decoder().ordinal(),
                            options.conceal(),
                            options.maxPixels()));
        } finally {
            Reference.reachabilityFence(this);
            Reference.reachabilityFence(target);
        }
    }

    /** As {@link #decodeInto(byte[], Picture, DecodeOptions)}, from a buffer's position to its limit; both stay. */
    public List<LostChunk> decodeInto(ByteBuffer file, Picture target, DecodeOptions options)
            throws PinholeException {
        return decodeInto(Pinhole.bytes(file), target, options);
    }

    private static PixelFormat own(Info info) {
        if (info.gray()) {
            return info.alpha() ? PixelFormat.GRAYA8 : PixelFormat.GRAY8;
        }
        return info.alpha() ? PixelFormat.RGBA8 : PixelFormat.RGB8;
    }

    private static Metadata metadata(byte[] file, DecodeOptions options) throws PinholeException {
        try {
            return Pinhole.metadata(file);
        } catch (PinholeException e) {
            if (options.conceal()) {
                return Metadata.EMPTY;
            }
            throw e;
        }
    }
}
