#include "loadtest/inputs.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/datatype.h"
#include "client/samples/npy.h"
#include "client/samples/sample_source.h"

namespace fourfold::loadtest {
namespace {

using client::InferRequest;
using client::Tensor;
using client::TensorDescription;
using samples::DType;

constexpr int64_t kRandomRequests = 16;

// The samples of one input.
struct Column {
  std::string name;
  DType dtype;
  std::vector<int64_t> dims;      // of one sample
  std::vector<std::string> rows;  // bytes of each sample
};

absl::Status TooLarge(const InputOptions& options) {
  return absl::ResourceExhaustedError(
      absl::StrCat("the inputs of this run take more than ", options.bytes_max,
                   " bytes, wanted less: lower --samples or --batch"));
}

std::string Names(const std::vector<TensorDescription>& inputs) {
  return absl::StrJoin(inputs, ", ", [](std::string* out, const TensorDescription& input) {
    absl::StrAppend(out, input.name);
  });
}

std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct InputFlag {
  std::string tensor;  // empty: the model's only input
  std::string path;
};

// A path may have "=" in it; see also client/cli/infer.cc.
InputFlag ParseInputFlag(const std::string& text) {
  struct stat facts;
  const size_t equals = text.find('=');
  if (equals == std::string::npos || stat(text.c_str(), &facts) == 0) return {"", text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

absl::StatusOr<std::vector<Column>> ReadArrays(const std::vector<TensorDescription>& inputs,
                                               const InputOptions& options) {
  std::vector<Column> columns;
  int64_t bytes = 0;
  for (const std::string& text : options.paths) {
    InputFlag flag = ParseInputFlag(text);
    if (flag.tensor.empty()) {
      if (inputs.size() != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("--input=", text, ": the model has the inputs ", Names(inputs),
                         "; wanted --input=TENSOR=FILE.npy for each"));
      }
      flag.tensor = inputs.front().name;
    }
    const auto array = samples::ReadNpyFile(flag.path);
    if (!array.ok()) return array.status();
    if (array->dims.empty() || array->dims.front() == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag.path,
                       " holds no samples, wanted an array whose first axis is the "
                       "batch axis"));
    }
    Column column{flag.tensor, array->dtype, {array->dims.begin() + 1, array->dims.end()}, {}};
    const auto count = static_cast<size_t>(array->dims.front());
    const size_t row_bytes = array->bytes.data.size() / count;
    for (size_t i = 0; i < std::min(count, static_cast<size_t>(options.samples_max)); ++i) {
      bytes += static_cast<int64_t>(row_bytes);
      if (bytes > options.bytes_max) return TooLarge(options);
      column.rows.push_back(Text(array->bytes.data.subspan(i * row_bytes, row_bytes)));
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

absl::StatusOr<std::vector<Column>> ReadSource(const std::vector<TensorDescription>& inputs,
                                               const std::string& path,
                                               const InputOptions& options) {
  samples::SourceOptions source_options;
  source_options.images = options.images;
  if (!inputs.empty()) source_options.input_name = inputs.front().name;
  const auto source = samples::SampleSource::Open(path, source_options);
  if (!source.ok()) return source.status();
  std::vector<Column> columns;
  for (const samples::SampleInput& input : (*source)->inputs()) {
    columns.push_back({input.name, input.dtype, input.dims, {}});
  }
  int64_t bytes = 0;
  for (int64_t i = 0; i < std::min((*source)->size(), options.samples_max); ++i) {
    const auto sample = (*source)->Read(i);
    if (!sample.ok()) return sample.status();
    for (size_t k = 0; k < columns.size(); ++k) {
      columns[k].rows.push_back(Text(sample->inputs[k]));
      bytes += static_cast<int64_t>(sample->inputs[k].size());
    }
    if (bytes > options.bytes_max) return TooLarge(options);
  }
  return columns;
}

absl::Status CheckColumns(const std::vector<TensorDescription>& inputs,
                          const std::vector<Column>& columns) {
  for (const Column& column : columns) {
    const auto is_it = [&](const auto& other) { return other.name == column.name; };
    if (std::none_of(inputs.begin(), inputs.end(), is_it)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the samples have '", column.name, "', wanted the model's inputs ", Names(inputs)));
    }
    if (std::count_if(columns.begin(), columns.end(), is_it) > 1) {
      return absl::InvalidArgumentError(absl::StrCat("input '", column.name, "' is given twice"));
    }
    if (column.rows.size() != columns.front().rows.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", column.name, "' has ", column.rows.size(), " samples, wanted ",
                       columns.front().rows.size(), " as '", columns.front().name, "' has"));
    }
  }
  if (columns.size() != inputs.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("samples of ", columns.size(), " inputs, wanted all of ", Names(inputs)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<InferRequest>> Assemble(const std::vector<Column>& columns,
                                                   const InputOptions& options) {
  const size_t rows = columns.front().rows.size();
  const auto batch = static_cast<size_t>(options.batch);
  std::vector<InferRequest> requests(std::max<size_t>(1, rows / batch));
  int64_t bytes = 0;
  for (size_t r = 0; r < requests.size(); ++r) {
    for (const Column& column : columns) {
      Tensor tensor{column.name, client::DatatypeName(column.dtype), {options.batch}, {}};
      tensor.shape.insert(tensor.shape.end(), column.dims.begin(), column.dims.end());
      for (size_t i = 0; i < batch; ++i) {
        const std::string& row = column.rows[(r * batch + i) % rows];
        bytes += static_cast<int64_t>(row.size());
        if (bytes > options.bytes_max) return TooLarge(options);
        tensor.bytes += row;
      }
      requests[r].inputs.push_back(std::move(tensor));
    }
  }
  return requests;
}

// k / 1024 as IEEE 754 binary16; k from 0 to 1023.
uint16_t HalfOfShare(uint16_t k) {
  if (k == 0) return 0;
  const int exponent = static_cast<int>(std::bit_width(k)) - 1;
  return static_cast<uint16_t>(((exponent - 10 + 15) << 10) | ((k << (10 - exponent)) & 0x3ff));
}

void AppendRandom(DType dtype, std::mt19937_64& random, std::string& bytes) {
  const uint64_t bits = random();
  const auto append = [&bytes](auto value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  switch (dtype) {
    case DType::kFloat16: append(HalfOfShare(static_cast<uint16_t>(bits >> 54))); break;
    case DType::kFloat32: append(static_cast<float>(bits >> 40) * 0x1p-24f); break;
    case DType::kFloat64: append(static_cast<double>(bits >> 11) * 0x1p-53); break;
    default:  // an integer or bool, little-endian: 0 or 1
      bytes.push_back(static_cast<char>(bits >> 63));
      bytes.append(samples::DTypeBytes(dtype) - 1, '\0');
  }
}

absl::StatusOr<std::vector<int64_t>> RandomShape(const TensorDescription& input, int64_t batch) {
  std::vector<int64_t> shape = input.shape;
  if (!shape.empty() && (shape[0] < 0 || shape[0] == 1)) shape[0] = batch;
  if (!shape.empty() && shape[0] != batch && batch != 1) {
    return absl::InvalidArgumentError(absl::StrCat("--batch=", batch, ": input '", input.name,
                                                   "' takes ", shape[0], " samples at once"));
  }
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] < 0) {
      return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " of input '", input.name,
                                                     "' may have any size: wanted --input"));
    }
  }
  return shape;
}

absl::StatusOr<std::vector<InferRequest>> RandomRequests(
    const std::vector<TensorDescription>& inputs, const InputOptions& options) {
  std::mt19937_64 random(options.seed);
  std::vector<InferRequest> requests(
      static_cast<size_t>(std::min(kRandomRequests, options.samples_max)));
  double bytes = 0;
  for (InferRequest& request : requests) {
    for (const TensorDescription& input : inputs) {
      const auto dtype = client::ParseDatatype(input.datatype);
      if (!dtype.ok()) {
        return absl::Status(
            dtype.status().code(),
            absl::StrCat("input '", input.name, "' cannot be random: ", dtype.status().message()));
      }
      const auto shape = RandomShape(input, options.batch);
      if (!shape.ok()) return shape.status();
      double elements = 1;  // in double, because a server's dimensions may multiply to anything
      for (const int64_t dim : *shape) elements *= static_cast<double>(dim);
      bytes += elements * static_cast<double>(samples::DTypeBytes(*dtype));
      if (bytes > static_cast<double>(options.bytes_max)) return TooLarge(options);
      Tensor tensor{input.name, input.datatype, *shape, {}};
      for (int64_t i = 0; i < static_cast<int64_t>(elements); ++i) {
        AppendRandom(*dtype, random, tensor.bytes);
      }
      request.inputs.push_back(std::move(tensor));
    }
  }
  return requests;
}

}  // namespace

absl::StatusOr<std::vector<InferRequest>> MakeRequests(const std::vector<TensorDescription>& inputs,
                                                       const InputOptions& options) {
  if (inputs.empty()) return absl::InvalidArgumentError("the model has no inputs, wanted one");
  if (options.paths.empty()) return RandomRequests(inputs, options);
  const bool arrays =
      std::all_of(options.paths.begin(), options.paths.end(),
                  [](const std::string& path) { return absl::EndsWithIgnoreCase(path, ".npy"); });
  if (!arrays && options.paths.size() > 1) {
    return absl::InvalidArgumentError(
        "several --input: wanted FILE.npy in each, or a single FILE.npz or folder");
  }
  const auto columns =
      arrays ? ReadArrays(inputs, options) : ReadSource(inputs, options.paths.front(), options);
  if (!columns.ok()) return columns.status();
  if (absl::Status checked = CheckColumns(inputs, *columns); !checked.ok()) return checked;
  return Assemble(*columns, options);
}

}  // namespace fourfold::loadtest
