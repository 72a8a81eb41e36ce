package pinhole;

import java.util.Objects;

/**
 * How to decode.
 *
 * @param conceal decode what is left of a damaged file and fill in the rest, instead of failing
 * @param maxPixels refuse pictures of more pixels. Decoding takes up to about 12 bytes a pixel of native memory, and a
 *     few bytes can claim to be a large picture: choose what your program can bear
 * @param decoder which synthesis transform to use
 */
public record DecodeOptions(boolean conceal, long maxPixels, Synthesis decoder) {
    /** No concealment, at most 2^27 pixels, the standard synthesis. */
    public static final DecodeOptions DEFAULT =
            new DecodeOptions(false, 1L << 27, Synthesis.STANDARD);

    /** Checks that nothing is null. */
    public DecodeOptions {
        Objects.requireNonNull(decoder);
    }

    /** The same with or without concealment. */
    public DecodeOptions withConceal(boolean conceal) {
        return new DecodeOptions(conceal, maxPixels, decoder);
    }

    /** The same with another limit. */
    public DecodeOptions withMaxPixels(long pixels) {
        return new DecodeOptions(conceal, pixels, decoder);
    }

    /** The same with another synthesis. */
    public DecodeOptions withDecoder(Synthesis decoder) {
        return new DecodeOptions(conceal, maxPixels, decoder);
    }
}
