package pinhole;

/** What the bits of a stream are spent on. Any decoder decodes the streams of all. */
public enum Tune {
    /** What eyes see: fewer bits where more is going on. What the model's figures are about. */
    PERCEPTUAL,
    /** The least squared error. */
    PSNR
}
