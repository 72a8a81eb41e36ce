package pinhole;

import java.util.ArrayList;
import java.util.List;

/**
 * A chunk that was damaged and has been concealed.
 *
 * @param band the band of rows, from 0 at the top
 * @param alpha whether it held the band's transparency rather than its colours
 */
public record LostChunk(int band, boolean alpha) {
    static List<LostChunk> of(int[] numbers) {
        List<LostChunk> list = new ArrayList<>(numbers.length);
        for (int number : numbers) {
            list.add(new LostChunk(number >> 2, (number & 3) == 1));
        }
        return List.copyOf(list);
    }
}
