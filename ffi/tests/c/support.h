/* What the tests share: checks that name their line, files, hashes and pictures. */
#ifndef PINHOLE_TEST_SUPPORT_H
#define PINHOLE_TEST_SUPPORT_H

#include <pinhole.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program with the line at fault. */
#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                              \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

/* A call that must succeed; `error` is the PinholeError that it was given. */
#define OK(call)                                                                                   \
  do {                                                                                             \
    if ((call) != PINHOLE_STATUS_OK) {                                                             \
      fprintf(stderr, "%s:%d: %s\n  %s\n", __FILE__, __LINE__, #call, error.message);              \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

/* A call that must fail with a status, and say why. */
#define FAILS(expected, call)                                                                      \
  do {                                                                                             \
    PinholeStatus status_ = (call);                                                                \
    if (status_ != (expected) || error.status != status_ || error.message[0] == 0) {               \
      fprintf(stderr, "%s:%d: %s\n  gave %d (%s), not %d\n", __FILE__, __LINE__, #call,            \
              (int)status_, error.message, (int)(expected));                                       \
      exit(1);                                                                                     \
    }                                                                                              \
  } while (0)

/* A whole file; free() it. */
static inline uint8_t *read_file(const char *path, size_t *len) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) {
    perror(path);
    exit(1);
  }
  long end = ftell(file);
  CHECK(end >= 0);
  rewind(file);
  *len = (size_t)end;
  uint8_t *data = malloc(*len + 1);
  CHECK(data && fread(data, 1, *len, file) == *len);
  fclose(file);
  return data;
}

/* FNV-1a, 64 bits. */
static inline uint64_t hash(const uint8_t *data, size_t len) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < len; i++)
    h = (h ^ data[i]) * 0x00000100000001b3u;
  return h;
}

static inline uint32_t planes_of(uint32_t format) {
  uint32_t kind = format & 0xff;
  return kind == PINHOLE_FORMAT_I420 ? 3
         : kind == PINHOLE_FORMAT_NV12 || kind == PINHOLE_FORMAT_NV21 ? 2
                                                                       : 1;
}

/* Bytes of a row and rows of a plane. */
static inline void plane_size(uint32_t format, uint32_t plane, uint32_t width, uint32_t height,
                              uint32_t *row, uint32_t *rows) {
  uint32_t half = (width + 1) / 2;
  *rows = plane ? (height + 1) / 2 : height;
  switch (format & 0xff) {
  case PINHOLE_FORMAT_GRAY_A8:
  case PINHOLE_FORMAT_GRAY16:
    *row = width * 2;
    break;
  case PINHOLE_FORMAT_RGB8:
    *row = width * 3;
    break;
  case PINHOLE_FORMAT_RGBA8:
  case PINHOLE_FORMAT_BGRA8:
    *row = width * 4;
    break;
  case PINHOLE_FORMAT_NV12:
  case PINHOLE_FORMAT_NV21:
    *row = plane ? half * 2 : width;
    break;
  case PINHOLE_FORMAT_I420:
    *row = plane ? half : width;
    break;
  default:
    *row = width;
  }
}

/* The picture of tests/conformance/cases.rs without gaps; free() it. */
static inline uint8_t *test_picture(uint32_t format, uint32_t width, uint32_t height, size_t *len) {
  PinholeError error;
  OK(pinhole_buffer_len(format, width, height, len, &error));
  uint8_t *data = malloc(*len), *to = data;
  CHECK(data);
  uint32_t noise = width * 31 + height;
  for (uint32_t plane = 0; plane < planes_of(format); plane++) {
    uint32_t row, rows;
    plane_size(format, plane, width, height, &row, &rows);
    uint32_t channels = planes_of(format) == 1 ? row / width : 1;
    for (uint32_t y = 0; y < rows; y++)
      for (uint32_t i = 0; i < row; i++) {
        uint32_t x = i / channels, c = i % channels + plane;
        noise = noise * 1664525u + 1013904223u;
        uint32_t wave = (x * (3 + c) + y * 2) / 3 % 256, value;
        wave = wave < 128 ? wave : 255 - wave;
        switch ((x / 32 + y / 48) % 4) {
        case 0:
          value = 40 + 50 * c;
          break;
        case 1:
          value = 60 + wave;
          break;
        case 2:
          value = wave + (noise >> 25);
          break;
        default:
          value = (x + 2 * y) % 50 < 20 ? 230 : 12 * c;
        }
        *to++ = (uint8_t)value;
      }
  }
  CHECK((size_t)(to - data) == *len);
  return data;
}

#endif
