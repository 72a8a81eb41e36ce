/*
 * Pinhole, a learned picture codec: the C interface of libpinhole.
 *
 * Generated from the library's source; edits here are lost. What holds for all functions:
 *
 * Errors. Functions that can fail return a PinholeStatus, 0 (PINHOLE_STATUS_OK) if all went well, and take a
 * PinholeError (or null) as their last argument for the reason in words. A failed call that would have made a handle
 * sets it to null. Every function that takes arguments by pointer may fail with NULL_ARGUMENT, and every function with
 * INTERNAL, which is a defect of the library. No function throws, unwinds or jumps out. If the system has no memory
 * left the program is aborted.
 *
 * Ownership. Handles (the types without fields) are made by the library and freed by the function named after their
 * type: pinhole_model_free, pinhole_encoder_free, pinhole_bytes_free, pinhole_stream_free, pinhole_decoder_free,
 * pinhole_decoded_free, pinhole_sensor_model_free, pinhole_sensor_encoder_free, pinhole_sensor_decoder_free,
 * pinhole_sensor_frame_free. Memory that the caller gives is only used during the call.
 *
 * Threads. The library has no state that callers could see: different handles may be used by different threads at
 * once. What holds for one handle is said at its type. A handle must not be freed while a call uses it.
 *
 * Structs that begin with `size` grow in later versions: set `size` to sizeof, or let the _init function do so.
 * Programs built with this header work with later libraries of the same pinhole_abi_version.
 */

#ifndef PINHOLE_H
#define PINHOLE_H

#include <stddef.h>
#include <stdint.h>

/**
 * The version of the binary interface that this header describes. It grows when a program built with an older header
 * would no longer work with the library; new functions, fields and values do not count.
 */
#define PINHOLE_ABI_VERSION 1

/**
 * 4:2:0 samples are those of BT.709; without it those of BT.601.
 */
#define PINHOLE_BT709 256

/**
 * 4:2:0 samples have limited range: luma 16 to 235, chroma 16 to 240. Without it full range, as in JPEG.
 */
#define PINHOLE_LIMITED_RANGE 512

/**
 * Where the number of bits of PINHOLE_FORMAT_GRAY16 is.
 */
#define PINHOLE_BITS_SHIFT 16

/**
 * What a call came to. Values never change their meaning; later versions may add some.
 */
enum PinholeStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Done.
   */
  PINHOLE_STATUS_OK = 0,
  /**
   * A pointer is null that must not be.
   */
  PINHOLE_STATUS_NULL_ARGUMENT = 1,
  /**
   * A value is out of its range: size of a struct, format, dimensions, stride, quality, chunk rows, metadata.
   */
  PINHOLE_STATUS_INVALID_ARGUMENT = 2,
  /**
   * A plane or buffer is shorter than the picture needs.
   */
  PINHOLE_STATUS_BUFFER_TOO_SMALL = 3,
  /**
   * The handle is in use by another call at this moment, of another thread or of a callback.
   */
  PINHOLE_STATUS_BUSY = 4,
  /**
   * The handle failed before and can only be freed.
   */
  PINHOLE_STATUS_BROKEN = 5,
  /**
   * The system could not read a file.
   */
  PINHOLE_STATUS_IO = 6,
  /**
   * The model is damaged, incomplete for this use, or not in this library.
   */
  PINHOLE_STATUS_BAD_MODEL = 7,
  /**
   * The stream was made for another model.
   */
  PINHOLE_STATUS_WRONG_MODEL = 8,
  /**
   * The stream ends early: more bytes may be on their way.
   */
  PINHOLE_STATUS_TRUNCATED = 9,
  /**
   * The stream is damaged.
   */
  PINHOLE_STATUS_DAMAGED = 10,
  /**
   * The bytes are no Pinhole stream.
   */
  PINHOLE_STATUS_NOT_A_STREAM = 11,
  /**
   * The stream is of a later version or of a kind that this library does not know.
   */
  PINHOLE_STATUS_UNSUPPORTED = 12,
  /**
   * The picture has more pixels than the options allow.
   */
  PINHOLE_STATUS_TOO_MANY_PIXELS = 13,
  /**
   * No quality gives a stream as small as asked for.
   */
  PINHOLE_STATUS_TARGET_TOO_SMALL = 14,
  /**
   * Rows of another width or format than the stream's, too many of them, or an odd number of 4:2:0 rows. Nothing
   * has changed: other rows may follow.
   */
  PINHOLE_STATUS_WRONG_ROWS = 15,
  /**
   * The stream was finished before the picture's last row.
   */
  PINHOLE_STATUS_MISSING_ROWS = 16,
  /**
   * The callback asked to stop.
   */
  PINHOLE_STATUS_STOPPED = 17,
  /**
   * A defect of the library; the handle can only be freed.
   */
  PINHOLE_STATUS_INTERNAL = 18,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholeStatus PinholeStatus;
#else
typedef int32_t PinholeStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How samples lie in memory: the lowest byte of a `format` argument or field. The 4:2:0 formats may be combined
 * (with |) with PINHOLE_BT709 and PINHOLE_LIMITED_RANGE, PINHOLE_FORMAT_GRAY16 with a number of bits shifted by
 * PINHOLE_BITS_SHIFT. Values never change their meaning; later versions may add some.
 */
enum PinholeFormat
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * One byte a pixel.
   */
  PINHOLE_FORMAT_GRAY8 = 1,
  /**
   * Grey and alpha, two bytes a pixel.
   */
  PINHOLE_FORMAT_GRAY_A8 = 2,
  /**
   * One little-endian sample of two bytes a pixel, of which the lowest bits count: 16 of them, or as many (8 to 16)
   * as `PINHOLE_FORMAT_GRAY16 | 12 << PINHOLE_BITS_SHIFT` says.
   */
  PINHOLE_FORMAT_GRAY16 = 3,
  /**
   * Red, green, blue: three bytes a pixel.
   */
  PINHOLE_FORMAT_RGB8 = 4,
  /**
   * Red, green, blue, alpha (not premultiplied): four bytes a pixel. Android's RGBA_8888.
   */
  PINHOLE_FORMAT_RGBA8 = 5,
  /**
   * Blue, green, red, alpha (not premultiplied): four bytes a pixel.
   */
  PINHOLE_FORMAT_BGRA8 = 6,
  /**
   * Two planes: luma; Cb and Cr interleaved, at half width and height (rounded up).
   */
  PINHOLE_FORMAT_NV12 = 7,
  /**
   * Two planes: luma; Cr and Cb interleaved. Android's cameras.
   */
  PINHOLE_FORMAT_NV21 = 8,
  /**
   * Three planes: luma; Cb; Cr.
   */
  PINHOLE_FORMAT_I420 = 9,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholeFormat PinholeFormat;
#else
typedef uint32_t PinholeFormat;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a metadata record holds. Other numbers up to 255 are records that this version does not know.
 */
enum PinholeMetadataKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * An ICC colour profile.
   */
  PINHOLE_METADATA_KIND_ICC = 1,
  /**
   * Exif, from its TIFF header on.
   */
  PINHOLE_METADATA_KIND_EXIF = 2,
  /**
   * An XMP packet in UTF-8.
   */
  PINHOLE_METADATA_KIND_XMP = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholeMetadataKind PinholeMetadataKind;
#else
typedef uint32_t PinholeMetadataKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How much work encoding may be. A model need not have what each takes. Any decoder decodes the streams of all.
 */
enum PinholeEffort
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * What the model's figures are about.
   */
  PINHOLE_EFFORT_DEFAULT = 0,
  /**
   * Least time, larger streams.
   */
  PINHOLE_EFFORT_FAST = 1,
  /**
   * Most time, smaller streams: what was coded is drawn, looked at, and coded again with what it lacks.
   */
  PINHOLE_EFFORT_BEST = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholeEffort PinholeEffort;
#else
typedef uint32_t PinholeEffort;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What the bits of a stream are spent on. Any decoder decodes the streams of all.
 */
enum PinholeTune
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * What eyes see: fewer bits where more is going on. What the model's figures are about.
   */
  PINHOLE_TUNE_PERCEPTUAL = 0,
  /**
   * The least squared error.
   */
  PINHOLE_TUNE_PSNR = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholeTune PinholeTune;
#else
typedef uint32_t PinholeTune;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Which of the model's synthesis transforms draws the picture.
 */
enum PinholeSynthesis
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * What the model's figures are about.
   */
  PINHOLE_SYNTHESIS_STANDARD = 0,
  /**
   * A smaller one, for less time.
   */
  PINHOLE_SYNTHESIS_LITE = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholeSynthesis PinholeSynthesis;
#else
typedef uint32_t PinholeSynthesis;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a piece of a stream is.
 */
enum PinholePieceKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The chunk of a band's colours.
   */
  PINHOLE_PIECE_KIND_LATENTS = 0,
  /**
   * The chunk of a band's alpha.
   */
  PINHOLE_PIECE_KIND_ALPHA = 1,
  /**
   * Header and metadata: the first piece.
   */
  PINHOLE_PIECE_KIND_HEAD = 256,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholePieceKind PinholePieceKind;
#else
typedef uint32_t PinholePieceKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What decoded samples are to be.
 */
enum PinholePromise
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Close, by `quality`; `per_channel` is each channel's usual standard deviation.
   */
  PINHOLE_PROMISE_QUALITY = 0,
  /**
   * No sample is farther off than its channel's bound: `per_channel`, in units of the samples. With a bound of 0
   * samples are stored as they are.
   */
  PINHOLE_PROMISE_MAX_ERROR = 1,
  /**
   * Every sample comes back as it was; `per_channel` is how many levels a unit has: 1 for whole numbers, 100 for
   * numbers with two decimals, 0 for others, which are stored as they are.
   */
  PINHOLE_PROMISE_LOSSLESS = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholePromise PinholePromise;
#else
typedef uint32_t PinholePromise;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The type of a stream's samples, in the processor's byte order.
 */
enum PinholeSampleType
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * float
   */
  PINHOLE_SAMPLE_TYPE_F32 = 0,
  /**
   * double
   */
  PINHOLE_SAMPLE_TYPE_F64 = 1,
  /**
   * int8_t
   */
  PINHOLE_SAMPLE_TYPE_I8 = 2,
  /**
   * uint8_t
   */
  PINHOLE_SAMPLE_TYPE_U8 = 3,
  /**
   * int16_t
   */
  PINHOLE_SAMPLE_TYPE_I16 = 4,
  /**
   * uint16_t
   */
  PINHOLE_SAMPLE_TYPE_U16 = 5,
  /**
   * int32_t
   */
  PINHOLE_SAMPLE_TYPE_I32 = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholeSampleType PinholeSampleType;
#else
typedef uint32_t PinholeSampleType;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What the times of a stream count.
 */
enum PinholeTimeUnit
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * There are no times.
   */
  PINHOLE_TIME_UNIT_NONE = 0,
  /**
   * Units of the source's own.
   */
  PINHOLE_TIME_UNIT_TICKS = 1,
  /**
   * Nanoseconds since 1970-01-01 UTC.
   */
  PINHOLE_TIME_UNIT_UNIX_NANOSECONDS = 2,
  /**
   * Nanoseconds from an unspecified start.
   */
  PINHOLE_TIME_UNIT_NANOSECONDS = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PinholeTimeUnit PinholeTimeUnit;
#else
typedef uint32_t PinholeTimeUnit;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Bytes that the library allocated. They never change: any number of threads may read them.
 */
typedef struct PinholeBytes PinholeBytes;

/**
 * What came of decoding: a picture, unless it went into the caller's memory, and which chunks were lost. It never
 * changes: any number of threads may read it.
 */
typedef struct PinholeDecoded PinholeDecoded;

/**
 * A decoder; keeps its buffers between streams. One call at a time: a second thread gets BUSY. Several decoders work
 * at once.
 */
typedef struct PinholeDecoder PinholeDecoder;

/**
 * An encoder; keeps its buffers between pictures. One call at a time: a second thread gets BUSY. Several encoders
 * work at once.
 */
typedef struct PinholeEncoder PinholeEncoder;

/**
 * A loaded model. It never changes: any number of threads may use it at once. Encoders, decoders and streams keep what
 * they need of it: it may be freed before them.
 */
typedef struct PinholeModel PinholeModel;

/**
 * Decodes one stream, whose bytes may come in pieces. One call at a time: a second thread gets BUSY.
 */
typedef struct PinholeSensorDecoder PinholeSensorDecoder;

/**
 * Encodes the samples of one stream as they come. One call at a time: a second thread gets BUSY.
 */
typedef struct PinholeSensorEncoder PinholeSensorEncoder;

/**
 * A decoded frame. It never changes: any number of threads may read it.
 */
typedef struct PinholeSensorFrame PinholeSensorFrame;

/**
 * A model of one kind of sensor. It never changes: any number of threads may use it.
 */
typedef struct PinholeSensorModel PinholeSensorModel;

/**
 * A picture being encoded from bands of rows, without ever being whole in memory. One call at a time: a second thread
 * gets BUSY. Several streams work at once.
 */
typedef struct PinholeStream PinholeStream;

/**
 * One plane of a picture to be read: row y starts at byte y * stride.
 */
typedef struct PinholePlane {
  /**
   * The first row.
   */
  const uint8_t *data;
  /**
   * Bytes from the start of a row to that of the next; at least the bytes of a row.
   */
  size_t stride;
  /**
   * Bytes that may be read from `data` on. The last row may end where its samples end; more does no harm.
   */
  size_t len;
} PinholePlane;

/**
 * A picture in the caller's memory, to be read. The library keeps no pointer to it after a call.
 */
typedef struct PinholeImage {
  /**
   * sizeof(PinholeImage).
   */
  size_t size;
  /**
   * A PinholeFormat and its additions.
   */
  uint32_t format;
  /**
   * Pixels of a row, 1 to 65535.
   */
  uint32_t width;
  /**
   * Rows, 1 to 65535.
   */
  uint32_t height;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * As many planes as the format has; the others do not matter.
   */
  struct PinholePlane planes[3];
} PinholeImage;

/**
 * Why a call failed, in words. Lives in the caller's memory, needs no preparation and no free: every function that
 * takes one fills it, with an empty message if all went well. Pass null if the status is enough.
 */
typedef struct PinholeError {
  /**
   * What the call returned.
   */
  PinholeStatus status;
  /**
   * English text in UTF-8 that names the values at fault; ends with a zero byte, shortened if need be.
   */
  char message[252];
} PinholeError;

/**
 * One plane of a picture to be written. Bytes between rows are left alone.
 */
typedef struct PinholePlaneMut {
  /**
   * The first row.
   */
  uint8_t *data;
  /**
   * Bytes from the start of a row to that of the next; at least the bytes of a row.
   */
  size_t stride;
  /**
   * Bytes that may be written from `data` on.
   */
  size_t len;
} PinholePlaneMut;

/**
 * A picture in the caller's memory, to be written. Its planes must not overlap.
 */
typedef struct PinholeImageMut {
  /**
   * sizeof(PinholeImageMut).
   */
  size_t size;
  /**
   * A PinholeFormat and its additions.
   */
  uint32_t format;
  /**
   * Pixels of a row, 1 to 65535.
   */
  uint32_t width;
  /**
   * Rows, 1 to 65535.
   */
  uint32_t height;
  /**
   * Must be 0.
   */
  uint32_t reserved;
  /**
   * As many planes as the format has; the others do not matter.
   */
  struct PinholePlaneMut planes[3];
} PinholeImageMut;

/**
 * A record to carry in a stream. The library keeps no pointer to it after a call.
 */
typedef struct PinholeMetadata {
  /**
   * A PinholeMetadataKind, or another number up to 255. Each PinholeMetadataKind may occur once.
   */
  uint32_t kind;
  /**
   * The record; all of a stream's together have at most 16 MiB.
   */
  const uint8_t *data;
  /**
   * Its bytes.
   */
  size_t len;
} PinholeMetadata;

/**
 * How to encode. Fill it with pinhole_encode_options_init, then change what you want.
 */
typedef struct PinholeEncodeOptions {
  /**
   * sizeof(PinholeEncodeOptions).
   */
  size_t size;
  /**
   * 0 (smallest) to 100 (best), in steps of a hundredth. Default 50.
   */
  float quality;
  /**
   * Picture rows of a chunk, a multiple of 64 up to 65536. Default 256.
   */
  uint32_t chunk_rows;
  /**
   * If not 0, the best quality whose whole stream has at most as many bytes is chosen, whatever `quality` says.
   * Not for pinhole_stream_new. Default 0.
   */
  uint64_t target_bytes;
  /**
   * Records to carry; null if there are none. Default null.
   */
  const struct PinholeMetadata *metadata;
  /**
   * How many records. Default 0.
   */
  size_t metadata_count;
  /**
   * A PinholeEffort. A model need not have all of them. Default PINHOLE_EFFORT_DEFAULT.
   */
  uint32_t effort;
  /**
   * A PinholeTune. Default PINHOLE_TUNE_PERCEPTUAL.
   */
  uint32_t tune;
} PinholeEncodeOptions;

/**
 * How to decode. Fill it with pinhole_decode_options_init, then change what you want.
 */
typedef struct PinholeDecodeOptions {
  /**
   * sizeof(PinholeDecodeOptions).
   */
  size_t size;
  /**
   * If not 0, decode what is left of a damaged stream and fill in the rest instead of failing. Default 0.
   */
  uint32_t conceal;
  /**
   * How many pixels of the stream's picture a decoded one stands for along each axis: 1, 2, 4 or 8. The picture's
   * sides are the stream's divided by it, rounded up. Default 1.
   */
  uint32_t scale;
  /**
   * Refuse pictures of more pixels; decoding takes up to about 12 bytes a pixel. Default 134217728.
   */
  uint64_t max_pixels;
  /**
   * A PinholeSynthesis. A model need not have both. Default PINHOLE_SYNTHESIS_STANDARD.
   */
  uint32_t decoder;
  /**
   * Must be 0.
   */
  uint32_t reserved;
} PinholeDecodeOptions;

/**
 * Takes the next piece of a stream: `len` bytes at `data` that live until it returns. All pieces one after the other
 * are the stream. `kind` is a PinholePieceKind, `band` the number of the band of rows, from 0 (0 for the head).
 *
 * Return 0 to go on; anything else stops the stream, which then can only be freed. It is called on the thread that
 * pushes rows. It must not throw or jump out, nor call anything with the same stream (which gives BUSY) or free it.
 */
typedef int32_t (*PinholePieceCallback)(void *user,
                                        uint32_t kind,
                                        uint32_t band,
                                        const uint8_t *data,
                                        size_t len);

/**
 * What the header of a stream says.
 */
typedef struct PinholeInfo {
  /**
   * sizeof(PinholeInfo).
   */
  size_t size;
  /**
   * Pixels of a row, 1 to 65535.
   */
  uint32_t width;
  /**
   * Rows, 1 to 65535.
   */
  uint32_t height;
  /**
   * The PinholeFormat that pinhole_decode gives: GRAY8, GRAY_A8, RGB8 or RGBA8.
   */
  uint32_t format;
  /**
   * 0 to 100.
   */
  float quality;
  /**
   * Picture rows of a chunk.
   */
  uint32_t chunk_rows;
  /**
   * Bands of rows; each has a chunk of colours and, with alpha, one of alpha.
   */
  uint32_t bands;
  /**
   * Names the models that decode it: pinhole_model_latent_space.
   */
  uint8_t latent_space[8];
  /**
   * Where the first chunk begins: bytes of header and metadata.
   */
  size_t chunks_start;
} PinholeInfo;

/**
 * How to encode samples. Fill it with pinhole_sensor_options_init, then set what you want.
 */
typedef struct PinholeSensorOptions {
  /**
   * sizeof(PinholeSensorOptions).
   */
  size_t size;
  /**
   * Channels, 1 to 256. No default.
   */
  uint32_t channels;
  /**
   * A PinholePromise. Default QUALITY.
   */
  uint32_t promise;
  /**
   * A number for each channel, whose meaning PinholePromise tells; only read during the call. With a model and the
   * promise QUALITY it may be null: the model's spreads are used. No default.
   */
  const double *per_channel;
  /**
   * A PinholeSampleType. Default F32.
   */
  uint32_t sample_type;
  /**
   * 0 (smallest) to 100 (closest). Default 50.
   */
  float quality;
  /**
   * Samples of a window in each channel, 1 to 4096. Default 128.
   */
  uint32_t window;
  /**
   * Windows of a frame, 1 to 1024: so long the encoder waits at most. Default 32.
   */
  uint32_t windows_per_frame;
  /**
   * Frames from one key frame, at which decoding can begin, to the next. Default 64.
   */
  uint32_t key_interval;
  /**
   * A PinholeTimeUnit. Default NONE.
   */
  uint32_t time_unit;
  /**
   * The usual distance of samples in time; other distances cost some bits. Default 0.
   */
  uint64_t interval;
  /**
   * Whether each window gets a score. Default 1.
   */
  uint32_t scores;
  /**
   * With a model: the share of normal windows that may seem odd, 0 to 1. Default 0.01.
   */
  float false_alarm_rate;
  /**
   * Windows at the start of the stream that are known to be normal, 8 to 1024: scores are then relative to them. 0: none
   * is known to be. Default 0.
   */
  uint32_t calibration;
  /**
   * 0.
   */
  uint32_t reserved;
} PinholeSensorOptions;

/**
 * One frame of a stream, decoded. All pointers live until the frame is freed.
 */
typedef struct PinholeSensorFrameInfo {
  /**
   * sizeof(PinholeSensorFrameInfo).
   */
  size_t size;
  /**
   * Samples of each channel in the stream before this frame. If it is more than were decoded, the ones between were
   * lost.
   */
  uint64_t first_sample;
  /**
   * Samples of each channel.
   */
  size_t samples;
  /**
   * Channels.
   */
  size_t channels;
  /**
   * `samples * channels` values, those of one time next to each other; NaN where a sample is missing.
   */
  const double *values;
  /**
   * A time for each sample; null if the stream has none.
   */
  const int64_t *times;
  /**
   * Windows.
   */
  size_t windows;
  /**
   * A score for each window in sixteenths; null if the stream has none.
   */
  const uint8_t *scores;
  /**
   * Windows whose score is this or more are odd; 0 if the stream has no scores.
   */
  uint32_t threshold;
  /**
   * Whether this is the stream's last frame.
   */
  uint32_t last;
} PinholeSensorFrameInfo;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library, such as "0.1.0". The text is constant and must not be freed. Any thread.
 */
const char *pinhole_version(void);

/**
 * The version of the library's binary interface. A program works with it if it equals the PINHOLE_ABI_VERSION that it
 * was built with. Any thread.
 */
uint32_t pinhole_abi_version(void);

/**
 * A status in general words, in English. The text is constant and must not be freed. Unknown numbers give
 * "unknown status". Any thread, at any time.
 */
const char *pinhole_status_text(int32_t status);

/**
 * Describes a picture to be read whose rows and planes follow each other without gaps in `len` bytes at `data`
 * (pinhole_buffer_len tells how many are needed). `size` is sizeof(PinholeImage). Strides may be changed afterwards.
 *
 * Fails with INVALID_ARGUMENT or BUFFER_TOO_SMALL, and then changes nothing. Keeps no pointer. Any thread.
 */
PinholeStatus pinhole_image_init(struct PinholeImage *image,
                                 size_t size,
                                 uint32_t format,
                                 uint32_t width,
                                 uint32_t height,
                                 const uint8_t *data,
                                 size_t len,
                                 struct PinholeError *error);

/**
 * As pinhole_image_init, for a picture to be written. `size` is sizeof(PinholeImageMut).
 */
PinholeStatus pinhole_image_mut_init(struct PinholeImageMut *image,
                                     size_t size,
                                     uint32_t format,
                                     uint32_t width,
                                     uint32_t height,
                                     uint8_t *data,
                                     size_t len,
                                     struct PinholeError *error);

/**
 * Bytes of a picture of this format and size without gaps between rows and planes, into `len`.
 *
 * Fails with INVALID_ARGUMENT for an unknown format or a side that is not 1 to 65535. Any thread.
 */
PinholeStatus pinhole_buffer_len(uint32_t format,
                                 uint32_t width,
                                 uint32_t height,
                                 size_t *len,
                                 struct PinholeError *error);

/**
 * Fills options with their defaults. `size` is sizeof(PinholeEncodeOptions).
 *
 * Fails with NULL_ARGUMENT, or INVALID_ARGUMENT for an impossible size. Any thread.
 */
PinholeStatus pinhole_encode_options_init(struct PinholeEncodeOptions *options,
                                          size_t size,
                                          struct PinholeError *error);

/**
 * Fills options with their defaults. `size` is sizeof(PinholeDecodeOptions).
 *
 * Fails with NULL_ARGUMENT, or INVALID_ARGUMENT for an impossible size. Any thread.
 */
PinholeStatus pinhole_decode_options_init(struct PinholeDecodeOptions *options,
                                          size_t size,
                                          struct PinholeError *error);

/**
 * Gives the model that the library was built with, loaded at the first call. Free it with pinhole_model_free.
 *
 * Fails with BAD_MODEL if the library was built without one. Any thread.
 */
PinholeStatus pinhole_model_embedded(struct PinholeModel **model,
                                     struct PinholeError *error);

/**
 * Loads a model from `len` bytes of a bundle, which are copied. Free it with pinhole_model_free.
 *
 * Fails with BAD_MODEL if the bytes are no bundle or damaged. Any thread.
 */
PinholeStatus pinhole_model_from_memory(const uint8_t *data,
                                        size_t len,
                                        struct PinholeModel **model,
                                        struct PinholeError *error);

/**
 * Loads a model from a bundle file. `path` is a zero-terminated string in UTF-8. Free it with pinhole_model_free.
 *
 * Fails with IO if the file cannot be read, with BAD_MODEL if it is no bundle or damaged. Any thread.
 */
PinholeStatus pinhole_model_open(const char *path,
                                 struct PinholeModel **model,
                                 struct PinholeError *error);

/**
 * Writes the 8 bytes that name the model's latent space to `name`: a stream with the same in PinholeInfo can be
 * decoded with this model.
 *
 * Fails with NULL_ARGUMENT only. Any thread.
 */
PinholeStatus pinhole_model_latent_space(const struct PinholeModel *model,
                                         uint8_t *name,
                                         struct PinholeError *error);

/**
 * The model's description, JSON in UTF-8 of `len` bytes, without a zero byte at its end, at `data`. It lives as long
 * as the model and must not be freed.
 *
 * Fails with NULL_ARGUMENT only. Any thread.
 */
PinholeStatus pinhole_model_manifest(const struct PinholeModel *model,
                                     const char **data,
                                     size_t *len,
                                     struct PinholeError *error);

/**
 * Frees a model; null is allowed. No other call may be using it.
 */
void pinhole_model_free(struct PinholeModel *model);

/**
 * Makes an encoder that uses up to `threads` threads (0 is 1, more than 256 are 256) of the pool that all encoders
 * and decoders share; the bytes do not depend on it. Free it with pinhole_encoder_free.
 *
 * Fails with BAD_MODEL if the model cannot encode. Any thread.
 */
PinholeStatus pinhole_encoder_new(const struct PinholeModel *model,
                                  size_t threads,
                                  struct PinholeEncoder **encoder,
                                  struct PinholeError *error);

/**
 * Frees an encoder; null is allowed. No other call may be using it.
 */
void pinhole_encoder_free(struct PinholeEncoder *encoder);

/**
 * Encodes a picture to a whole stream. `options` may be null for the defaults. Free `stream` with pinhole_bytes_free.
 *
 * Fails with INVALID_ARGUMENT or BUFFER_TOO_SMALL for picture and options, with TARGET_TOO_SMALL, or with BUSY.
 * Any thread; one call at a time for one encoder.
 */
PinholeStatus pinhole_encode(struct PinholeEncoder *encoder,
                             const struct PinholeImage *image,
                             const struct PinholeEncodeOptions *options,
                             struct PinholeBytes **stream,
                             struct PinholeError *error);

/**
 * The bytes; null if `bytes` is. Any thread.
 */
const uint8_t *pinhole_bytes_data(const struct PinholeBytes *bytes);

/**
 * How many bytes; 0 if `bytes` is null. Any thread.
 */
size_t pinhole_bytes_len(const struct PinholeBytes *bytes);

/**
 * Frees bytes; null is allowed. Nobody may be reading them.
 */
void pinhole_bytes_free(struct PinholeBytes *bytes);

/**
 * Starts a picture of `width` by `height` pixels in a PinholeFormat with its additions. `options` may be null for the
 * defaults; a target size needs the whole picture and is refused. Every finished piece goes to `callback` together
 * with `user`, which the library only passes on. Free the stream with pinhole_stream_free.
 *
 * Fails with INVALID_ARGUMENT for size, format and options, with BAD_MODEL. Any thread.
 */
PinholeStatus pinhole_stream_new(const struct PinholeModel *model,
                                 uint32_t format,
                                 uint32_t width,
                                 uint32_t height,
                                 const struct PinholeEncodeOptions *options,
                                 PinholePieceCallback callback,
                                 void *user,
                                 struct PinholeStream **stream,
                                 struct PinholeError *error);

/**
 * Takes the next rows: an image of the stream's format and width and of any height (even for 4:2:0, but for the last
 * rows). Calls the callback for each piece that is finished; with the picture's last row, all are. The work is done
 * on the caller's thread.
 *
 * Fails with WRONG_ROWS, INVALID_ARGUMENT or BUFFER_TOO_SMALL, and then has changed nothing; with STOPPED if the
 * callback said so, BROKEN after an earlier failure of another kind, BUSY. Any thread; one call at a time for one
 * stream.
 */
PinholeStatus pinhole_stream_push_rows(struct PinholeStream *stream,
                                       const struct PinholeImage *rows,
                                       struct PinholeError *error);

/**
 * Checks that the whole picture was pushed and every piece given out. Changes nothing: if rows are missing they may
 * still be pushed.
 *
 * Fails with MISSING_ROWS, or BROKEN after an earlier failure. Any thread; one call at a time for one stream.
 */
PinholeStatus pinhole_stream_finish(struct PinholeStream *stream,
                                    struct PinholeError *error);

/**
 * Frees a stream, finished or not; null is allowed. No other call may be using it.
 */
void pinhole_stream_free(struct PinholeStream *stream);

/**
 * Makes a decoder that uses up to `threads` threads (0 is 1, more than 256 are 256) of the pool that all encoders and
 * decoders share; the pixels do not depend on it. Free it with pinhole_decoder_free.
 *
 * Fails with BAD_MODEL if the model cannot decode. Any thread.
 */
PinholeStatus pinhole_decoder_new(const struct PinholeModel *model,
                                  size_t threads,
                                  struct PinholeDecoder **decoder,
                                  struct PinholeError *error);

/**
 * Frees a decoder; null is allowed. No other call may be using it.
 */
void pinhole_decoder_free(struct PinholeDecoder *decoder);

/**
 * Decodes a whole stream of `len` bytes at `data` to a picture in the stream's own format: GRAY8, GRAY_A8, RGB8 or
 * RGBA8. `options` may be null for the defaults. Free `decoded` with pinhole_decoded_free.
 *
 * Fails with NOT_A_STREAM, UNSUPPORTED, TRUNCATED, DAMAGED, WRONG_MODEL, TOO_MANY_PIXELS, or BUSY. With
 * `options->conceal`, damage is an error only if it is in the header or no chunk is intact. Any thread; one call at a
 * time for one decoder.
 */
PinholeStatus pinhole_decode(struct PinholeDecoder *decoder,
                             const uint8_t *data,
                             size_t len,
                             const struct PinholeDecodeOptions *options,
                             struct PinholeDecoded **decoded,
                             struct PinholeError *error);

/**
 * Decodes a whole stream into the caller's memory, in any format, with any strides; `image` must have the size that
 * pinhole_info tells, divided by `options->scale` and rounded up. Alpha is opaque where the stream has none, and dropped where the format has none; grey becomes
 * RGB, or luma with neutral chroma; colour becomes grey by the luma of BT.601.
 *
 * `decoded` may be null; otherwise it gets the list of damaged chunks (and no picture): free it with
 * pinhole_decoded_free.
 *
 * Fails as pinhole_decode, or with INVALID_ARGUMENT or BUFFER_TOO_SMALL for the image. After a failure for damage the
 * image holds anything. Any thread; one call at a time for one decoder.
 */
PinholeStatus pinhole_decode_into(struct PinholeDecoder *decoder,
                                  const uint8_t *data,
                                  size_t len,
                                  const struct PinholeDecodeOptions *options,
                                  const struct PinholeImageMut *image,
                                  struct PinholeDecoded **decoded,
                                  struct PinholeError *error);

/**
 * Describes the decoded picture in `image`; `size` is sizeof(PinholeImage). Its one plane has no gaps between rows,
 * and lives until pinhole_decoded_free.
 *
 * Fails with INVALID_ARGUMENT if the picture went into the caller's memory. Any thread.
 */
PinholeStatus pinhole_decoded_image(const struct PinholeDecoded *decoded,
                                    struct PinholeImage *image,
                                    size_t size,
                                    struct PinholeError *error);

/**
 * How many chunks were lost and concealed; 0 if `decoded` is null. Any thread.
 */
size_t pinhole_decoded_damaged_count(const struct PinholeDecoded *decoded);

/**
 * Which chunk was lost: its PinholePieceKind and band of `chunk_rows` rows (PinholeInfo), both from 0. `index` is
 * below pinhole_decoded_damaged_count.
 *
 * Fails with NULL_ARGUMENT, or INVALID_ARGUMENT for an index too large. Any thread.
 */
PinholeStatus pinhole_decoded_damaged(const struct PinholeDecoded *decoded,
                                      size_t index,
                                      uint32_t *kind,
                                      uint32_t *band,
                                      struct PinholeError *error);

/**
 * Frees what came of decoding, with its picture; null is allowed. Nobody may be reading it.
 */
void pinhole_decoded_free(struct PinholeDecoded *decoded);

/**
 * Reads the header of a stream: `len` bytes at `data`, of which the first 32 are enough. `size` is
 * sizeof(PinholeInfo). A picture may have up to 65535 * 65535 pixels: check that before you allocate.
 *
 * Fails with NOT_A_STREAM, UNSUPPORTED, DAMAGED, or TRUNCATED if more bytes are needed. Any thread.
 */
PinholeStatus pinhole_info(const uint8_t *data,
                           size_t len,
                           struct PinholeInfo *info,
                           size_t size,
                           struct PinholeError *error);

/**
 * Finds a metadata record in a stream: `len` bytes at `data`, up to the first chunk at least. `record` points into
 * them, so it lives as long as they do; it is null, and `record_len` 0, if the stream has none. `kind` is a
 * PinholeMetadataKind or another number up to 255, of which the first record is given.
 *
 * Fails as pinhole_info, with DAMAGED also if a metadata record is damaged. Any thread.
 */
PinholeStatus pinhole_metadata(const uint8_t *data,
                               size_t len,
                               uint32_t kind,
                               const uint8_t **record,
                               size_t *record_len,
                               struct PinholeError *error);

/**
 * Sets all fields to their defaults. `size` is sizeof(PinholeSensorOptions).
 *
 * Fails with INVALID_ARGUMENT for a size that no version has. Any thread.
 */
PinholeStatus pinhole_sensor_options_init(struct PinholeSensorOptions *options,
                                          size_t size,
                                          struct PinholeError *error);

/**
 * Loads a model (the bytes of a .pinm file), which is copied. Free it with pinhole_sensor_model_free; encoders and
 * decoders keep their own share.
 *
 * Fails with BAD_MODEL. Any thread.
 */
PinholeStatus pinhole_sensor_model_load(const uint8_t *data,
                                        size_t len,
                                        struct PinholeSensorModel **model,
                                        struct PinholeError *error);

/**
 * Frees a model; null is allowed. No other call may be using it.
 */
void pinhole_sensor_model_free(struct PinholeSensorModel *model);

/**
 * Starts a stream. `model` may be null. With it, `channels` and `window` must be the model's; streams of a quality may
 * then need it to be decoded, and scores are relative to its reference. Free the encoder with pinhole_sensor_encoder_free.
 *
 * Fails with INVALID_ARGUMENT for options out of range. Any thread.
 */
PinholeStatus pinhole_sensor_encoder_new(const struct PinholeSensorModel *model,
                                         const struct PinholeSensorOptions *options,
                                         struct PinholeSensorEncoder **encoder,
                                         struct PinholeError *error);

/**
 * Takes the samples of `count` times, `channels` values for each, next to each other, of the stream's sample type;
 * missing ones are NaN. `times` has one for each, if the stream has times, and is null otherwise. `stream` gets the
 * bytes that are ready, often none; all of them one after the other are the stream. Free them with pinhole_bytes_free.
 *
 * Fails with INVALID_ARGUMENT, and then has taken nothing; with BROKEN after the end; with BUSY. Any thread; one call
 * at a time for one encoder.
 */
PinholeStatus pinhole_sensor_encoder_push(struct PinholeSensorEncoder *encoder,
                                          const int64_t *times,
                                          const void *samples,
                                          size_t count,
                                          struct PinholeBytes **stream,
                                          struct PinholeError *error);

/**
 * Ends the current window and frame early, so that all samples so far can be decoded; gives out their bytes as
 * pinhole_sensor_encoder_push does.
 *
 * Fails with BROKEN after the end, or BUSY. Any thread; one call at a time for one encoder.
 */
PinholeStatus pinhole_sensor_encoder_flush(struct PinholeSensorEncoder *encoder,
                                           struct PinholeBytes **stream,
                                           struct PinholeError *error);

/**
 * Ends the stream and gives out its last bytes as pinhole_sensor_encoder_push does. The encoder can only be freed then.
 *
 * Fails with BROKEN after the end, or BUSY. Any thread; one call at a time for one encoder.
 */
PinholeStatus pinhole_sensor_encoder_finish(struct PinholeSensorEncoder *encoder,
                                            struct PinholeBytes **stream,
                                            struct PinholeError *error);

/**
 * Frees an encoder, finished or not; null is allowed. No other call may be using it.
 */
void pinhole_sensor_encoder_free(struct PinholeSensorEncoder *encoder);

/**
 * Makes a decoder for one stream. `model` is the one that the stream needs, or null. If `conceal` is not 0, damage is
 * passed over: decoding goes on with the next undamaged key frame. Free it with pinhole_sensor_decoder_free. Any thread.
 */
PinholeStatus pinhole_sensor_decoder_new(const struct PinholeSensorModel *model,
                                         uint32_t conceal,
                                         struct PinholeSensorDecoder **decoder,
                                         struct PinholeError *error);

/**
 * Appends bytes of the stream, which are copied.
 *
 * Fails with BUSY. Any thread; one call at a time for one decoder.
 */
PinholeStatus pinhole_sensor_decoder_push(struct PinholeSensorDecoder *decoder,
                                          const uint8_t *data,
                                          size_t len,
                                          struct PinholeError *error);

/**
 * Decodes the next frame. `frame` is set to null if more bytes are needed, or after the last frame. Free it with
 * pinhole_sensor_frame_free.
 *
 * Fails with NOT_A_STREAM, UNSUPPORTED or DAMAGED, with WRONG_MODEL if it needs another one, with BROKEN after that,
 * with BUSY. Any thread; one call at a time for one decoder.
 */
PinholeStatus pinhole_sensor_decoder_next(struct PinholeSensorDecoder *decoder,
                                          struct PinholeSensorFrame **frame,
                                          struct PinholeError *error);

/**
 * Checks that the stream's last frame has come.
 *
 * Fails with TRUNCATED, or BUSY. Any thread; one call at a time for one decoder.
 */
PinholeStatus pinhole_sensor_decoder_finish(struct PinholeSensorDecoder *decoder,
                                            struct PinholeError *error);

/**
 * Frees a decoder; null is allowed. No other call may be using it.
 */
void pinhole_sensor_decoder_free(struct PinholeSensorDecoder *decoder);

/**
 * Fills `info` with what a frame holds. `size` is sizeof(PinholeSensorFrameInfo).
 *
 * Fails with INVALID_ARGUMENT for a size that no version has. Any thread.
 */
PinholeStatus pinhole_sensor_frame_info(const struct PinholeSensorFrame *frame,
                                        struct PinholeSensorFrameInfo *info,
                                        size_t size,
                                        struct PinholeError *error);

/**
 * Frees a frame; null is allowed. Nobody may be reading it.
 */
void pinhole_sensor_frame_free(struct PinholeSensorFrame *frame);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PINHOLE_H */
