package pinhole;

/** Which of the model's synthesis transforms draws the picture. A model need not have both. */
public enum Synthesis {
    /** What the model's figures are about. */
    STANDARD,
    /** A smaller one, for less time. */
    LITE
}
