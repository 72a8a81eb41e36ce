package pinhole;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;

/** Finds the native library. */
final class Library {
    private static final String NAME = "pinhole_jni";

    private Library() {}

    static {
        String path = System.getProperty("pinhole.native");
        if (path != null) {
            System.load(new File(path).getAbsolutePath());
        } else {
            find();
        }
    }

    /** Loads the library, if that was not done yet. */
    static void load() {
        // The work is done by the static initialiser, once.
    }

    /** Android's jniLibs and java.library.path first, then what the jar brings. */
    private static void find() {
        try {
            System.loadLibrary(NAME);
        } catch (UnsatisfiedLinkError missing) {
            Path copy = unpack();
            if (copy == null) {
                throw missing;
            }
            System.load(copy.toString());
        }
    }

    /** A copy of the library inside the jar, removed when the program ends; null if there is none for this system. */
    private static Path unpack() {
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT).split(" ")[0];
        String file = System.mapLibraryName(NAME);
        String resource = "native/" + system + "-" + System.getProperty("os.arch") + "/" + file;
        try (InputStream in = Library.class.getResourceAsStream(resource)) {
            if (in == null) {
                return null;
            }
            Path copy = Files.createTempFile("pinhole", file);
            copy.toFile().deleteOnExit();
            Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
            return copy;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
