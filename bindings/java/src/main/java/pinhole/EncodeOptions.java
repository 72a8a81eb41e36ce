package pinhole;

import java.util.Objects;

/**
 * How to encode. Values are checked when they are used.
 *
 * @param quality 0 (smallest) to 100 (best), in steps of a hundredth
 * @param targetBytes the most bytes of the whole file, which then gets the best quality within them; 0 for none. For
 *     whole pictures only, not for a {@link StreamEncoder}
 * @param chunkRows picture rows of a chunk, a multiple of 64 up to 65536; 0 for the codec's choice
 * @param metadata what to carry
 * @param effort how much work to do for a small stream
 * @param tune what to spend the bits on
 */
public record EncodeOptions(
        float quality,
        long targetBytes,
        int chunkRows,
        Metadata metadata,
        Effort effort,
        Tune tune) {
    /** Quality 50, no target, the codec's choice of chunks, no metadata, the default effort, for eyes. */
    public static final EncodeOptions DEFAULT =
            new EncodeOptions(50, 0, 0, Metadata.EMPTY, Effort.DEFAULT, Tune.PERCEPTUAL);

    /** Checks that nothing is null. */
    public EncodeOptions {
        Objects.requireNonNull(metadata);
        Objects.requireNonNull(effort);
        Objects.requireNonNull(tune);
    }

    /** The default with a quality, 0 to 100. */
    public static EncodeOptions quality(double quality) {
        return DEFAULT.withQuality(quality);
    }

    /** The default with a target size in bytes. */
    public static EncodeOptions target(long bytes) {
        return DEFAULT.withTarget(bytes);
    }

    /** The same with another quality, 0 to 100. */
    public EncodeOptions withQuality(double quality) {
        return new EncodeOptions((float) quality, targetBytes, chunkRows, metadata, effort, tune);
    }

    /** The same with a target size in bytes; 0 for none. */
    public EncodeOptions withTarget(long bytes) {
        return new EncodeOptions(quality, bytes, chunkRows, metadata, effort, tune);
    }

    /** The same with other chunks. */
    public EncodeOptions withChunkRows(int rows) {
        return new EncodeOptions(quality, targetBytes, rows, metadata, effort, tune);
    }

    /** The same with another effort. */
    public EncodeOptions withEffort(Effort effort) {
        return new EncodeOptions(quality, targetBytes, chunkRows, metadata, effort, tune);
    }

    /** The same with another tune. */
    public EncodeOptions withTune(Tune tune) {
        return new EncodeOptions(quality, targetBytes, chunkRows, metadata, effort, tune);
    }

    /** The same with metadata. */
    public EncodeOptions withMetadata(Metadata metadata) {
        return new EncodeOptions(quality, targetBytes, chunkRows, metadata, effort, tune);
    }
}
