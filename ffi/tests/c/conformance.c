/* The conformance set through the C interface: the same bytes and the same pixels as the Rust library gives.
 *
 *   conformance MODEL LIST         cases that are encoded and decoded (v1.txt, photo.txt)
 *   conformance MODEL LIST FOLDER  files that are decoded (frozen.txt)
 */
#include "support.h"

static const struct {
  const char *name;
  uint32_t format;
} FORMATS[] = {
    {"gray8", PINHOLE_FORMAT_GRAY8},
    {"graya8", PINHOLE_FORMAT_GRAY_A8},
    {"rgb8", PINHOLE_FORMAT_RGB8},
    {"rgba8", PINHOLE_FORMAT_RGBA8},
    {"bgra8", PINHOLE_FORMAT_BGRA8},
    {"gray16", PINHOLE_FORMAT_GRAY16},
    {"nv12-jpeg", PINHOLE_FORMAT_NV12},
    {"nv21-video", PINHOLE_FORMAT_NV21 | PINHOLE_BT709 | PINHOLE_LIMITED_RANGE},
    {"i420-video", PINHOLE_FORMAT_I420 | PINHOLE_BT709 | PINHOLE_LIMITED_RANGE},
};
/* The first of them are what streams decode to; the others are decoded into buffers of their own kind. */
#define OWN 4

static PinholeError error;

static uint64_t decoded_hash(PinholeDecoder *decoder, const uint8_t *data, size_t len) {
  PinholeDecoded *decoded;
  PinholeImage image;
  OK(pinhole_decode(decoder, data, len, NULL, &decoded, &error));
  OK(pinhole_decoded_image(decoded, &image, sizeof image, &error));
  CHECK(pinhole_decoded_damaged_count(decoded) == 0);
  uint64_t found = hash(image.planes[0].data, image.planes[0].len);
  pinhole_decoded_free(decoded);
  return found;
}

static void one_case(PinholeEncoder *encoder, PinholeDecoder *decoder, const char *line) {
  char name[16];
  unsigned width, height, quality, rows;
  unsigned long long size, file_hash, pixel_hash;
  CHECK(sscanf(line, "%15s %ux%u q%u c%u %llu %llx %llx", name, &width, &height, &quality, &rows,
               &size, &file_hash, &pixel_hash) == 8);
  size_t index = 0, count = sizeof FORMATS / sizeof *FORMATS;
  while (index < count && strcmp(FORMATS[index].name, name) != 0)
    index++;
  CHECK(index < count);
  uint32_t format = FORMATS[index].format;

  size_t len;
  uint8_t *samples = test_picture(format, width, height, &len);
  PinholeImage image;
  PinholeEncodeOptions options;
  PinholeBytes *stream;
  OK(pinhole_image_init(&image, sizeof image, format, width, height, samples, len, &error));
  OK(pinhole_encode_options_init(&options, sizeof options, &error));
  options.quality = (float)quality;
  options.chunk_rows = rows;
  OK(pinhole_encode(encoder, &image, &options, &stream, &error));
  const uint8_t *data = pinhole_bytes_data(stream);
  size_t data_len = pinhole_bytes_len(stream);

  uint64_t found;
  if (index < OWN) {
    found = decoded_hash(decoder, data, data_len);
  } else {
    PinholeImageMut out;
    memset(samples, 0, len);
    OK(pinhole_image_mut_init(&out, sizeof out, format, width, height, samples, len, &error));
    OK(pinhole_decode_into(decoder, data, data_len, NULL, &out, NULL, &error));
    found = hash(samples, len);
  }
  if (data_len != size || hash(data, data_len) != file_hash || found != pixel_hash) {
    fprintf(stderr, "expected %sfound %zu %016llx %016llx\n", line, data_len,
            (unsigned long long)hash(data, data_len), (unsigned long long)found);
    exit(1);
  }
  pinhole_bytes_free(stream);
  free(samples);
}

static void one_file(PinholeDecoder *decoder, const char *line, const char *folder) {
  char name[128], path[1024];
  unsigned long long expected;
  CHECK(sscanf(line, "%127s %llx", name, &expected) == 2);
  CHECK(snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path);
  size_t len;
  uint8_t *data = read_file(path, &len);
  CHECK(decoded_hash(decoder, data, len) == expected);
  free(data);
}

int main(int argc, char **argv) {
  CHECK(argc == 3 || argc == 4);
  PinholeModel *model;
  PinholeEncoder *encoder;
  PinholeDecoder *decoder;
  OK(pinhole_model_open(argv[1], &model, &error));
  OK(pinhole_encoder_new(model, 2, &encoder, &error));
  OK(pinhole_decoder_new(model, 2, &decoder, &error));
  pinhole_model_free(model);

  FILE *list = fopen(argv[2], "r");
  CHECK(list);
  char line[256];
  int count = 0;
  while (fgets(line, sizeof line, list)) {
    if (line[0] == '#')
      continue;
    if (argc == 4)
      one_file(decoder, line, argv[3]);
    else
      one_case(encoder, decoder, line);
    count++;
  }
  fclose(list);
  pinhole_encoder_free(encoder);
  pinhole_decoder_free(decoder);
  CHECK(count > 0);
  printf("%d lines of %s\n", count, argv[2]);
  return 0;
}
