/* Encodes a PPM picture and decodes it again with the model inside the library:
 *
 *     transcode in.ppm out.pin out.ppm [quality]
 */
#include <ctype.h>
#include <pinhole.h>
#include <stdio.h>
#include <stdlib.h>

/* The next number of a PPM header, or 0. */
static uint32_t number(FILE *file) {
  int c = getc(file);
  while (isspace(c) || c == '#') {
    if (c == '#')
      while (c != '\n' && c != EOF)
        c = getc(file);
    c = getc(file);
  }
  uint32_t value = 0;
  for (; isdigit(c) && value < 100000; c = getc(file))
    value = value * 10 + (uint32_t)(c - '0');
  return value;
}

/* The samples of a binary PPM with 8 bits a sample; free() them. Null if it is none. */
static uint8_t *read_ppm(const char *path, uint32_t *width, uint32_t *height, size_t *len) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return NULL;
  uint8_t *samples = NULL;
  if (getc(file) == 'P' && getc(file) == '6' && (*width = number(file)) > 0 &&
      (*height = number(file)) > 0 && number(file) == 255 &&
      pinhole_buffer_len(PINHOLE_FORMAT_RGB8, *width, *height, len, NULL) == PINHOLE_STATUS_OK) {
    samples = malloc(*len);
    if (samples && fread(samples, 1, *len, file) != *len) {
      free(samples);
      samples = NULL;
    }
  }
  fclose(file);
  return samples;
}

static int write_file(const char *path, const char *head, const uint8_t *data, size_t len) {
  FILE *file = fopen(path, "wb");
  if (!file)
    return 0;
  int good = fputs(head, file) >= 0 && fwrite(data, 1, len, file) == len;
  return fclose(file) == 0 && good;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "transcode in.ppm out.pin out.ppm [quality]\n");
    return 2;
  }
  PinholeError error = {PINHOLE_STATUS_OK, ""};
  PinholeModel *model = NULL;
  PinholeEncoder *encoder = NULL;
  PinholeDecoder *decoder = NULL;
  PinholeBytes *stream = NULL;
  PinholeDecoded *decoded = NULL;
  PinholeEncodeOptions options;
  PinholeImage image;
  uint32_t width, height;
  size_t len;
  int result = 1;

  uint8_t *samples = read_ppm(argv[1], &width, &height, &len);
  if (!samples) {
    fprintf(stderr, "%s: no binary PPM of 8 bits\n", argv[1]);
    return 1;
  }
  if (pinhole_model_embedded(&model, &error) || pinhole_encoder_new(model, 1, &encoder, &error) ||
      pinhole_decoder_new(model, 1, &decoder, &error) ||
      pinhole_encode_options_init(&options, sizeof options, &error) ||
      pinhole_image_init(&image, sizeof image, PINHOLE_FORMAT_RGB8, width, height, samples, len,
                         &error))
    goto done;
  if (argc > 4)
    options.quality = (float)atof(argv[4]);

  if (pinhole_encode(encoder, &image, &options, &stream, &error))
    goto done;
  const uint8_t *data = pinhole_bytes_data(stream);
  size_t data_len = pinhole_bytes_len(stream);
  printf("%ux%u: %zu bytes, %.3f bits a pixel\n", (unsigned)width, (unsigned)height, data_len,
         8.0 * (double)data_len / ((double)width * height));

  if (pinhole_decode(decoder, data, data_len, NULL, &decoded, &error) ||
      pinhole_decoded_image(decoded, &image, sizeof image, &error))
    goto done;
  char head[64];
  snprintf(head, sizeof head, "P6\n%u %u\n255\n", (unsigned)width, (unsigned)height);
  if (write_file(argv[2], "", data, data_len) &&
      write_file(argv[3], head, image.planes[0].data, image.planes[0].len))
    result = 0;
  else
    perror("writing");

done:
  if (error.status != PINHOLE_STATUS_OK)
    fprintf(stderr, "%s: %s\n", pinhole_status_text(error.status), error.message);
  pinhole_decoded_free(decoded);
  pinhole_bytes_free(stream);
  pinhole_decoder_free(decoder);
  pinhole_encoder_free(encoder);
  pinhole_model_free(model);
  free(samples);
  return result;
}
