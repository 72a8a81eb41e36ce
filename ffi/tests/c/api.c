/* What the functions do when they are used as meant: api MODEL_FILE. Needs a model that encodes small pictures fast. */
#include "support.h"

static PinholeError error;
static PinholeModel *model;
static PinholeEncoder *encoder;
static PinholeDecoder *decoder;

static const uint32_t FORMATS[] = {
    PINHOLE_FORMAT_GRAY8,
    PINHOLE_FORMAT_GRAY_A8,
    PINHOLE_FORMAT_GRAY16,
    PINHOLE_FORMAT_GRAY16 | 12 << PINHOLE_BITS_SHIFT,
    PINHOLE_FORMAT_RGB8,
    PINHOLE_FORMAT_RGBA8,
    PINHOLE_FORMAT_BGRA8,
    PINHOLE_FORMAT_NV12,
    PINHOLE_FORMAT_NV21 | PINHOLE_BT709,
    PINHOLE_FORMAT_I420 | PINHOLE_LIMITED_RANGE,
};
#define COUNT (sizeof FORMATS / sizeof *FORMATS)
#define WIDTH 83
#define HEIGHT 141
#define GAP 13

/* The stream of a picture at a quality; free it. */
static PinholeBytes *encode(const PinholeImage *image, const PinholeEncodeOptions *options) {
  PinholeBytes *stream;
  OK(pinhole_encode(encoder, image, options, &stream, &error));
  CHECK(stream && pinhole_bytes_len(stream) > 20 && pinhole_bytes_data(stream));
  return stream;
}

static int same(const PinholeBytes *a, const PinholeBytes *b) {
  return pinhole_bytes_len(a) == pinhole_bytes_len(b) &&
         memcmp(pinhole_bytes_data(a), pinhole_bytes_data(b), pinhole_bytes_len(a)) == 0;
}

/* Gaps between rows change nothing when encoding, and are left alone when decoding. */
static void strides(uint32_t format) {
  size_t len;
  uint8_t *samples = test_picture(format, WIDTH, HEIGHT, &len), *wide[3], *from = samples;
  PinholeImage tight, loose;
  PinholeImageMut out;
  OK(pinhole_image_init(&tight, sizeof tight, format, WIDTH, HEIGHT, samples, len, &error));
  loose = tight;
  memset(&out, 0, sizeof out);
  out.size = sizeof out;
  out.format = format;
  out.width = WIDTH;
  out.height = HEIGHT;
  for (uint32_t plane = 0; plane < planes_of(format); plane++) {
    uint32_t row, rows;
    plane_size(format, plane, WIDTH, HEIGHT, &row, &rows);
    size_t stride = row + GAP, size = stride * (rows - 1) + row;
    wide[plane] = malloc(size);
    CHECK(wide[plane]);
    memset(wide[plane], 0xa5, size);
    for (uint32_t y = 0; y < rows; y++, from += row)
      memcpy(wide[plane] + y * stride, from, row);
    loose.planes[plane].data = out.planes[plane].data = wide[plane];
    loose.planes[plane].stride = out.planes[plane].stride = stride;
    loose.planes[plane].len = out.planes[plane].len = size;
  }
  CHECK(from == samples + len);
  PinholeBytes *a = encode(&tight, NULL), *b = encode(&loose, NULL);
  CHECK(same(a, b));

  PinholeImageMut whole;
  uint8_t *back = malloc(len);
  CHECK(back);
  OK(pinhole_image_mut_init(&whole, sizeof whole, format, WIDTH, HEIGHT, back, len, &error));
  const uint8_t *data = pinhole_bytes_data(a);
  size_t data_len = pinhole_bytes_len(a);
  OK(pinhole_decode_into(decoder, data, data_len, NULL, &whole, NULL, &error));
  PinholeDecoded *decoded;
  OK(pinhole_decode_into(decoder, data, data_len, NULL, &out, &decoded, &error));
  CHECK(pinhole_decoded_damaged_count(decoded) == 0);
  PinholeImage none;
  FAILS(PINHOLE_STATUS_INVALID_ARGUMENT,
        pinhole_decoded_image(decoded, &none, sizeof none, &error));
  pinhole_decoded_free(decoded);
  const uint8_t *expected = back;
  for (uint32_t plane = 0; plane < planes_of(format); plane++) {
    uint32_t row, rows;
    plane_size(format, plane, WIDTH, HEIGHT, &row, &rows);
    for (uint32_t y = 0; y < rows; y++, expected += row) {
      const uint8_t *found = wide[plane] + (size_t)y * (row + GAP);
      CHECK(memcmp(found, expected, row) == 0);
      for (uint32_t i = 0; y + 1 < rows && i < GAP; i++)
        CHECK(found[row + i] == 0xa5);
    }
    free(wide[plane]);
  }
  free(back);
  free(samples);
  pinhole_bytes_free(a);
  pinhole_bytes_free(b);
}

typedef struct {
  uint8_t data[1 << 16];
  size_t len;
  int heads, latents, alphas;
  int stop_after;
  PinholeStream *stream;
  PinholeStatus reentered;
} Sink;

static int32_t take(void *user, uint32_t kind, uint32_t band, const uint8_t *data, size_t len) {
  Sink *sink = user;
  CHECK(sink->len + len <= sizeof sink->data);
  memcpy(sink->data + sink->len, data, len);
  sink->len += len;
  if (kind == PINHOLE_PIECE_KIND_HEAD) {
    CHECK(sink->len == len && band == 0);
    sink->heads++;
  } else if (kind == PINHOLE_PIECE_KIND_LATENTS) {
    CHECK(band == (uint32_t)sink->latents);
    sink->latents++;
  } else {
    CHECK(kind == PINHOLE_PIECE_KIND_ALPHA && band == (uint32_t)sink->alphas);
    sink->alphas++;
  }
  sink->reentered = pinhole_stream_finish(sink->stream, NULL);
  return sink->stop_after && --sink->stop_after == 0 ? 7 : 0;
}

/* Bands of rows give the stream of the whole picture, a piece at a time. */
static void bands(uint32_t format, uint32_t step) {
  size_t len;
  uint8_t *samples = test_picture(format, WIDTH, HEIGHT, &len);
  PinholeImage image;
  PinholeEncodeOptions options;
  OK(pinhole_image_init(&image, sizeof image, format, WIDTH, HEIGHT, samples, len, &error));
  OK(pinhole_encode_options_init(&options, sizeof options, &error));
  options.quality = 30;
  options.chunk_rows = 64;
  PinholeBytes *whole = encode(&image, &options);
  Sink sink = {.len = 0};
  OK(pinhole_stream_new(model, format, WIDTH, HEIGHT, &options, take, &sink, &sink.stream, &error));
  for (uint32_t y = 0; y < HEIGHT; y += step) {
    PinholeImage rows = image;
    rows.height = HEIGHT - y < step ? HEIGHT - y : step;
    for (uint32_t plane = 0; plane < planes_of(format); plane++) {
      size_t skip = image.planes[plane].stride * (plane ? y / 2 : y);
      rows.planes[plane].data += skip;
      rows.planes[plane].len -= skip;
    }
    if (y)
      FAILS(PINHOLE_STATUS_MISSING_ROWS, pinhole_stream_finish(sink.stream, &error));
    OK(pinhole_stream_push_rows(sink.stream, &rows, &error));
  }
  FAILS(PINHOLE_STATUS_WRONG_ROWS, pinhole_stream_push_rows(sink.stream, &image, &error));
  OK(pinhole_stream_finish(sink.stream, &error));
  pinhole_stream_free(sink.stream);
  CHECK(sink.len == pinhole_bytes_len(whole));
  CHECK(memcmp(sink.data, pinhole_bytes_data(whole), sink.len) == 0);
  CHECK(sink.heads == 1 && sink.latents == 3 && (sink.alphas == 0 || sink.alphas == 3));
  CHECK(sink.reentered == PINHOLE_STATUS_BUSY);
  pinhole_bytes_free(whole);

  /* The callback may stop a stream. */
  memset(&sink, 0, sizeof sink);
  sink.stop_after = 2;
  OK(pinhole_stream_new(model, format, WIDTH, HEIGHT, &options, take, &sink, &sink.stream, &error));
  FAILS(PINHOLE_STATUS_STOPPED, pinhole_stream_push_rows(sink.stream, &image, &error));
  CHECK(sink.heads == 1 && sink.latents == 1 && sink.alphas == 0);
  FAILS(PINHOLE_STATUS_BROKEN, pinhole_stream_push_rows(sink.stream, &image, &error));
  FAILS(PINHOLE_STATUS_BROKEN, pinhole_stream_finish(sink.stream, &error));
  pinhole_stream_free(sink.stream);
  options.target_bytes = 1000;
  FAILS(PINHOLE_STATUS_INVALID_ARGUMENT,
        pinhole_stream_new(model, format, WIDTH, HEIGHT, &options, take, &sink, &sink.stream,
                           &error));
  CHECK(sink.stream == NULL);
  free(samples);
}

/* Header, metadata, target size, damage. */
static void the_rest(void) {
  size_t len;
  uint8_t *samples = test_picture(PINHOLE_FORMAT_RGBA8, WIDTH, HEIGHT, &len);
  PinholeImage image;
  PinholeEncodeOptions options;
  OK(pinhole_image_init(&image, sizeof image, PINHOLE_FORMAT_RGBA8, WIDTH, HEIGHT, samples, len,
                        &error));
  OK(pinhole_encode_options_init(&options, sizeof options, &error));
  CHECK(options.size == sizeof options && options.quality == 50 && options.chunk_rows == 256);
  const PinholeMetadata records[] = {
      {PINHOLE_METADATA_KIND_EXIF, (const uint8_t *)"II*", 4},
      {PINHOLE_METADATA_KIND_XMP, (const uint8_t *)"<x/>", 4},
      {200, NULL, 0},
  };
  options.metadata = records;
  options.metadata_count = 3;
  options.chunk_rows = 64;
  options.quality = 62.5f;
  PinholeBytes *stream = encode(&image, &options);
  const uint8_t *data = pinhole_bytes_data(stream), *record;
  size_t data_len = pinhole_bytes_len(stream), record_len;

  PinholeInfo info;
  uint8_t name[8];
  OK(pinhole_info(data, data_len, &info, sizeof info, &error));
  OK(pinhole_model_latent_space(model, name, &error));
  CHECK(info.size == sizeof info && info.width == WIDTH && info.height == HEIGHT);
  CHECK(info.format == PINHOLE_FORMAT_RGBA8 && info.quality == 62.5f);
  CHECK(info.chunk_rows == 64 && info.bands == 3 && memcmp(info.latent_space, name, 8) == 0);
  FAILS(PINHOLE_STATUS_TRUNCATED, pinhole_info(data, 20, &info, sizeof info, &error));
  FAILS(PINHOLE_STATUS_NOT_A_STREAM, pinhole_info(samples, len, &info, sizeof info, &error));

  OK(pinhole_metadata(data, data_len, PINHOLE_METADATA_KIND_XMP, &record, &record_len, &error));
  CHECK(record_len == 4 && memcmp(record, "<x/>", 4) == 0);
  CHECK(record > data && record < data + info.chunks_start);
  OK(pinhole_metadata(data, data_len, PINHOLE_METADATA_KIND_ICC, &record, &record_len, &error));
  CHECK(record == NULL && record_len == 0);
  OK(pinhole_metadata(data, data_len, 200, &record, &record_len, &error));
  CHECK(record != NULL && record_len == 0);
  FAILS(PINHOLE_STATUS_TRUNCATED,
        pinhole_metadata(data, info.chunks_start - 1, 1, &record, &record_len, &error));

  /* Damage in the last chunk. */
  uint8_t *broken = malloc(data_len);
  CHECK(broken);
  memcpy(broken, data, data_len);
  broken[data_len - 3] ^= 0x40;
  PinholeDecoded *decoded, *intact;
  PinholeDecodeOptions conceal;
  FAILS(PINHOLE_STATUS_DAMAGED, pinhole_decode(decoder, broken, data_len, NULL, &decoded, &error));
  CHECK(decoded == NULL);
  OK(pinhole_decode_options_init(&conceal, sizeof conceal, &error));
  CHECK(conceal.conceal == 0 && conceal.scale == 1 && conceal.max_pixels == 1 << 27);
  conceal.scale = 4;
  OK(pinhole_decode(decoder, data, data_len, &conceal, &decoded, &error));
  PinholeImage quarter;
  OK(pinhole_decoded_image(decoded, &quarter, sizeof quarter, &error));
  CHECK(quarter.width == (WIDTH + 3) / 4 && quarter.height == (HEIGHT + 3) / 4);
  CHECK(quarter.format == PINHOLE_FORMAT_RGBA8);
  pinhole_decoded_free(decoded);
  conceal.scale = 1;
  conceal.decoder = PINHOLE_SYNTHESIS_LITE;
  FAILS(PINHOLE_STATUS_BAD_MODEL, pinhole_decode(decoder, data, data_len, &conceal, &decoded, &error));
  CHECK(strstr(error.message, "decoder lite"));
  conceal.decoder = 9;
  FAILS(PINHOLE_STATUS_INVALID_ARGUMENT, pinhole_decode(decoder, data, data_len, &conceal, &decoded, &error));
  conceal.decoder = PINHOLE_SYNTHESIS_STANDARD;
  conceal.conceal = 1;
  OK(pinhole_decode(decoder, broken, data_len, &conceal, &decoded, &error));
  uint32_t kind = 9, band = 9;
  CHECK(pinhole_decoded_damaged_count(decoded) == 1);
  OK(pinhole_decoded_damaged(decoded, 0, &kind, &band, &error));
  CHECK(kind == PINHOLE_PIECE_KIND_ALPHA && band == 2);
  FAILS(PINHOLE_STATUS_INVALID_ARGUMENT,
        pinhole_decoded_damaged(decoded, 1, &kind, &band, &error));
  OK(pinhole_decode(decoder, data, data_len, NULL, &intact, &error));
  PinholeImage a, b;
  OK(pinhole_decoded_image(decoded, &a, sizeof a, &error));
  OK(pinhole_decoded_image(intact, &b, sizeof b, &error));
  CHECK(a.width == WIDTH && a.height == HEIGHT && a.format == PINHOLE_FORMAT_RGBA8);
  CHECK(a.planes[0].stride == WIDTH * 4 && a.planes[0].len == WIDTH * 4 * HEIGHT);
  CHECK(memcmp(a.planes[0].data, b.planes[0].data, WIDTH * 4 * 128) == 0);
  CHECK(b.planes[0].data[3] == samples[3]);
  pinhole_decoded_free(decoded);
  pinhole_decoded_free(intact);
  conceal.max_pixels = WIDTH * HEIGHT - 1;
  FAILS(PINHOLE_STATUS_TOO_MANY_PIXELS,
        pinhole_decode(decoder, data, data_len, &conceal, &decoded, &error));
  free(broken);

  /* Without alpha, so that the size is the quality's alone. */
  image.format = PINHOLE_FORMAT_RGB8;
  image.planes[0].stride = WIDTH * 3;
  options.metadata_count = 0;
  options.quality = 100;
  PinholeBytes *best = encode(&image, &options);
  options.target_bytes = pinhole_bytes_len(best) * 3 / 4;
  PinholeBytes *half = encode(&image, &options);
  CHECK(pinhole_bytes_len(half) <= options.target_bytes);
  CHECK(pinhole_bytes_len(half) > options.target_bytes / 2);
  options.target_bytes = 10;
  PinholeBytes *none;
  FAILS(PINHOLE_STATUS_TARGET_TOO_SMALL, pinhole_encode(encoder, &image, &options, &none, &error));
  CHECK(none == NULL);
  pinhole_bytes_free(best);
  pinhole_bytes_free(half);
  pinhole_bytes_free(stream);
  free(samples);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  CHECK(pinhole_abi_version() == PINHOLE_ABI_VERSION);
  CHECK(strchr(pinhole_version(), '.'));
  CHECK(strcmp(pinhole_status_text(PINHOLE_STATUS_OK), "done") == 0);
  CHECK(strcmp(pinhole_status_text(-1), "unknown status") == 0);

  /* The three ways to a model. */
  PinholeModel *same_model;
  uint8_t a[8], b[8];
  size_t len;
  const char *text;
  uint8_t *file = read_file(argv[1], &len);
  OK(pinhole_model_from_memory(file, len, &same_model, &error));
  OK(pinhole_model_open(argv[1], &model, &error));
  free(file);
  OK(pinhole_model_latent_space(model, a, &error));
  OK(pinhole_model_latent_space(same_model, b, &error));
  CHECK(memcmp(a, b, 8) == 0);
  pinhole_model_free(same_model);
  OK(pinhole_model_embedded(&same_model, &error));
  OK(pinhole_model_latent_space(same_model, b, &error));
  CHECK(memcmp(a, b, 8) != 0);
  OK(pinhole_model_manifest(same_model, &text, &len, &error));
  CHECK(len > 2 && text[0] == '{');

  OK(pinhole_encoder_new(model, 2, &encoder, &error));
  OK(pinhole_decoder_new(same_model, 1, &decoder, &error));
  pinhole_model_free(same_model);
  size_t samples_len;
  uint8_t *samples = test_picture(PINHOLE_FORMAT_GRAY8, 20, 20, &samples_len);
  PinholeImage image;
  PinholeDecoded *decoded;
  OK(pinhole_image_init(&image, sizeof image, PINHOLE_FORMAT_GRAY8, 20, 20, samples, samples_len,
                        &error));
  PinholeBytes *stream = encode(&image, NULL);
  FAILS(PINHOLE_STATUS_WRONG_MODEL, pinhole_decode(decoder, pinhole_bytes_data(stream),
                                                   pinhole_bytes_len(stream), NULL, &decoded,
                                                   &error));
  pinhole_bytes_free(stream);
  free(samples);
  pinhole_decoder_free(decoder);

  OK(pinhole_decoder_new(model, 2, &decoder, &error));
  for (size_t i = 0; i < COUNT; i++) {
    strides(FORMATS[i]);
    bands(FORMATS[i], 16);
    bands(FORMATS[i], 62);
  }
  the_rest();
  pinhole_model_free(model);
  pinhole_encoder_free(encoder);
  pinhole_decoder_free(decoder);
  printf("api: %zu formats\n", COUNT);
  return 0;
}
