package pinhole;

/**
 * How much work encoding may be. A model need not have what each takes. Any decoder decodes the streams of all.
 */
public enum Effort {
    /** Least time, larger files. */
    FAST,
    /** What the model's figures are about. */
    DEFAULT,
    /** Most time, smaller files: what was coded is drawn, looked at, and coded again with what it lacks. */
    BEST
}
