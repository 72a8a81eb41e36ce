package pinhole;

/**
 * How much work encoding may be: which of the model's analysis transforms is used. A model need not have all of them.
 * Any decoder decodes them all.
 */
public enum Effort {
    /** Least time, larger files. */
    FAST,
    /** What the model's figures are about. */
    DEFAULT,
    /** Most time, smaller files. */
    BEST
}
