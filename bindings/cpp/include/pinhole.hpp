/* Pinhole in C++17: handles that free themselves, and exceptions instead of status codes, over pinhole.h.
 *
 * Ownership and threads are those of pinhole.h: one call at a time for one encoder, decoder or stream; a model and what
 * was encoded or decoded may be read by any number of threads. All types are moved, not copied. A moved-from object can
 * only be destroyed or assigned to; calls on it throw Error with PINHOLE_STATUS_NULL_ARGUMENT.
 */
#ifndef PINHOLE_HPP
#define PINHOLE_HPP

#include <pinhole.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pinhole {

/// A call that failed: what() says why, status() is the code.
class Error : public std::runtime_error {
public:
  explicit Error(const PinholeError &error)
      : std::runtime_error(error.message), status_(error.status) {}
  PinholeStatus status() const noexcept { return status_; }

private:
  PinholeStatus status_;
};

namespace detail {

/// Calls a C function with the arguments and a place for the error; throws what it reports.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
  PinholeError error;
  if (function(arguments..., &error) != PINHOLE_STATUS_OK)
    throw Error(error);
}

/// Frees a handle with its own function.
template <typename T, void (*free)(T *)> struct Free {
  void operator()(T *handle) const noexcept { free(handle); }
};
template <typename T, void (*free)(T *)> using Handle = std::unique_ptr<T, Free<T, free>>;

} // namespace detail

/// Some bytes of somebody else's.
struct Span {
  const std::uint8_t *data = nullptr;
  std::size_t size = 0;

  Span() = default;
  Span(const std::uint8_t *data_, std::size_t size_) : data(data_), size(size_) {}
  /// Of anything with data() and size() whose elements are bytes, such as a vector, an array or Bytes.
  template <typename Container,
            typename = std::enable_if_t<sizeof(*std::declval<const Container &>().data()) == 1>>
  Span(const Container &bytes)
      : data(reinterpret_cast<const std::uint8_t *>(bytes.data())), size(bytes.size()) {}

  const std::uint8_t *begin() const noexcept { return data; }
  const std::uint8_t *end() const noexcept { return data + size; }
  bool empty() const noexcept { return size == 0; }
};

/// The library's version.
inline std::string_view version() noexcept { return pinhole_version(); }

/// Bytes of a picture without gaps; see pinhole_buffer_len.
inline std::size_t buffer_len(std::uint32_t format, std::uint32_t width, std::uint32_t height) {
  std::size_t len = 0;
  detail::call(pinhole_buffer_len, format, width, height, &len);
  return len;
}

/// A picture to be read, without gaps; strides and planes may be changed afterwards. It borrows `samples`.
inline PinholeImage image(std::uint32_t format, std::uint32_t width, std::uint32_t height,
                          Span samples) {
  PinholeImage image;
  detail::call(pinhole_image_init, &image, sizeof image, format, width, height, samples.data,
               samples.size);
  return image;
}

/// A picture to be written, without gaps; strides and planes may be changed afterwards. It borrows the samples.
inline PinholeImageMut image_mut(std::uint32_t format, std::uint32_t width, std::uint32_t height,
                                 std::uint8_t *samples, std::size_t size) {
  PinholeImageMut image;
  detail::call(pinhole_image_mut_init, &image, sizeof image, format, width, height, samples, size);
  return image;
}

/// How to encode: the fields of PinholeEncodeOptions. It borrows the records added to it.
class EncodeOptions {
public:
  EncodeOptions() { detail::call(pinhole_encode_options_init, &options_, sizeof options_); }

  /// 0 to 100.
  EncodeOptions &quality(float quality) {
    options_.quality = quality;
    return *this;
  }
  /// The most bytes of the whole stream; overrides the quality.
  EncodeOptions &target_bytes(std::uint64_t bytes) {
    options_.target_bytes = bytes;
    return *this;
  }
  /// A multiple of 64.
  EncodeOptions &chunk_rows(std::uint32_t rows) {
    options_.chunk_rows = rows;
    return *this;
  }
  /// Which analysis transform; the model must have it.
  EncodeOptions &effort(PinholeEffort effort) {
    options_.effort = effort;
    return *this;
  }
  /// What the bits are spent on.
  EncodeOptions &tune(PinholeTune tune) {
    options_.tune = tune;
    return *this;
  }
  /// Adds a record of a PinholeMetadataKind. It must live until the encoding call or the stream's constructor returns.
  EncodeOptions &metadata(std::uint32_t kind, Span record) {
    PinholeMetadata own;
    own.kind = kind;
    own.data = record.data;
    own.len = record.size;
    records_.push_back(own);
    return *this;
  }

  /// As C takes them; lives as long as this object is not changed.
  PinholeEncodeOptions get() const {
    PinholeEncodeOptions options = options_;
    options.metadata = records_.empty() ? nullptr : records_.data();
    options.metadata_count = records_.size();
    return options;
  }

private:
  PinholeEncodeOptions options_;
  std::vector<PinholeMetadata> records_;
};

/// How to decode: the fields of PinholeDecodeOptions.
class DecodeOptions {
public:
  DecodeOptions() { detail::call(pinhole_decode_options_init, &options_, sizeof options_); }

  /// Fill in what damage has taken instead of throwing.
  DecodeOptions &conceal(bool conceal = true) {
    options_.conceal = conceal;
    return *this;
  }
  /// Decode to 1/1, 1/2, 1/4 or 1/8 of the size.
  DecodeOptions &scale(std::uint32_t factor) {
    options_.scale = factor;
    return *this;
  }
  /// Which synthesis transform; the model must have it.
  DecodeOptions &decoder(PinholeSynthesis synthesis) {
    options_.decoder = synthesis;
    return *this;
  }
  /// Refuse larger pictures.
  DecodeOptions &max_pixels(std::uint64_t pixels) {
    options_.max_pixels = pixels;
    return *this;
  }
  const PinholeDecodeOptions &get() const noexcept { return options_; }

private:
  PinholeDecodeOptions options_;
};

/// A loaded model. Encoders, decoders and streams keep what they need of it.
class Model {
public:
  /// The library's own.
  static Model embedded() {
    PinholeModel *model = nullptr;
    detail::call(pinhole_model_embedded, &model);
    return Model(model);
  }
  /// From a bundle in memory, which is copied.
  static Model from_memory(Span bundle) {
    PinholeModel *model = nullptr;
    detail::call(pinhole_model_from_memory, bundle.data, bundle.size, &model);
    return Model(model);
  }
  /// From a bundle file; the path is UTF-8.
  static Model open(const std::string &path) {
    PinholeModel *model = nullptr;
    detail::call(pinhole_model_open, path.c_str(), &model);
    return Model(model);
  }

  /// Names the streams that it decodes: Info::latent_space.
  std::array<std::uint8_t, 8> latent_space() const {
    std::array<std::uint8_t, 8> name{};
    detail::call(pinhole_model_latent_space, get(), name.data());
    return name;
  }
  /// Its description in JSON; lives as long as the model.
  std::string_view manifest() const {
    const char *text = nullptr;
    std::size_t len = 0;
    detail::call(pinhole_model_manifest, get(), &text, &len);
    return {text, len};
  }
  const PinholeModel *get() const noexcept { return handle_.get(); }

private:
  explicit Model(PinholeModel *model) : handle_(model) {}
  detail::Handle<PinholeModel, pinhole_model_free> handle_;
};

/// A stream that the library encoded.
class Bytes {
public:
  explicit Bytes(PinholeBytes *bytes) : handle_(bytes) {}
  const std::uint8_t *data() const noexcept { return pinhole_bytes_data(handle_.get()); }
  std::size_t size() const noexcept { return pinhole_bytes_len(handle_.get()); }
  const std::uint8_t *begin() const noexcept { return data(); }
  const std::uint8_t *end() const noexcept { return data() + size(); }

private:
  detail::Handle<PinholeBytes, pinhole_bytes_free> handle_;
};

/// Encodes pictures; keeps its buffers between them.
class Encoder {
public:
  explicit Encoder(const Model &model, std::size_t threads = 1) {
    PinholeEncoder *encoder = nullptr;
    detail::call(pinhole_encoder_new, model.get(), threads, &encoder);
    handle_.reset(encoder);
  }

  Bytes encode(const PinholeImage &image, const EncodeOptions &options = {}) {
    PinholeBytes *stream = nullptr;
    const PinholeEncodeOptions own = options.get();
    detail::call(pinhole_encode, handle_.get(), &image, &own, &stream);
    return Bytes(stream);
  }

private:
  detail::Handle<PinholeEncoder, pinhole_encoder_free> handle_;
};

/// A piece of a stream: a PinholePieceKind, its band, and bytes that live until the sink returns.
struct Piece {
  std::uint32_t kind;
  std::uint32_t band;
  Span bytes;
};

/// Encodes a picture from bands of rows.
class Stream {
public:
  /// Takes each finished piece, on the thread that pushes rows. What it throws comes out of push_rows; the stream can
  /// then only be destroyed.
  using Sink = std::function<void(const Piece &)>;

  Stream(const Model &model, std::uint32_t format, std::uint32_t width, std::uint32_t height,
         Sink sink, const EncodeOptions &options = {})
      : state_(std::make_unique<State>()) {
    state_->sink = std::move(sink);
    PinholeStream *stream = nullptr;
    const PinholeEncodeOptions own = options.get();
    detail::call(pinhole_stream_new, model.get(), format, width, height, &own, &Stream::take,
                 static_cast<void *>(state_.get()), &stream);
    handle_.reset(stream);
  }

  void push_rows(const PinholeImage &rows) {
    PinholeError error;
    if (pinhole_stream_push_rows(handle_.get(), &rows, &error) == PINHOLE_STATUS_OK)
      return;
    if (state_ && state_->thrown)
      std::rethrow_exception(std::exchange(state_->thrown, nullptr));
    throw Error(error);
  }

  /// Throws if the picture is not complete.
  void finish() { detail::call(pinhole_stream_finish, handle_.get()); }

private:
  /// At an address that does not move with the stream.
  struct State {
    Sink sink;
    std::exception_ptr thrown;
  };

  /// Exceptions must not cross the library: they wait in the state.
  static std::int32_t take(void *user, std::uint32_t kind, std::uint32_t band,
                           const std::uint8_t *data, std::size_t len) noexcept {
    State *state = static_cast<State *>(user);
    try {
      state->sink(Piece{kind, band, Span(data, len)});
      return 0;
    } catch (...) {
      state->thrown = std::current_exception();
      return 1;
    }
  }

  std::unique_ptr<State> state_;
  detail::Handle<PinholeStream, pinhole_stream_free> handle_;
};

/// A chunk that was lost and concealed.
struct Damaged {
  std::uint32_t kind;
  std::uint32_t band;
};

/// What came of decoding.
class Decoded {
public:
  explicit Decoded(PinholeDecoded *decoded) : handle_(decoded) {}

  /// The picture; lives as long as this object. Throws after decode_into.
  PinholeImage image() const {
    PinholeImage image;
    detail::call(pinhole_decoded_image, handle_.get(), &image, sizeof image);
    return image;
  }
  std::vector<Damaged> damaged() const {
    std::vector<Damaged> list(pinhole_decoded_damaged_count(handle_.get()));
    for (std::size_t i = 0; i < list.size(); i++)
      detail::call(pinhole_decoded_damaged, handle_.get(), i, &list[i].kind, &list[i].band);
    return list;
  }

private:
  detail::Handle<PinholeDecoded, pinhole_decoded_free> handle_;
};

/// Decodes streams; keeps its buffers between them.
class Decoder {
public:
  explicit Decoder(const Model &model, std::size_t threads = 1) {
    PinholeDecoder *decoder = nullptr;
    detail::call(pinhole_decoder_new, model.get(), threads, &decoder);
    handle_.reset(decoder);
  }

  /// To a picture in the stream's own format.
  Decoded decode(Span stream, const DecodeOptions &options = {}) {
    PinholeDecoded *decoded = nullptr;
    detail::call(pinhole_decode, handle_.get(), stream.data, stream.size, &options.get(), &decoded);
    return Decoded(decoded);
  }

  /// Into the caller's memory.
  Decoded decode_into(Span stream, const PinholeImageMut &image,
                      const DecodeOptions &options = {}) {
    PinholeDecoded *decoded = nullptr;
    detail::call(pinhole_decode_into, handle_.get(), stream.data, stream.size, &options.get(),
                 &image, &decoded);
    return Decoded(decoded);
  }

private:
  detail::Handle<PinholeDecoder, pinhole_decoder_free> handle_;
};

/// What the header of a stream says.
inline PinholeInfo info(Span stream) {
  PinholeInfo info;
  detail::call(pinhole_info, stream.data, stream.size, &info, sizeof info);
  return info;
}

/// A metadata record within the stream's bytes; empty if there is none.
inline Span metadata(Span stream, std::uint32_t kind) {
  const std::uint8_t *data = nullptr;
  std::size_t len = 0;
  detail::call(pinhole_metadata, stream.data, stream.size, kind, &data, &len);
  return {data, len};
}

} // namespace pinhole

#endif
