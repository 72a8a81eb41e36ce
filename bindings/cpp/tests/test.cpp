// The C++ types: ownership, exceptions, and that they give what the C functions give. test MODEL_FILE
#include <pinhole.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                         \
      std::exit(1);                                                                                \
    }                                                                                              \
  } while (0)

using Buffer = std::vector<std::uint8_t>;

// The status that `work` throws.
template <typename Work> static PinholeStatus thrown(Work work) {
  try {
    work();
  } catch (const pinhole::Error &error) {
    CHECK(error.what()[0] != 0);
    return error.status();
  }
  return PINHOLE_STATUS_OK;
}

static Buffer picture(std::uint32_t width, std::uint32_t height) {
  Buffer samples(pinhole::buffer_len(PINHOLE_FORMAT_RGB8, width, height));
  for (std::size_t i = 0; i < samples.size(); i++)
    samples[i] = static_cast<std::uint8_t>(i * i / 97 % 251);
  return samples;
}

static_assert(!std::is_copy_constructible_v<pinhole::Model>);
static_assert(!std::is_copy_constructible_v<pinhole::Encoder>);
static_assert(std::is_nothrow_move_constructible_v<pinhole::Encoder>);
static_assert(std::is_nothrow_move_constructible_v<pinhole::Stream>);

int main(int argc, char **argv) {
  CHECK(argc == 2);
  std::ifstream in(argv[1], std::ios::binary);
  const Buffer bundle{std::istreambuf_iterator<char>(in), {}};
  CHECK(!pinhole::version().empty());
  auto model = pinhole::Model::from_memory(bundle);
  CHECK(model.latent_space() == pinhole::Model::open(argv[1]).latent_space());
  CHECK(model.latent_space() != pinhole::Model::embedded().latent_space());
  CHECK(model.manifest().front() == '{');
  CHECK(thrown([] { pinhole::Model::open("no such file"); }) == PINHOLE_STATUS_IO);
  CHECK(thrown([] { pinhole::Model::from_memory({}); }) == PINHOLE_STATUS_NULL_ARGUMENT);

  const std::uint32_t width = 75, height = 150;
  const Buffer samples = picture(width, height);
  const auto image = pinhole::image(PINHOLE_FORMAT_RGB8, width, height, samples);
  const std::string xmp = "<x:xmpmeta/>";
  pinhole::EncodeOptions options;
  options.quality(70).chunk_rows(64).metadata(PINHOLE_METADATA_KIND_XMP, xmp);
  pinhole::Encoder encoder(model, 2);
  pinhole::Decoder decoder(model, 2);
  const auto file = encoder.encode(image, options);

  const auto info = pinhole::info(file);
  CHECK(info.width == width && info.height == height && info.quality == 70 && info.bands == 3);
  CHECK(std::memcmp(info.latent_space, model.latent_space().data(), 8) == 0);
  const auto record = pinhole::metadata(file, PINHOLE_METADATA_KIND_XMP);
  CHECK(std::string(record.begin(), record.end()) == xmp);
  CHECK(pinhole::metadata(file, PINHOLE_METADATA_KIND_ICC).empty());
  CHECK(encoder.encode(image, pinhole::EncodeOptions().target_bytes(file.size())).size() <=
        file.size());

  // Whole, into memory, and with damage.
  const auto decoded = decoder.decode(file);
  const auto own = decoded.image();
  CHECK(own.width == width && own.planes[0].len == samples.size() && decoded.damaged().empty());
  Buffer out(samples.size());
  const auto place = pinhole::image_mut(PINHOLE_FORMAT_RGB8, width, height, out.data(), out.size());
  const auto report = decoder.decode_into(file, place);
  CHECK(std::memcmp(out.data(), own.planes[0].data, out.size()) == 0);
  CHECK(thrown([&] { (void)report.image(); }) == PINHOLE_STATUS_INVALID_ARGUMENT);
  Buffer broken(file.begin(), file.end());
  broken.back() ^= 1;
  CHECK(thrown([&] { decoder.decode(broken); }) == PINHOLE_STATUS_DAMAGED);
  const auto lost = decoder.decode(broken, pinhole::DecodeOptions().conceal()).damaged();
  CHECK(lost.size() == 1 && lost[0].band == 2 && lost[0].kind == PINHOLE_PIECE_KIND_LATENTS);
  CHECK(thrown([&] { decoder.decode(file, pinhole::DecodeOptions().max_pixels(9)); }) ==
        PINHOLE_STATUS_TOO_MANY_PIXELS);

  const auto half = decoder.decode(file, pinhole::DecodeOptions().scale(2));
  CHECK(half.image().width == (own.width + 1) / 2 && half.image().height == (own.height + 1) / 2);

  // Bands, with a stream that moves while it works.
  Buffer sent;
  int pieces = 0;
  const auto sink = [&](const pinhole::Piece &piece) {
    sent.insert(sent.end(), piece.bytes.begin(), piece.bytes.end());
    pieces++;
  };
  pinhole::Stream first(model, PINHOLE_FORMAT_RGB8, width, height, sink, options);
  auto rows = image;
  rows.height = 50;
  first.push_rows(rows);
  pinhole::Stream stream = std::move(first);
  CHECK(thrown([&] { stream.finish(); }) == PINHOLE_STATUS_MISSING_ROWS);
  for (int i = 0; i < 2; i++) {
    rows.planes[0].data += 50 * width * 3;
    rows.planes[0].len -= 50 * width * 3;
    stream.push_rows(rows);
  }
  stream.finish();
  CHECK(pieces == 4 && sent == Buffer(file.begin(), file.end()));

  // What a sink throws comes out, and the stream is lost.
  pinhole::Stream failing(model, PINHOLE_FORMAT_RGB8, width, height,
                          [](const pinhole::Piece &) { throw std::string("no space"); });
  bool caught = false;
  try {
    failing.push_rows(image);
  } catch (const std::string &text) {
    caught = text == "no space";
  }
  CHECK(caught);
  CHECK(thrown([&] { failing.push_rows(image); }) == PINHOLE_STATUS_BROKEN);

  // Moved-from objects say so; a model may go before its encoders, which work in other threads.
  pinhole::Encoder moved = std::move(encoder);
  CHECK(thrown([&] { encoder.encode(image); }) == PINHOLE_STATUS_NULL_ARGUMENT);
  std::vector<std::thread> threads;
  std::vector<int> same(3);
  for (int &result : same)
    threads.emplace_back([&result, &options, &image, &file, own = pinhole::Encoder(model)]() mutable {
      const auto again = own.encode(image, options);
      result = again.size() == file.size() && !std::memcmp(again.data(), file.data(), file.size());
    });
  { const auto gone = std::move(model); }
  for (auto &thread : threads)
    thread.join();
  CHECK(same == std::vector<int>({1, 1, 1}));
  CHECK(thrown([&] { pinhole::Encoder none(model); }) == PINHOLE_STATUS_NULL_ARGUMENT);
  std::puts("C++");
  return 0;
}
