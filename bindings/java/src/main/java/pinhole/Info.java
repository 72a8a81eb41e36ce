package pinhole;

/**
 * What the header of a file says.
 *
 * @param width pixels of a row
 * @param height rows
 * @param gray whether the picture has no colour
 * @param alpha whether it has transparency
 * @param quality 0 to 100
 * @param chunkRows rows of a chunk
 * @param chunks number of chunks
 * @param latentSpace which models can decode it; see {@link Model#latentSpace}
 */
public record Info(
        int width,
        int height,
        boolean gray,
        boolean alpha,
        float quality,
        int chunkRows,
        int chunks,
        String latentSpace) {}
