package pinhole;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** ICC profile, Exif and XMP that a file carries. Records of other kinds are kept. Immutable. */
public final class Metadata {
    private static final int ICC = 1;
    private static final int EXIF = 2;
    private static final int XMP = 3;

    /** No metadata. */
    public static final Metadata EMPTY = new Metadata(List.of());

    /** Each begins with its kind. */
    private final List<byte[]> records;

    private Metadata(List<byte[]> records) {
        this.records = records;
    }

    static Metadata ofRecords(byte[][] records) {
        return records.length == 0 ? EMPTY : new Metadata(List.of(records));
    }

    /** The same with an ICC colour profile. */
    public Metadata withIcc(byte[] profile) {
        return with(ICC, profile);
    }

    /** The same with Exif, from its TIFF header on. */
    public Metadata withExif(byte[] exif) {
        return with(EXIF, exif);
    }

    /** The same with XMP, a packet in UTF-8. */
    public Metadata withXmp(byte[] packet) {
        return with(XMP, packet);
    }

    /** The ICC colour profile. */
    public Optional<byte[]> icc() {
        return get(ICC);
    }

    /** Exif, from its TIFF header on. */
    public Optional<byte[]> exif() {
        return get(EXIF);
    }

    /** XMP, a packet in UTF-8. */
    public Optional<byte[]> xmp() {
        return get(XMP);
    }

    /** Whether there is none. */
    public boolean isEmpty() {
        return records.isEmpty();
    }

    byte[][] records() {
        return records.toArray(new byte[0][]);
    }

    private Metadata with(int kind, byte[] data) {
        List<byte[]> list = new ArrayList<>(records);
        list.removeIf(record -> record[0] == kind);
        byte[] record = new byte[data.length + 1];
        record[0] = (byte) kind;
        System.arraycopy(data, 0, record, 1, data.length);
        list.add(record);
        return new Metadata(List.copyOf(list));
    }

    private Optional<byte[]> get(int kind) {
        for (byte[] record : records) {
            if (record[0] == kind) {
                return Optional.of(Arrays.copyOfRange(record, 1, record.length));
            }
        }
        return Optional.empty();
    }
}
