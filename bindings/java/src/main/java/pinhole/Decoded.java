package pinhole;

import java.util.List;

/**
 * A decoded picture.
 *
 * @param width pixels of a row
 * @param height rows
 * @param format order of the samples
 * @param pixels rows and planes without gaps
 * @param metadata what the file carries; empty if damaged and concealed
 * @param lost chunks that were damaged; empty unless {@link DecodeOptions#conceal} is set
 */
public record Decoded(
        int width,
        int height,
        PixelFormat format,
        byte[] pixels,
        Metadata metadata,
        List<LostChunk> lost) {}
