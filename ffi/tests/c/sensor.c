/* Sensor streams through C: round trips, streaming, damage, arguments that make no sense. No model is needed. */
#include "support.h"
#include <math.h>

static PinholeError error;

#define CHANNELS 3
#define SAMPLES 1000

static float samples[SAMPLES * CHANNELS];
static int64_t times[SAMPLES];

static void make(void) {
  for (int t = 0; t < SAMPLES; t++) {
    times[t] = 1000000000000 + (int64_t)t * 20000000 + (t > 600 ? 5000000000 : 0);
    for (int c = 0; c < CHANNELS; c++)
      samples[t * CHANNELS + c] = (float)((t * (c + 3) * 7) % 100) * 0.01f + (float)c;
  }
  samples[500] = NAN;
  samples[501] = INFINITY;
}

/* Appends bytes that the encoder gave out. */
static void take(uint8_t **stream, size_t *len, PinholeBytes *bytes) {
  size_t more = pinhole_bytes_len(bytes);
  *stream = realloc(*stream, *len + more + 1);
  CHECK(*stream);
  if (more)
    memcpy(*stream + *len, pinhole_bytes_data(bytes), more);
  *len += more;
  pinhole_bytes_free(bytes);
}

static void round_trip(void) {
  const double bounds[CHANNELS] = {0.01, 0.001, 0.1};
  PinholeSensorOptions options;
  OK(pinhole_sensor_options_init(&options, sizeof options, &error));
  options.channels = CHANNELS;
  options.promise = PINHOLE_PROMISE_MAX_ERROR;
  options.per_channel = bounds;
  options.window = 64;
  options.windows_per_frame = 2;
  options.time_unit = PINHOLE_TIME_UNIT_UNIX_NANOSECONDS;
  options.interval = 20000000;
  PinholeSensorEncoder *encoder;
  OK(pinhole_sensor_encoder_new(NULL, &options, &encoder, &error));
  uint8_t *stream = NULL;
  size_t len = 0;
  PinholeBytes *bytes;
  for (size_t t = 0; t < SAMPLES; t += 50) {
    OK(pinhole_sensor_encoder_push(encoder, times + t, samples + t * CHANNELS, 50, &bytes, &error));
    take(&stream, &len, bytes);
  }
  OK(pinhole_sensor_encoder_flush(encoder, &bytes, &error));
  take(&stream, &len, bytes);
  OK(pinhole_sensor_encoder_finish(encoder, &bytes, &error));
  take(&stream, &len, bytes);
  FAILS(PINHOLE_STATUS_BROKEN,
        pinhole_sensor_encoder_push(encoder, times, samples, 1, &bytes, &error));
  CHECK(!bytes);
  pinhole_sensor_encoder_free(encoder);

  PinholeSensorDecoder *decoder;
  OK(pinhole_sensor_decoder_new(NULL, 0, &decoder, &error));
  size_t at = 0, last = 0;
  for (size_t from = 0; from < len; from += 100) {
    size_t piece = len - from < 100 ? len - from : 100;
    if (from + 100 < len)
      FAILS(PINHOLE_STATUS_TRUNCATED, pinhole_sensor_decoder_finish(decoder, &error));
    OK(pinhole_sensor_decoder_push(decoder, stream + from, piece, &error));
    PinholeSensorFrame *frame;
    for (;;) {
      OK(pinhole_sensor_decoder_next(decoder, &frame, &error));
      if (!frame)
        break;
      PinholeSensorFrameInfo info;
      OK(pinhole_sensor_frame_info(frame, &info, sizeof info, &error));
      CHECK(info.first_sample == at && (info.channels == CHANNELS));
      CHECK(info.samples == 0 || (info.values && info.times));
      CHECK(info.windows == 0 || info.scores);
      for (size_t i = 0; i < info.samples; i++, at++) {
        CHECK(info.times[i] == times[at]);
        for (size_t c = 0; c < CHANNELS; c++) {
          double x = samples[at * CHANNELS + c], y = info.values[i * CHANNELS + c];
          CHECK(x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= bounds[c]);
        }
      }
      last = info.last;
      pinhole_sensor_frame_free(frame);
    }
  }
  CHECK(at == SAMPLES && last);
  OK(pinhole_sensor_decoder_finish(decoder, &error));
  pinhole_sensor_decoder_free(decoder);

  /* A damaged byte is an error, and then the decoder is broken; or it is passed over. */
  stream[len / 2] ^= 0x20;
  for (uint32_t conceal = 0; conceal < 2; conceal++) {
    OK(pinhole_sensor_decoder_new(NULL, conceal, &decoder, &error));
    OK(pinhole_sensor_decoder_push(decoder, stream, len, &error));
    PinholeSensorFrame *frame;
    PinholeStatus status;
    while ((status = pinhole_sensor_decoder_next(decoder, &frame, &error)) == 0 && frame)
      pinhole_sensor_frame_free(frame);
    CHECK(status == (conceal ? PINHOLE_STATUS_OK : PINHOLE_STATUS_DAMAGED));
    if (!conceal)
      FAILS(PINHOLE_STATUS_BROKEN, pinhole_sensor_decoder_next(decoder, &frame, &error));
    pinhole_sensor_decoder_free(decoder);
  }
  free(stream);
}

/* Every sample type, without loss, from memory that is not aligned. */
static void types(void) {
  static const size_t sizes[] = {4, 8, 1, 1, 2, 2, 4};
  uint8_t memory[1 + 8 * 64];
  for (uint32_t type = 0; type < 7; type++) {
    memset(memory, 0, sizeof memory);
    for (size_t i = 0; i < 64; i++)
      memory[1 + i * sizes[type]] = (uint8_t)(type < 2 ? 0 : i * 37);
    const double levels = 1;
    PinholeSensorOptions options;
    OK(pinhole_sensor_options_init(&options, sizeof options, &error));
    options.channels = 1;
    options.promise = PINHOLE_PROMISE_LOSSLESS;
    options.per_channel = &levels;
    options.sample_type = type;
    PinholeSensorEncoder *encoder;
    OK(pinhole_sensor_encoder_new(NULL, &options, &encoder, &error));
    uint8_t *stream = NULL;
    size_t len = 0;
    PinholeBytes *bytes;
    OK(pinhole_sensor_encoder_push(encoder, NULL, memory + 1, 64, &bytes, &error));
    take(&stream, &len, bytes);
    OK(pinhole_sensor_encoder_finish(encoder, &bytes, &error));
    take(&stream, &len, bytes);
    pinhole_sensor_encoder_free(encoder);
    PinholeSensorDecoder *decoder;
    PinholeSensorFrame *frame;
    PinholeSensorFrameInfo info;
    OK(pinhole_sensor_decoder_new(NULL, 0, &decoder, &error));
    OK(pinhole_sensor_decoder_push(decoder, stream, len, &error));
    OK(pinhole_sensor_decoder_next(decoder, &frame, &error));
    OK(pinhole_sensor_frame_info(frame, &info, sizeof info, &error));
    CHECK(info.samples == 64 && !info.times);
    for (size_t i = 0; i < 64; i++) {
      uint8_t byte = memory[1 + i * sizes[type]];
      double want = type == PINHOLE_SAMPLE_TYPE_I8 && byte > 127 ? byte - 256.0 : byte;
      CHECK(info.values[i] == want);
    }
    pinhole_sensor_frame_free(frame);
    pinhole_sensor_decoder_free(decoder);
    free(stream);
  }
}

static void refusals(void) {
  const double bounds[2] = {0.1, -1};
  PinholeSensorOptions options, good;
  PinholeSensorEncoder *encoder;
  PinholeSensorDecoder *decoder;
  PinholeSensorFrame *frame;
  PinholeBytes *bytes;
  FAILS(PINHOLE_STATUS_INVALID_ARGUMENT, pinhole_sensor_options_init(&options, 3, &error));
  OK(pinhole_sensor_options_init(&good, sizeof good, &error));
  good.channels = 1;
  good.per_channel = bounds;
  good.promise = PINHOLE_PROMISE_MAX_ERROR;
#define REFUSED(change)                                                                            \
  do {                                                                                             \
    options = good;                                                                                \
    change;                                                                                        \
    FAILS(PINHOLE_STATUS_INVALID_ARGUMENT, pinhole_sensor_encoder_new(NULL, &options, &encoder, &error)); \
    CHECK(!encoder);                                                                               \
  } while (0)
  REFUSED(options.channels = 0);
  REFUSED(options.channels = 257);
  REFUSED(options.channels = 2);
  REFUSED(options.promise = 3);
  REFUSED(options.sample_type = 7);
  REFUSED(options.time_unit = 4);
  REFUSED(options.window = 0);
  REFUSED(options.window = 4097);
  REFUSED(options.windows_per_frame = 0);
  REFUSED(options.key_interval = 0);
  REFUSED((options.promise = PINHOLE_PROMISE_QUALITY, options.quality = NAN));
  options = good;
  options.per_channel = NULL;
  FAILS(PINHOLE_STATUS_NULL_ARGUMENT, pinhole_sensor_encoder_new(NULL, &options, &encoder, &error));
  FAILS(PINHOLE_STATUS_NULL_ARGUMENT, pinhole_sensor_encoder_new(NULL, &good, NULL, &error));
  OK(pinhole_sensor_encoder_new(NULL, &good, &encoder, &error));
  FAILS(PINHOLE_STATUS_INVALID_ARGUMENT,
        pinhole_sensor_encoder_push(encoder, times, samples, 1, &bytes, &error));
  FAILS(PINHOLE_STATUS_NULL_ARGUMENT,
        pinhole_sensor_encoder_push(encoder, NULL, NULL, 1, &bytes, &error));
  FAILS(PINHOLE_STATUS_INVALID_ARGUMENT,
        pinhole_sensor_encoder_push(encoder, NULL, samples, SIZE_MAX / 2, &bytes, &error));
  FAILS(PINHOLE_STATUS_NULL_ARGUMENT,
        pinhole_sensor_encoder_push(NULL, NULL, samples, 1, &bytes, &error));
  OK(pinhole_sensor_encoder_push(encoder, NULL, NULL, 0, &bytes, &error));
  pinhole_bytes_free(bytes);
  pinhole_sensor_encoder_free(encoder);
  pinhole_sensor_encoder_free(NULL);

  OK(pinhole_sensor_decoder_new(NULL, 0, &decoder, &error));
  PinholeSensorModel *model;
  FAILS(PINHOLE_STATUS_BAD_MODEL,
        pinhole_sensor_model_load((const uint8_t *)"no model", 8, &model, &error));
  CHECK(!model);
  pinhole_sensor_model_free(NULL);
  OK(pinhole_sensor_decoder_push(decoder, (const uint8_t *)"no stream at all", 16, &error));
  FAILS(PINHOLE_STATUS_NOT_A_STREAM, pinhole_sensor_decoder_next(decoder, &frame, &error));
  pinhole_sensor_decoder_free(decoder);
  pinhole_sensor_decoder_free(NULL);
  pinhole_sensor_frame_free(NULL);
}

int main(void) {
  make();
  round_trip();
  types();
  refusals();
  puts("sensor: passed");
  return 0;
}
