package pinhole;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;

/** What the tests read. */
final class Files {
    private Files() {}

    static final Path ROOT = Path.of(System.getProperty("pinhole.root", "../.."));
    static final Path SHIPPED = ROOT.resolve("models/zoo/photo/photo.pinm");
    static final Path TOY = ROOT.resolve("tests/conformance/toy.pinm");

    static byte[] read(Path path) {
        try {
            return java.nio.file.Files.readAllBytes(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Lines that are no comments. */
    static List<String> lines(String name) throws IOException {
        List<String> lines = java.nio.file.Files.readAllLines(ROOT.resolve("tests/conformance").resolve(name));
        return lines.stream().filter(line -> !line.startsWith("#")).toList();
    }

    /** A photograph. */
    static BufferedImage sample(String name) throws IOException {
        BufferedImage image = ImageIO.read(ROOT.resolve("samples").resolve(name).toFile());
        if (image == null) {
            throw new IOException(name + " is no picture");
        }
        return image;
    }

    /** Red, green, blue of a rectangle of a photograph. */
    static byte[] rgb(BufferedImage image, int width, int height) {
        int[] pixels = image.getRGB(0, 0, width, height, null, 0, width);
        byte[] rgb = new byte[pixels.length * 3];
        for (int i = 0; i < pixels.length; i++) {
            rgb[3 * i] = (byte) (pixels[i] >> 16);
            rgb[3 * i + 1] = (byte) (pixels[i] >> 8);
            rgb[3 * i + 2] = (byte) pixels[i];
        }
        return rgb;
    }

    static ByteBuffer direct(byte[] bytes) {
        return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    }

    static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    /** Peak signal-to-noise ratio in decibels. */
    static double psnr(byte[] a, byte[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            double d = (a[i] & 255) - (b[i] & 255);
            sum += d * d;
        }
        return 10 * Math.log10(255.0 * 255.0 * a.length / Math.max(sum, 1));
    }
}
