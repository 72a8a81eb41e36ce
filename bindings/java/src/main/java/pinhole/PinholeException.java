package pinhole;

import java.io.IOException;

/** A picture that cannot be encoded or decoded; the message names the values at fault. */
public final class PinholeException extends IOException {
    private static final long serialVersionUID = 1;

    private final ErrorCode code;

    /** Called by native code. */
    PinholeException(int code, String message) {
        this(ErrorCode.of(code), message);
    }

    PinholeException(ErrorCode code, String message) {
        super(message);
        this.code = code;
    }

    /** What went wrong. */
    public ErrorCode code() {
        return code;
    }
}
