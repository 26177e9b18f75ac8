#include "client/samples/npy.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace fourfold::samples {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kHeaderBytesMax = 64 * 1024;
constexpr size_t kRankMax = 32;
constexpr size_t kAlignment = 64;

struct DescrName {
  absl::string_view letters;  // of the type string, behind its byte order
  DType dtype;
};
constexpr std::array kDescrNames = {
    DescrName{"f2", DType::kFloat16}, DescrName{"f4", DType::kFloat32},
    DescrName{"f8", DType::kFloat64}, DescrName{"i1", DType::kInt8},
    DescrName{"i2", DType::kInt16},   DescrName{"i4", DType::kInt32},
    DescrName{"i8", DType::kInt64},   DescrName{"u1", DType::kUint8},
    DescrName{"u2", DType::kUint16},  DescrName{"u4", DType::kUint32},
    DescrName{"u8", DType::kUint64},  DescrName{"b1", DType::kBool},
};

struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<int64_t>> dims;
};

// Reads the header: a Python literal such as
//   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
// Each method consumes what it names and returns nothing, or false, if something else is there.
class HeaderParser {
 public:
  explicit HeaderParser(absl::string_view text) : text_(text) {}

  absl::StatusOr<Header> Parse() {
    Header header;
    if (!Take('{')) return Malformed("a '{'");
    while (!Take('}')) {
      const std::optional<std::string> key = String();
      if (!key.has_value() || !Take(':')) return Malformed("a key");
      if (absl::Status status = Value(*key, header); !status.ok()) return status;
      if (!Take(',') && Peek() != '}') return Malformed("',' or '}'");
    }
    Peek();
    if (position_ != text_.size()) return Malformed("nothing behind '}'");
    if (!header.descr || !header.fortran_order || !header.dims) {
      return absl::InvalidArgumentError("its header lacks descr, fortran_order or shape");
    }
    return header;
  }

 private:
  absl::Status Value(const std::string& key, Header& header) {
    if (key == "descr" && !header.descr) {
      if (Peek() == '[') {
        return absl::InvalidArgumentError("it holds structures, wanted plain numbers");
      }
      header.descr = String();
      if (!header.descr) return Malformed("a type string");
    } else if (key == "fortran_order" && !header.fortran_order) {
      header.fortran_order = Bool();
      if (!header.fortran_order) return Malformed("True or False");
    } else if (key == "shape" && !header.dims) {
      header.dims = Tuple();
      if (!header.dims) return Malformed("a tuple of dimensions, each from 0 to 2^63-1");
    } else {
      return Malformed("each of descr, fortran_order and shape once");
    }
    return absl::OkStatus();
  }

  absl::Status Malformed(absl::string_view wanted) const {
    return absl::InvalidArgumentError(
        absl::StrCat("its header is malformed at character ", position_, ": wanted ", wanted));
  }

  char Peek() {
    while (position_ < text_.size() &&
           (text_[position_] == ' ' || text_[position_] == '\n' || text_[position_] == '\t')) {
      ++position_;
    }
    return position_ < text_.size() ? text_[position_] : '\0';
  }

  bool Take(char wanted) {
    if (Peek() != wanted) return false;
    ++position_;
    return true;
  }

  std::optional<std::string> String() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return std::nullopt;
    const size_t end = text_.find(quote, position_ + 1);
    if (end == absl::string_view::npos) return std::nullopt;
    std::string value(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    return value;
  }

  std::optional<bool> Bool() {
    Peek();
    for (const bool value : {true, false}) {
      const absl::string_view word = value ? "True" : "False";
      if (text_.substr(position_, word.size()) != word) continue;
      position_ += word.size();
      return value;
    }
    return std::nullopt;
  }

  std::optional<int64_t> Number() {
    int64_t value = 0;
    Peek();
    const size_t start = position_;
    for (; position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9';
         ++position_) {
      if (__builtin_mul_overflow(value, int64_t{10}, &value) ||
          __builtin_add_overflow(value, int64_t{text_[position_] - '0'}, &value)) {
        return std::nullopt;
      }
    }
    if (position_ == start) return std::nullopt;
    Take('L');  // Python 2 wrote long integers so
    return value;
  }

  std::optional<std::vector<int64_t>> Tuple() {
    std::vector<int64_t> values;
    if (!Take('(')) return std::nullopt;
    while (!Take(')')) {
      const std::optional<int64_t> value = Number();
      if (!value || values.size() == kRankMax) return std::nullopt;
      values.push_back(*value);
      if (!Take(',') && Peek() != ')') return std::nullopt;
    }
    return values;
  }

  const absl::string_view text_;
  size_t position_ = 0;
};

absl::StatusOr<DType> ParseDescr(const std::string& descr) {
  const absl::string_view letters = absl::string_view(descr).substr(descr.empty() ? 0 : 1);
  const char order = descr.empty() ? '\0' : descr[0];
  for (const DescrName& known : kDescrNames) {
    if (letters != known.letters) continue;
    if (DTypeBytes(known.dtype) == 1 || order == '<') return known.dtype;
    return absl::InvalidArgumentError(
        absl::StrCat("its elements are '", descr, "', wanted little-endian ('<", letters, "')"));
  }
  if (!letters.empty() && letters[0] == 'O') {
    return absl::InvalidArgumentError("it holds Python objects, wanted plain numbers");
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "its elements are '", descr, "', wanted one of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1"));
}

absl::StatusOr<Array> Parse(const SharedBytes& bytes) {
  const absl::string_view text(reinterpret_cast<const char*>(bytes.data.data()), bytes.data.size());
  if (text.size() < kMagic.size() + 4 || text.substr(0, kMagic.size()) != kMagic) {
    return absl::InvalidArgumentError("not a .npy file");
  }
  const auto byte_at = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(text[i])); };
  const size_t major = byte_at(6);
  if (major < 1 || major > 3 || byte_at(7) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("its format is ", major, ".", byte_at(7), ", wanted 1.0, 2.0 or 3.0"));
  }
  const size_t header_begin = major == 1 ? 10 : 12;
  if (text.size() < header_begin) return absl::InvalidArgumentError("truncated in its header");
  size_t header_bytes = byte_at(8) | byte_at(9) << 8;
  if (major > 1) header_bytes |= byte_at(10) << 16 | byte_at(11) << 24;
  if (header_bytes > kHeaderBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("its header says it has ", header_bytes,
                                                   " bytes, wanted at most ", kHeaderBytesMax));
  }
  if (header_bytes > text.size() - header_begin) {
    return absl::InvalidArgumentError("truncated in its header");
  }
  absl::StatusOr<Header> header = HeaderParser(text.substr(header_begin, header_bytes)).Parse();
  if (!header.ok()) return header.status();
  const absl::StatusOr<DType> dtype = ParseDescr(*header->descr);
  if (!dtype.ok()) return dtype.status();
  if (*header->fortran_order) {
    return absl::InvalidArgumentError(
        "it is in Fortran order, wanted C order (numpy.ascontiguousarray makes it)");
  }
  const absl::StatusOr<int64_t> wanted = ArrayBytes(*dtype, *header->dims);
  if (!wanted.ok()) return wanted.status();
  Array array{*dtype,
              *std::move(header->dims),
              {bytes.data.subspan(header_begin + header_bytes), bytes.owner}};
  if (static_cast<uint64_t>(*wanted) != array.bytes.data.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        array.bytes.data.size() < static_cast<uint64_t>(*wanted) ? "truncated" : "too long", ": ",
        DescribeArray(array), " takes ", *wanted, " bytes, got ", array.bytes.data.size()));
  }
  return array;
}

}  // namespace

std::string DescribeArray(const Array& array) {
  return absl::StrCat(DTypeName(array.dtype), " [", absl::StrJoin(array.dims, ", "), "]");
}

Array MakeArray(DType dtype, std::vector<int64_t> dims, std::span<const std::byte> data) {
  auto owner = std::make_shared<const std::vector<std::byte>>(data.begin(), data.end());
  Array array{dtype, std::move(dims), {{owner->data(), owner->size()}, owner}};
  assert(ArrayBytes(dtype, array.dims).value_or(-1) == static_cast<int64_t>(data.size()));
  return array;
}

absl::StatusOr<int64_t> ArrayBytes(DType dtype, std::span<const int64_t> dims) {
  // A zero among the dimensions does not excuse the others: their product must fit too.
  int64_t product = static_cast<int64_t>(DTypeBytes(dtype));
  bool empty = false;
  for (const int64_t dim : dims) {
    if (dim == 0) {
      empty = true;
    } else if (dim < 0 || __builtin_mul_overflow(product, dim, &product)) {
      return absl::InvalidArgumentError(
          absl::StrCat("dimensions [", absl::StrJoin(dims, ", "), "] are negative or too large"));
    }
  }
  return empty ? 0 : product;
}

absl::StatusOr<Array> ParseNpy(const SharedBytes& bytes, const std::string& name) {
  absl::StatusOr<Array> array = Parse(bytes);
  if (!array.ok()) {
    return absl::Status(array.status().code(), absl::StrCat(name, ": ", array.status().message()));
  }
  return array;
}

absl::StatusOr<Array> ReadNpyFile(const std::string& path) {
  const absl::StatusOr<SharedBytes> bytes = MapFile(path);
  if (!bytes.ok()) return bytes.status();
  return ParseNpy(*bytes, path);
}

std::string NpyHeader(DType dtype, std::span<const int64_t> dims) {
  const auto* known = std::find_if(kDescrNames.begin(), kDescrNames.end(),
                                   [&](const DescrName& d) { return d.dtype == dtype; });
  std::string text = absl::StrCat("{'descr': '", DTypeBytes(dtype) == 1 ? "|" : "<", known->letters,
                                  "', 'fortran_order': False, 'shape': (",
                                  absl::StrJoin(dims, ", "), dims.size() == 1 ? "," : "", "), }");
  const size_t prefix = kMagic.size() + 4;
  const size_t total = (prefix + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  text.append(total - prefix - text.size() - 1, ' ');
  text.push_back('\n');
  const std::array<char, 4> version_and_length = {1, 0, static_cast<char>(text.size() & 0xff),
                                                  static_cast<char>(text.size() >> 8)};
  return absl::StrCat(kMagic, absl::string_view(version_and_length.data(), 4), text);
}

absl::Status WriteNpyFile(const std::string& path, const Array& array) {
  const std::string header = NpyHeader(array.dtype, array.dims);
  const std::array<std::span<const std::byte>, 2> parts = {std::as_bytes(std::span(header)),
                                                           array.bytes.data};
  return WriteFile(path, parts);
}

}  // namespace fourfold::samples
