package pinhole;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;

/** Times of encoding a photograph, for comparing builds of the native library; README.md says how to run it. */
final class Speed {
    /** Processor time of this thread: other programs on the machine do not count. */
    private static final ThreadMXBean THREAD = ManagementFactory.getThreadMXBean();

    private Speed() {}

    public static void main(String[] arguments) throws Exception {
        byte[] photograph = Files.rgb(Files.sample("coffee.png"), 600, 400);
        // 768x512, as in docs/performance.md.
        int width = 768;
        int height = 512;
        byte[] rgb = new byte[width * height * 3];
        for (int i = 0; i < width * height; i++) {
            int from = i / width % 400 * 600 + i % width % 600;
            System.arraycopy(photograph, 3 * from, rgb, 3 * i, 3);
        }
        Picture array = Picture.of(width, height, PixelFormat.RGB8, rgb);
        Picture direct = Picture.of(width, height, PixelFormat.RGB8, Files.direct(rgb));
        try (Model model = Model.open(Files.SHIPPED);
                Encoder encoder = new Encoder(model)) {
            for (Picture picture : new Picture[] {array, direct}) {
                double[] times = new double[60];
                for (int i = 0; i < times.length; i++) {
                    long start = THREAD.getCurrentThreadCpuTime();
                    encoder.encode(picture, EncodeOptions.DEFAULT);
                    times[i] = (THREAD.getCurrentThreadCpuTime() - start) / 1e6;
                }
                Arrays.sort(times);
                System.out.printf(
                        "%s: fastest %.1f ms, median %.1f ms%n",
                        picture == array ? "byte[]" : "direct ByteBuffer", times[0], times[30]);
            }
        }
    }
}
