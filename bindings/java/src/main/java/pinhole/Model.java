package pinhole;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/**
 * A loaded model: the networks and tables that streams are made with. Loaded once, it serves any number of encoders
 * and decoders in any threads. These keep what they need of it: it may be closed before them.
 */
public final class Model extends Handle {
    private Model(long number) {
        super(number, Native::modelFree);
    }

    /**
     * The model inside the native library; it is loaded once, however often this is called.
     *
     * @throws PinholeException {@link ErrorCode#BAD_MODEL} if the library was built without one
     */
    public static Model embedded() throws PinholeException {
        return new Model(Native.modelEmbedded());
    }

    /**
     * Loads a bundle (a {@code .pinm} file) from memory, which is copied.
     *
     * @throws PinholeException {@link ErrorCode#BAD_MODEL}
     */
    public static Model load(byte[] bundle) throws PinholeException {
        return new Model(Native.modelLoad(Objects.requireNonNull(bundle)));
    }

    /**
     * Loads a bundle from a buffer, from its position to its limit; both stay. The bytes are copied.
     *
     * @throws PinholeException {@link ErrorCode#BAD_MODEL}
     */
    public static Model load(ByteBuffer bundle) throws PinholeException {
        return load(Pinhole.bytes(bundle));
    }

    /**
     * Loads a bundle from a file.
     *
     * @throws PinholeException {@link ErrorCode#BAD_MODEL}
     * @throws IOException if the file cannot be read
     */
    public static Model open(Path file) throws IOException {
        return load(Files.readAllBytes(file));
    }

    /** The latent space, 16 hexadecimal digits. Streams carry the same. */
    public String latentSpace() throws PinholeException {
        try {
            return Pinhole.hexadecimal(ByteBuffer.wrap(Native.modelLatentSpace(number())).getLong());
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Whether the model can encode. */
    public boolean canEncode() throws PinholeException {
        try {
            return Native.modelEncodes(number());
        } finally {
            Reference.reachabilityFence(this);
        }
    }
}
