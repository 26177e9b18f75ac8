#include "client/samples/image_folder.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/samples/file.h"
#include "client/samples/image.h"

namespace fourfold::samples {
namespace {

namespace fs = std::filesystem;

constexpr std::array<absl::string_view, 7> kExtensions = {".jpg", ".jpeg", ".png", ".bmp",
                                                          ".gif", ".pgm",  ".ppm"};

struct Listing {
  std::vector<std::string> files;
  std::optional<std::vector<int64_t>> labels;  // one per file
};

class ImageSource final : public SampleSource {
 public:
  // `size` is that of every picture after resizing and cropping.
  ImageSource(Listing listing, const SourceOptions& options, ImageSize size)
      : listing_(std::move(listing)), options_(options.images), size_(size) {
    const int64_t channels = options_.channels;
    std::vector<int64_t> dims = options_.layout == ImageLayout::kNchw
                                    ? std::vector<int64_t>{channels, size.height, size.width}
                                    : std::vector<int64_t>{size.height, size.width, channels};
    inputs_.push_back({options.input_name, DType::kFloat32, std::move(dims)});
  }

  int64_t size() const override { return static_cast<int64_t>(listing_.files.size()); }
  const std::vector<SampleInput>& inputs() const override { return inputs_; }
  const std::optional<std::vector<int64_t>>& labels() const override { return listing_.labels; }

  absl::StatusOr<Sample> Read(int64_t index) const override {
    if (index < 0 || index >= size()) {
      return absl::OutOfRangeError(absl::StrCat("sample ", index, " of ", size()));
    }
    const std::string& path = listing_.files[static_cast<size_t>(index)];
    absl::StatusOr<Image> image = DecodeImage(path, options_.channels, options_.pixels_max);
    if (!image.ok()) return image.status();
    absl::Status status = Fit(path, *image);
    if (!status.ok()) return status;
    Sample sample;
    sample.decoded = Normalise(*image);
    sample.inputs.push_back(std::as_bytes(std::span<const float>(sample.decoded)));
    return sample;
  }

 private:
  // Resizes and crops in place; refuses a picture that does not come out as `size_`.
  absl::Status Fit(const std::string& path, Image& image) const;
  std::vector<float> Normalise(const Image& image) const;

  const Listing listing_;
  const ImageOptions options_;
  const ImageSize size_;
  std::vector<SampleInput> inputs_;
};

absl::Status ImageSource::Fit(const std::string& path, Image& image) const {
  const ImageSize scaled =
      options_.resize > 0 ? ScaleShortSide(image.size, options_.resize) : image.size;
  const ImageSize fitted = options_.crop > 0 ? ImageSize{options_.crop, options_.crop} : scaled;
  if (fitted != size_ || fitted.width > scaled.width || fitted.height > scaled.height) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is ", scaled.width, " x ", scaled.height, " where ", size_.width,
                     " x ", size_.height, " are wanted; resize and crop make pictures alike"));
  }
  // A strip a pixel high can scale to more than any file may hold.
  if (int64_t{scaled.width} * scaled.height > std::max(options_.pixels_max, int64_t{1} << 26)) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path, " resized is ", scaled.width, " x ", scaled.height, " pixels"));
  }
  if (scaled != image.size) image = ResizeBilinear(image, scaled);
  if (options_.crop > 0) image = CropCentre(image, options_.crop);
  return absl::OkStatus();
}

std::vector<float> ImageSource::Normalise(const Image& image) const {
  const size_t channels = static_cast<size_t>(image.channels);
  const size_t pixels = image.pixels.size() / channels;
  std::vector<float> values(image.pixels.size());
  for (size_t c = 0; c < channels; ++c) {
    const size_t from = options_.channel_order == ChannelOrder::kBgr ? channels - 1 - c : c;
    const bool planar = options_.layout == ImageLayout::kNchw;
    const size_t first = planar ? c * pixels : c, step = planar ? 1 : channels;
    for (size_t i = 0; i < pixels; ++i) {
      const float pixel = image.pixels[i * channels + from];
      values[first + i * step] = (pixel * options_.scale - options_.mean[c]) / options_.std[c];
    }
  }
  return values;
}

// The names in a folder, sorted: subfolders, or files that look like pictures. Hidden ones and
// others are left out.
absl::StatusOr<std::vector<std::string>> SortedNames(const std::string& folder, bool subfolders) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name[0] == '.') continue;
    std::error_code ignored;  // a dangling link is neither file nor folder
    const std::string extension = absl::AsciiStrToLower(entry->path().extension().string());
    const bool picture =
        std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
    if (subfolders ? entry->is_directory(ignored) : picture && entry->is_regular_file(ignored)) {
      names.push_back(name);
    }
  }
  if (error) return FileError(error.value(), "cannot list", folder);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<Listing> ListByCsv(const std::string& folder, const std::string& csv) {
  const absl::StatusOr<SharedBytes> file = MapFile(csv);
  if (!file.ok()) return file.status();
  Listing listing;
  listing.labels.emplace();
  const absl::string_view text(reinterpret_cast<const char*>(file->data.data()), file->data.size());
  int64_t number = 0;
  for (const absl::string_view raw : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(raw);
    if (line.empty()) continue;
    const size_t comma = line.rfind(',');
    const absl::string_view name =
        absl::StripAsciiWhitespace(line.substr(0, std::min(comma, line.size())));
    int64_t label = -1;
    const bool numeric =
        comma != absl::string_view::npos && absl::SimpleAtoi(line.substr(comma + 1), &label);
    if (!numeric && comma != absl::string_view::npos && number == 1) continue;  // the header
    if (!numeric || label < 0 || name.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(csv, ", line ", number, ": wanted file,class with a class from 0"));
    }
    std::string path = absl::StrCat(folder, "/", name);
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) {
      return absl::NotFoundError(absl::StrCat(csv, ", line ", number, ": there is no file ", path));
    }
    listing.files.push_back(std::move(path));
    listing.labels->push_back(label);
  }
  return listing;
}

absl::StatusOr<Listing> ListByClassFolders(const std::string& folder,
                                           const std::vector<std::string>& classes) {
  Listing listing;
  listing.labels.emplace();
  for (size_t c = 0; c < classes.size(); ++c) {
    const std::string inside = absl::StrCat(folder, "/", classes[c]);
    const absl::StatusOr<std::vector<std::string>> names = SortedNames(inside, false);
    if (!names.ok()) return names.status();
    for (const std::string& name : *names) {
      listing.files.push_back(absl::StrCat(inside, "/", name));
      listing.labels->push_back(static_cast<int64_t>(c));
    }
  }
  return listing;
}

absl::StatusOr<Listing> List(const std::string& folder, const std::string& labels_path) {
  if (!labels_path.empty()) return ListByCsv(folder, labels_path);
  const absl::StatusOr<std::vector<std::string>> files = SortedNames(folder, false);
  if (!files.ok()) return files.status();
  if (files->empty()) {
    const absl::StatusOr<std::vector<std::string>> classes = SortedNames(folder, true);
    if (!classes.ok()) return classes.status();
    return ListByClassFolders(folder, *classes);
  }
  Listing listing;
  for (const std::string& name : *files) listing.files.push_back(absl::StrCat(folder, "/", name));
  return listing;
}

// The size that pictures have as samples: the crop, or what the first one scales to.
absl::StatusOr<ImageSize> FittedSize(const Listing& listing, const ImageOptions& options) {
  if (options.crop > 0) return ImageSize{options.crop, options.crop};
  const absl::StatusOr<ImageSize> size = ReadImageSize(listing.files.front(), options.pixels_max);
  if (!size.ok() || options.resize == 0) return size;
  return ScaleShortSide(*size, options.resize);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SampleSource>> OpenImageFolder(const std::string& path,
                                                              const SourceOptions& options) {
  absl::Status valid = options.images.Validate();
  if (!valid.ok()) return valid;
  absl::StatusOr<Listing> listing = List(path, options.labels_path);
  if (!listing.ok()) return listing.status();
  if (listing->files.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds no samples: wanted pictures (", absl::StrJoin(kExtensions, " "),
                     "), a folder of them per class, or samples.json"));
  }
  if (static_cast<int64_t>(listing->files.size()) > options.max_samples) {
    return absl::ResourceExhaustedError(absl::StrCat(
        path, " holds ", listing->files.size(), " pictures, the limit is ", options.max_samples));
  }
  const absl::StatusOr<ImageSize> size = FittedSize(*listing, options.images);
  if (!size.ok()) return size.status();
  return std::make_unique<ImageSource>(*std::move(listing), options, *size);
}

}  // namespace fourfold::samples
