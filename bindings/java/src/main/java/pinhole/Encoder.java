package pinhole;

import java.lang.ref.Reference;

/** Encodes pictures; keeps its buffers between them. Calls from several threads run one after the other. */
public final class Encoder extends Handle {
    /**
     * An encoder of one thread.
     *
     * @throws PinholeException {@link ErrorCode#BAD_MODEL} if the model cannot encode
     */
    public Encoder(Model model) throws PinholeException {
        this(model, 1);
    }

    /**
     * An encoder that uses up to so many threads of a pool that all encoders and decoders share. The bytes do not
     * depend on it.
     *
     * @param threads 1 or more
     * @throws PinholeException {@link ErrorCode#BAD_MODEL}, {@link ErrorCode#INVALID_ARGUMENT}
     */
    public Encoder(Model model, int threads) throws PinholeException {
        super(create(model, threads), Native::encoderFree);
    }

    private static long create(Model model, int threads) throws PinholeException {
        try {
            return Native.encoderNew(model.number(), threads);
        } finally {
            Reference.reachabilityFence(model);
        }
    }

    /**
     * Encodes a picture to a whole file.
     *
     * @throws PinholeException for sizes and options out of range, planes that are too short, a target that cannot be
     *     reached
     */
    public byte[] encode(Picture picture, EncodeOptions options) throws PinholeException {
        try {
            return Native.encode(
                    number(),
                    picture.layout(),
                    picture.arrays(),
                    picture.buffers(),
                    options.quality(),
                    options.targetBytes(),
                    options.chunkRows(),
                    options.effort().ordinal(),
                    options.tune().ordinal(),
                    options.metadata().records());
        } finally {
            Reference.reachabilityFence(this);
            Reference.reachabilityFence(picture);
        }
    }
}
