package pinhole;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** A native library without decoder and without model; README.md says how to run this. */
@EnabledIfSystemProperty(named = "pinhole.encoderOnly", matches = "true")
class EncoderOnlyTest {
    @Test
    void encodesAndSaysWhatItLacks() throws Exception {
        assertEquals(ErrorCode.BAD_MODEL, assertThrows(PinholeException.class, Model::embedded).code());
        try (Model model = Model.open(Files.SHIPPED);
                Encoder encoder = new Encoder(model, 8)) {
            byte[] rgb = Files.rgb(Files.sample("coffee.png"), 90, 70);
            Picture picture = Picture.of(90, 70, PixelFormat.RGB8, rgb);
            byte[] file = encoder.encode(picture, EncodeOptions.DEFAULT);
            assertEquals(90, Pinhole.info(file).width());
            assertTrue(model.canEncode());
            PinholeException lacking =
                    assertThrows(PinholeException.class, () -> new Decoder(model));
            assertEquals(ErrorCode.UNSUPPORTED, lacking.code());
        }
    }
}
