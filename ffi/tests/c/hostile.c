/* Every function with null, short and hostile arguments, from several threads at once: hostile MODEL_FILE.
 * Some handles belong to one thread, some to all: those answer BUSY where they are in use. */
#include "support.h"
#include <pthread.h>

#define THREADS 4
#define ROUNDS 6
#define SIDE 48

static PinholeModel *model;
static PinholeEncoder *shared_encoder;
static PinholeDecoder *shared_decoder;
static uint8_t *bundle;
static size_t bundle_len;

static int32_t ignore(void *user, uint32_t kind, uint32_t band, const uint8_t *data, size_t len) {
  (void)kind, (void)band, (void)data;
  *(size_t *)user += len;
  return 0;
}

#define NUL PINHOLE_STATUS_NULL_ARGUMENT
#define BAD PINHOLE_STATUS_INVALID_ARGUMENT
#define SHORT PINHOLE_STATUS_BUFFER_TOO_SMALL

static void nulls(PinholeEncoder *encoder, PinholeDecoder *decoder, const PinholeImage *image,
                  const uint8_t *data, size_t len) {
  PinholeError error;
  PinholeModel *m;
  PinholeEncoder *e;
  PinholeDecoder *d;
  PinholeBytes *b;
  PinholeDecoded *o;
  PinholeStream *s;
  PinholeInfo info;
  PinholeImage i;
  PinholeImageMut im;
  uint8_t space[8], sample[64] = {0};
  const uint8_t *record;
  const char *text;
  size_t n = 0;
  uint32_t u;

  FAILS(NUL, pinhole_model_embedded(NULL, &error));
  FAILS(NUL, pinhole_model_from_memory(NULL, 9, &m, &error));
  CHECK(m == NULL);
  FAILS(NUL, pinhole_model_from_memory(NULL, 0, &m, &error));
  FAILS(NUL, pinhole_model_from_memory(bundle, bundle_len, NULL, &error));
  FAILS(NUL, pinhole_model_open(NULL, &m, &error));
  FAILS(NUL, pinhole_model_open("x", NULL, &error));
  FAILS(NUL, pinhole_model_latent_space(NULL, space, &error));
  FAILS(NUL, pinhole_model_latent_space(model, NULL, &error));
  FAILS(NUL, pinhole_model_manifest(NULL, &text, &n, &error));
  FAILS(NUL, pinhole_model_manifest(model, NULL, &n, &error));
  FAILS(NUL, pinhole_model_manifest(model, &text, NULL, &error));
  FAILS(NUL, pinhole_encoder_new(NULL, 1, &e, &error));
  CHECK(e == NULL);
  FAILS(NUL, pinhole_encoder_new(model, 1, NULL, &error));
  FAILS(NUL, pinhole_encode(NULL, image, NULL, &b, &error));
  CHECK(b == NULL);
  FAILS(NUL, pinhole_encode(encoder, NULL, NULL, &b, &error));
  FAILS(NUL, pinhole_encode(encoder, image, NULL, NULL, &error));
  CHECK(pinhole_bytes_data(NULL) == NULL && pinhole_bytes_len(NULL) == 0);
  FAILS(NUL, pinhole_stream_new(NULL, 4, 9, 9, NULL, ignore, &n, &s, &error));
  CHECK(s == NULL);
  FAILS(NUL, pinhole_stream_new(model, 4, 9, 9, NULL, NULL, &n, &s, &error));
  FAILS(NUL, pinhole_stream_new(model, 4, 9, 9, NULL, ignore, &n, NULL, &error));
  FAILS(NUL, pinhole_stream_push_rows(NULL, image, &error));
  FAILS(NUL, pinhole_stream_finish(NULL, &error));
  FAILS(NUL, pinhole_decoder_new(NULL, 1, &d, &error));
  CHECK(d == NULL);
  FAILS(NUL, pinhole_decoder_new(model, 1, NULL, &error));
  FAILS(NUL, pinhole_decode(NULL, data, len, NULL, &o, &error));
  CHECK(o == NULL);
  FAILS(NUL, pinhole_decode(decoder, NULL, len, NULL, &o, &error));
  FAILS(NUL, pinhole_decode(decoder, data, len, NULL, NULL, &error));
  FAILS(PINHOLE_STATUS_TRUNCATED, pinhole_decode(decoder, NULL, 0, NULL, &o, &error));
  FAILS(NUL, pinhole_decode_into(NULL, data, len, NULL, &im, NULL, &error));
  FAILS(NUL, pinhole_decode_into(decoder, NULL, len, NULL, &im, NULL, &error));
  FAILS(NUL, pinhole_decode_into(decoder, data, len, NULL, NULL, NULL, &error));
  FAILS(NUL, pinhole_decoded_image(NULL, &i, sizeof i, &error));
  CHECK(pinhole_decoded_damaged_count(NULL) == 0);
  FAILS(NUL, pinhole_decoded_damaged(NULL, 0, &u, &u, &error));
  FAILS(NUL, pinhole_info(NULL, 9, &info, sizeof info, &error));
  FAILS(NUL, pinhole_info(data, len, NULL, sizeof info, &error));
  FAILS(NUL, pinhole_metadata(NULL, 9, 1, &record, &n, &error));
  FAILS(NUL, pinhole_metadata(data, len, 1, NULL, &n, &error));
  FAILS(NUL, pinhole_metadata(data, len, 1, &record, NULL, &error));
  FAILS(NUL, pinhole_encode_options_init(NULL, 48, &error));
  FAILS(NUL, pinhole_decode_options_init(NULL, 24, &error));
  FAILS(NUL, pinhole_image_init(NULL, sizeof i, 1, 8, 8, sample, 64, &error));
  FAILS(NUL, pinhole_image_init(&i, sizeof i, 1, 8, 8, NULL, 64, &error));
  FAILS(NUL, pinhole_image_mut_init(NULL, sizeof im, 1, 8, 8, sample, 64, &error));
  FAILS(NUL, pinhole_image_mut_init(&im, sizeof im, 1, 8, 8, NULL, 64, &error));
  FAILS(NUL, pinhole_buffer_len(1, 8, 8, NULL, &error));
  pinhole_model_free(NULL);
  pinhole_encoder_free(NULL);
  pinhole_bytes_free(NULL);
  pinhole_stream_free(NULL);
  pinhole_decoder_free(NULL);
  pinhole_decoded_free(NULL);
  /* No place for the reason: the status is all there is. */
  CHECK(pinhole_encode(NULL, NULL, NULL, NULL, NULL) == NUL);
  CHECK(pinhole_decode(NULL, NULL, 1, NULL, NULL, NULL) == NUL);
}

static void images(PinholeEncoder *encoder, PinholeDecoder *decoder, const PinholeImage *good,
                   const uint8_t *data, size_t len) {
  PinholeError error;
  PinholeBytes *b;
  size_t n = 0;
#define WITH(change, expected)                                                                     \
  do {                                                                                             \
    PinholeImage image = *good;                                                                    \
    image.change;                                                                                  \
    FAILS(expected, pinhole_encode(encoder, &image, NULL, &b, &error));                            \
    CHECK(b == NULL);                                                                              \
  } while (0)
  WITH(size = 0, BAD);
  WITH(size = sizeof(PinholeImage) - 1, BAD);
  WITH(size = SIZE_MAX, BAD);
  WITH(format = 0, BAD);
  WITH(format = 0xff, BAD);
  WITH(format = PINHOLE_FORMAT_RGB8 | PINHOLE_BT709, BAD);
  WITH(format = PINHOLE_FORMAT_GRAY16 | 17 << PINHOLE_BITS_SHIFT, BAD);
  WITH(format = PINHOLE_FORMAT_GRAY16 | 7 << PINHOLE_BITS_SHIFT, BAD);
  WITH(format = UINT32_MAX, BAD);
  WITH(format = PINHOLE_FORMAT_NV12, BAD);
  WITH(format = PINHOLE_FORMAT_I420, BAD);
  WITH(width = 0, BAD);
  WITH(height = 0, BAD);
  WITH(width = 65536, BAD);
  WITH(height = UINT32_MAX, BAD);
  WITH(height = 65535, SHORT);
  WITH(width = SIDE + 1, BAD);
  WITH(reserved = 1, BAD);
  WITH(planes[0].data = NULL, NUL);
  WITH(planes[0].stride = 0, BAD);
  WITH(planes[0].stride = SIDE * 3 - 1, BAD);
  WITH(planes[0].stride = SIZE_MAX, SHORT);
  WITH(planes[0].stride = SIZE_MAX / SIDE, SHORT);
  WITH(planes[0].len = 0, SHORT);
  WITH(planes[0].len -= 1, SHORT);
#undef WITH
  /* A later version's image, with nothing that this one does not know, and with something. */
  struct {
    PinholeImage image;
    uint64_t later;
  } longer = {*good, 0};
  longer.image.size = sizeof longer;
  CHECK(pinhole_encode(encoder, &longer.image, NULL, &b, &error) == PINHOLE_STATUS_OK);
  pinhole_bytes_free(b);
  longer.later = 1;
  FAILS(BAD, pinhole_encode(encoder, &longer.image, NULL, &b, &error));

  uint8_t *out = malloc(SIDE * SIDE * 4);
  CHECK(out);
  PinholeImageMut base;
  OK(pinhole_image_mut_init(&base, sizeof base, PINHOLE_FORMAT_RGB8, SIDE, SIDE, out,
                            SIDE * SIDE * 3, &error));
#define INTO(change, expected)                                                                     \
  do {                                                                                             \
    PinholeImageMut image = base;                                                                  \
    image.change;                                                                                  \
    FAILS(expected, pinhole_decode_into(decoder, data, len, NULL, &image, NULL, &error));          \
  } while (0)
  INTO(size = 3, BAD);
  INTO(format = 77, BAD);
  INTO(width = SIDE - 1, BAD);
  INTO(height = SIDE - 1, BAD);
  INTO(height = 65535, SHORT);
  INTO(reserved = 2, BAD);
  INTO(planes[0].data = NULL, NUL);
  INTO(planes[0].stride = 1, BAD);
  INTO(planes[0].len = 1, SHORT);
  /* The stream itself as the place to decode to. */
  INTO(planes[0].data = (uint8_t *)(uintptr_t)(data - 10), BAD);
  base.format = PINHOLE_FORMAT_NV12;
  base.planes[0].stride = base.planes[1].stride = SIDE;
  base.planes[1].len = SIDE * SIDE / 2;
  INTO(planes[1].data = out + SIDE, BAD);
#undef INTO
  free(out);

  PinholeImage i;
  uint8_t sample[64] = {0};
  FAILS(BAD, pinhole_image_init(&i, 5, 1, 8, 8, sample, 64, &error));
  FAILS(SHORT, pinhole_image_init(&i, sizeof i, 1, 8, 8, sample, 63, &error));
  FAILS(SHORT, pinhole_image_init(&i, sizeof i, 9, 65535, 65535, sample, 64, &error));
  FAILS(BAD, pinhole_image_init(&i, sizeof i, 1, 0, 8, sample, 64, &error));
  FAILS(BAD, pinhole_image_init(&i, sizeof i, 1, 8, 8, sample, SIZE_MAX, &error));
  FAILS(BAD, pinhole_buffer_len(1, 65536, 1, &n, &error));
  FAILS(BAD, pinhole_buffer_len(10, 1, 1, &n, &error));
}

static void options(PinholeEncoder *encoder, PinholeDecoder *decoder, const PinholeImage *image,
                    const uint8_t *data, size_t len) {
  PinholeError error;
  PinholeBytes *b;
  PinholeDecoded *o;
  PinholeEncodeOptions base;
  const volatile float zero = 0;
  OK(pinhole_encode_options_init(&base, sizeof base, &error));
  FAILS(BAD, pinhole_encode_options_init(&base, 8, &error));
  FAILS(BAD, pinhole_encode_options_init(&base, SIZE_MAX, &error));
#define WITH(change, expected)                                                                     \
  do {                                                                                             \
    PinholeEncodeOptions own = base;                                                               \
    own.change;                                                                                    \
    FAILS(expected, pinhole_encode(encoder, image, &own, &b, &error));                             \
  } while (0)
  WITH(size = 7, BAD);
  WITH(quality = -1, BAD);
  WITH(quality = 100.5f, BAD);
  WITH(quality = zero / zero, BAD);
  WITH(quality = 1 / zero, BAD);
  WITH(chunk_rows = 0, BAD);
  WITH(chunk_rows = 63, BAD);
  WITH(chunk_rows = 0xffffffc0, BAD);
  WITH(effort = 3, BAD);
  WITH(tune = 2, BAD);
  WITH(target_bytes = 1, PINHOLE_STATUS_TARGET_TOO_SMALL);
  WITH(metadata_count = 1, NUL);
  PinholeMetadata two[2] = {{1, data, 4}, {1, data, 4}};
  base.metadata = two;
  WITH(metadata_count = 2, BAD);
  WITH(metadata_count = SIZE_MAX, BAD);
  two[0].len = SIZE_MAX;
  WITH(metadata_count = 1, BAD);
  two[0].data = NULL;
  WITH(metadata_count = 1, NUL);
  two[0].kind = 256;
  WITH(metadata_count = 1, BAD);
#undef WITH
  PinholeDecodeOptions decode;
  FAILS(BAD, pinhole_decode_options_init(&decode, 1, &error));
  OK(pinhole_decode_options_init(&decode, sizeof decode, &error));
  decode.scale = 3;
  FAILS(BAD, pinhole_decode(decoder, data, len, &decode, &o, &error));
  decode.scale = 0;
  FAILS(BAD, pinhole_decode(decoder, data, len, &decode, &o, &error));
  decode.scale = 1;
  decode.max_pixels = 0;
  FAILS(PINHOLE_STATUS_TOO_MANY_PIXELS, pinhole_decode(decoder, data, len, &decode, &o, &error));
  decode.size = 0;
  FAILS(BAD, pinhole_decode(decoder, data, len, &decode, &o, &error));
}

/* Streams and models cut short anywhere and with any byte changed. */
static void bytes(PinholeDecoder *decoder, const uint8_t *data, size_t len, uint32_t seed) {
  PinholeError error;
  PinholeDecoded *o;
  PinholeModel *m;
  PinholeInfo info;
  const uint8_t *record;
  size_t n;
  PinholeDecodeOptions conceal;
  OK(pinhole_decode_options_init(&conceal, sizeof conceal, &error));
  conceal.conceal = 1;
  conceal.max_pixels = 1 << 20;
  FAILS(BAD, pinhole_decode(decoder, data, SIZE_MAX, NULL, &o, &error));
  FAILS(BAD, pinhole_model_from_memory(data, SIZE_MAX, &m, &error));
  FAILS(PINHOLE_STATUS_BAD_MODEL, pinhole_model_from_memory(data, len, &m, &error));
  FAILS(PINHOLE_STATUS_BAD_MODEL, pinhole_model_from_memory(bundle, bundle_len - 1, &m, &error));
  FAILS(PINHOLE_STATUS_IO, pinhole_model_open("no such folder/model.pinm", &m, &error));
  FAILS(PINHOLE_STATUS_IO, pinhole_model_open("/", &m, &error));
  FAILS(BAD, pinhole_model_open("\xff.pinm", &m, &error));
  FAILS(PINHOLE_STATUS_NOT_A_STREAM, pinhole_decode(decoder, bundle, bundle_len, NULL, &o, &error));
  FAILS(BAD, pinhole_info(data, len, &info, 4, &error));
  for (size_t cut = 0; cut < len; cut += 7) {
    FAILS(PINHOLE_STATUS_TRUNCATED, pinhole_decode(decoder, data, cut, NULL, &o, &error));
    if (pinhole_decode(decoder, data, cut, &conceal, &o, NULL) == PINHOLE_STATUS_OK)
      CHECK(pinhole_decoded_damaged_count(o) > 0);
    pinhole_decoded_free(o);
  }
  uint8_t *copy = malloc(len), *model_copy = malloc(bundle_len);
  CHECK(copy && model_copy);
  memcpy(model_copy, bundle, bundle_len);
  for (int i = 0; i < 60; i++) {
    memcpy(copy, data, len);
    seed = seed * 1664525u + 1013904223u;
    copy[seed % len] ^= (uint8_t)(1u << (seed >> 29));
    CHECK(pinhole_decode(decoder, copy, len, NULL, &o, &error) != PINHOLE_STATUS_OK);
    CHECK(error.status != PINHOLE_STATUS_INTERNAL);
    pinhole_decode(decoder, copy, len, &conceal, &o, &error);
    CHECK(error.status != PINHOLE_STATUS_INTERNAL);
    pinhole_decoded_free(o);
    pinhole_info(copy, len, &info, sizeof info, &error);
    pinhole_metadata(copy, len, seed, &record, &n, &error);
    CHECK(error.status != PINHOLE_STATUS_INTERNAL);
    size_t at = seed % bundle_len;
    model_copy[at] ^= 0x10;
    /* Bytes between sections do not matter. */
    if (pinhole_model_from_memory(model_copy, bundle_len, &m, &error) != PINHOLE_STATUS_OK)
      CHECK(error.status == PINHOLE_STATUS_BAD_MODEL);
    pinhole_model_free(m);
    model_copy[at] ^= 0x10;
  }
  free(copy);
  free(model_copy);
}

static void streams(const PinholeImage *image) {
  PinholeError error;
  PinholeStream *s;
  size_t n = 0;
  FAILS(BAD, pinhole_stream_new(model, 4, 0, 9, NULL, ignore, &n, &s, &error));
  FAILS(BAD, pinhole_stream_new(model, 4, 9, 65536, NULL, ignore, &n, &s, &error));
  FAILS(BAD, pinhole_stream_new(model, 99, 9, 9, NULL, ignore, &n, &s, &error));
  OK(pinhole_stream_new(model, image->format, SIDE, 2 * SIDE + 1, NULL, ignore, &n, &s, &error));
  PinholeImage rows = *image;
  FAILS(NUL, pinhole_stream_push_rows(s, NULL, &error));
  rows.planes[0].len = 5;
  FAILS(SHORT, pinhole_stream_push_rows(s, &rows, &error));
  rows = *image;
  rows.width = SIDE - 1;
  FAILS(PINHOLE_STATUS_WRONG_ROWS, pinhole_stream_push_rows(s, &rows, &error));
  rows.format = PINHOLE_FORMAT_GRAY8;
  FAILS(PINHOLE_STATUS_WRONG_ROWS, pinhole_stream_push_rows(s, &rows, &error));
  OK(pinhole_stream_push_rows(s, image, &error));
  OK(pinhole_stream_push_rows(s, image, &error));
  FAILS(PINHOLE_STATUS_WRONG_ROWS, pinhole_stream_push_rows(s, image, &error));
  FAILS(PINHOLE_STATUS_MISSING_ROWS, pinhole_stream_finish(s, &error));
  rows = *image;
  rows.height = 1;
  OK(pinhole_stream_push_rows(s, &rows, &error));
  OK(pinhole_stream_finish(s, &error));
  CHECK(n > 20);
  pinhole_stream_free(s);
}

typedef struct {
  uint32_t seed;
  int busy, done;
} Thread;

static void *work(void *argument) {
  Thread *thread = argument;
  PinholeError error;
  PinholeEncoder *encoder;
  PinholeDecoder *decoder;
  PinholeImage image;
  size_t len;
  uint8_t *samples = test_picture(PINHOLE_FORMAT_RGB8, SIDE, SIDE, &len);
  OK(pinhole_image_init(&image, sizeof image, PINHOLE_FORMAT_RGB8, SIDE, SIDE, samples, len,
                        &error));
  OK(pinhole_encoder_new(model, SIZE_MAX, &encoder, &error));
  OK(pinhole_decoder_new(model, 0, &decoder, &error));
  PinholeBytes *stream;
  OK(pinhole_encode(encoder, &image, NULL, &stream, &error));
  size_t data_len = pinhole_bytes_len(stream);
  /* With room before it, so that addresses near it are the stream's own. */
  uint8_t *room = malloc(data_len + 16), *data = room + 16;
  CHECK(room);
  memcpy(data, pinhole_bytes_data(stream), data_len);
  for (int round = 0; round < ROUNDS; round++) {
    nulls(encoder, decoder, &image, data, data_len);
    images(encoder, decoder, &image, data, data_len);
    options(encoder, decoder, &image, data, data_len);
    bytes(decoder, data, data_len, thread->seed + (uint32_t)round);
    streams(&image);
    for (int i = 0; i < 20; i++) {
      PinholeBytes *b;
      PinholeDecoded *o;
      PinholeStatus status = pinhole_encode(shared_encoder, &image, NULL, &b, &error);
      CHECK(status == PINHOLE_STATUS_OK || status == PINHOLE_STATUS_BUSY);
      thread->busy += status == PINHOLE_STATUS_BUSY;
      thread->done += status == PINHOLE_STATUS_OK;
      if (b)
        CHECK(hash(pinhole_bytes_data(b), pinhole_bytes_len(b)) == hash(data, data_len));
      pinhole_bytes_free(b);
      status = pinhole_decode(shared_decoder, data, data_len, NULL, &o, &error);
      CHECK(status == PINHOLE_STATUS_OK || status == PINHOLE_STATUS_BUSY);
      pinhole_decoded_free(o);
    }
  }
  /* After all of that they work as ever. */
  PinholeBytes *again;
  OK(pinhole_encode(encoder, &image, NULL, &again, &error));
  CHECK(hash(pinhole_bytes_data(again), pinhole_bytes_len(again)) == hash(data, data_len));
  pinhole_bytes_free(again);
  pinhole_bytes_free(stream);
  pinhole_encoder_free(encoder);
  pinhole_decoder_free(decoder);
  free(room);
  free(samples);
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  PinholeError error;
  bundle = read_file(argv[1], &bundle_len);
  OK(pinhole_model_from_memory(bundle, bundle_len, &model, &error));
  OK(pinhole_encoder_new(model, 1, &shared_encoder, &error));
  OK(pinhole_decoder_new(model, 1, &shared_decoder, &error));
  pthread_t threads[THREADS];
  Thread own[THREADS] = {{0, 0, 0}};
  int busy = 0, done = 0;
  for (uint32_t i = 0; i < THREADS; i++) {
    own[i].seed = i * 1000;
    CHECK(pthread_create(&threads[i], NULL, work, &own[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(threads[i], NULL) == 0);
    busy += own[i].busy;
    done += own[i].done;
  }
  CHECK(done > 0);
  pinhole_encoder_free(shared_encoder);
  pinhole_decoder_free(shared_decoder);
  pinhole_model_free(model);
  free(bundle);
  printf("hostile: %d threads, shared encoder busy %d times, done %d times\n", THREADS, busy, done);
  return 0;
}
