package pinhole;

/** Why a call failed. The numbers never change their meaning; those below 100 are those of the C library. */
public enum ErrorCode {
    /** A value is out of its range: format, dimensions, stride, quality, chunk rows, metadata, number of threads. */
    INVALID_ARGUMENT(2),
    /** A plane is shorter than the picture needs. */
    BUFFER_TOO_SMALL(3),
    /** The object failed before and can only be closed. */
    BROKEN(5),
    /** The system could not read a file. */
    IO(6),
    /** The model is damaged, incomplete for this use, or not in this library. */
    BAD_MODEL(7),
    /** The file was made for another model. */
    WRONG_MODEL(8),
    /** The file ends early: more bytes may be on their way. */
    TRUNCATED(9),
    /** The file is damaged. */
    DAMAGED(10),
    /** The bytes are no Pinhole file. */
    NOT_A_STREAM(11),
    /** The file is of a later version, or this library was built without what is asked for. */
    UNSUPPORTED(12),
    /** The picture has more pixels than the options allow, or more bytes than an array can have. */
    TOO_MANY_PIXELS(13),
    /** No quality gives a file as small as asked for. */
    TARGET_TOO_SMALL(14),
    /**
     * Rows of another width or format than the stream's, too many of them, or an odd number of 4:2:0 rows. Nothing has
     * changed: other rows may follow.
     */
    WRONG_ROWS(15),
    /** The stream was finished before the picture's last row. */
    MISSING_ROWS(16),
    /** A defect of the library; the object can only be closed. */
    INTERNAL(18),
    /** The object was closed by another thread before the call began. */
    CLOSED(100),
    /** There is no memory for the picture. */
    OUT_OF_MEMORY(101);

    private final int number;

    ErrorCode(int number) {
        this.number = number;
    }

    /** The number. */
    public int number() {
        return number;
    }

    static ErrorCode of(int number) {
        for (ErrorCode code : values()) {
            if (code.number == number) {
                return code;
            }
        }
        return INTERNAL;
    }
}
