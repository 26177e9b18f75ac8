// The one place that knows stb_image. It is compiled in here, privately, with only the formats
// that sets of pictures come in.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_ONLY_PNM
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#include <stb/stb_image.h>

#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/samples/file.h"
#include "client/samples/image.h"

namespace fourfold::samples {
namespace {

struct StbFree {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

absl::Status Undecodable(const std::string& path) {
  const char* const reason = stbi_failure_reason();
  return absl::InvalidArgumentError(absl::StrCat(
      path, " cannot be decoded as a picture: ", reason == nullptr ? "damaged" : reason));
}

const stbi_uc* Begin(const SharedBytes& file) {
  return reinterpret_cast<const stbi_uc*>(file.data.data());
}

absl::StatusOr<ImageSize> SizeOf(const SharedBytes& file, const std::string& path,
                                 int64_t pixels_max) {
  if (file.data.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::ResourceExhaustedError(absl::StrCat(path, " is larger than 2 GiB"));
  }
  ImageSize size;
  int channels = 0;
  if (stbi_info_from_memory(Begin(file), static_cast<int>(file.data.size()), &size.width,
                            &size.height, &channels) == 0 ||
      size.width <= 0 || size.height <= 0) {
    return Undecodable(path);
  }
  if (int64_t{size.width} * size.height > pixels_max) {
    return absl::ResourceExhaustedError(absl::StrCat(path, " is a picture of ", size.width, " x ",
                                                     size.height, ", the limit is ", pixels_max,
                                                     " pixels"));
  }
  return size;
}

// In place: n RGB triples at the front become n grey bytes. Weights in 1/65536.
void ToGrey(std::vector<uint8_t>& pixels) {
  const size_t count = pixels.size() / 3;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t sum =
        19595u * pixels[3 * i] + 38470u * pixels[3 * i + 1] + 7471u * pixels[3 * i + 2] + 0x8000u;
    pixels[i] = static_cast<uint8_t>(sum >> 16);
  }
  pixels.resize(count);
}

}  // namespace

absl::StatusOr<ImageSize> ReadImageSize(const std::string& path, int64_t pixels_max) {
  const absl::StatusOr<SharedBytes> file = MapFile(path);
  if (!file.ok()) return file.status();
  return SizeOf(*file, path, pixels_max);
}

absl::StatusOr<Image> DecodeImage(const std::string& path, int channels, int64_t pixels_max) {
  const absl::StatusOr<SharedBytes> file = MapFile(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<ImageSize> promised = SizeOf(*file, path, pixels_max);
  if (!promised.ok()) return promised.status();
  ImageSize size;
  int channels_in_file = 0;
  const std::unique_ptr<stbi_uc, StbFree> decoded(
      stbi_load_from_memory(Begin(*file), static_cast<int>(file->data.size()), &size.width,
                            &size.height, &channels_in_file, 3));
  if (decoded == nullptr) return Undecodable(path);
  if (size != *promised) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is damaged: its size changes"));
  }
  const size_t bytes = static_cast<size_t>(size.width) * static_cast<size_t>(size.height) * 3;
  Image image{size, channels, {decoded.get(), decoded.get() + bytes}};
  if (channels == 1) ToGrey(image.pixels);
  return image;
}

}  // namespace fourfold::samples
