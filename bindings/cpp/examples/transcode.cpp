// Encodes a grey gradient and a stream of NV12 bands, and decodes both: transcode
#include <pinhole.hpp>

#include <cstdio>
#include <vector>

int main() try {
  const auto model = pinhole::Model::embedded();
  pinhole::Encoder encoder(model);
  pinhole::Decoder decoder(model);

  const std::uint32_t width = 320, height = 240;
  std::vector<std::uint8_t> gray(width * height);
  for (std::uint32_t i = 0; i < gray.size(); i++)
    gray[i] = static_cast<std::uint8_t>((i % width + i / width) / 3);
  const auto stream = encoder.encode(pinhole::image(PINHOLE_FORMAT_GRAY8, width, height, gray),
                                     pinhole::EncodeOptions().quality(60));
  const auto decoded = decoder.decode(stream);
  std::printf("%u rows in %zu bytes\n", decoded.image().height, stream.size());

  // A camera that gives sixteen rows at a time.
  std::vector<std::uint8_t> file;
  pinhole::Stream camera(model, PINHOLE_FORMAT_NV12, width, height, [&](const pinhole::Piece &p) {
    file.insert(file.end(), p.bytes.begin(), p.bytes.end());
  });
  const std::vector<std::uint8_t> band(pinhole::buffer_len(PINHOLE_FORMAT_NV12, width, 16), 128);
  for (std::uint32_t y = 0; y < height; y += 16)
    camera.push_rows(pinhole::image(PINHOLE_FORMAT_NV12, width, 16, band));
  camera.finish();

  // For a display that takes BGRA.
  std::vector<std::uint8_t> bgra(pinhole::buffer_len(PINHOLE_FORMAT_BGRA8, width, height));
  decoder.decode_into(file, pinhole::image_mut(PINHOLE_FORMAT_BGRA8, width, height, bgra.data(),
                                               bgra.size()));
  std::printf("%zu bytes, the first pixel is %d %d %d\n", file.size(), bgra[2], bgra[1], bgra[0]);
  return 0;
} catch (const pinhole::Error &error) {
  std::fprintf(stderr, "%s: %s\n", pinhole_status_text(error.status()), error.what());
  return 1;
}
