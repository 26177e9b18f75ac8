#include "server/quantize/samples.h"

#include <atomic>
#include <cmath>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/base/status_macros.h"

namespace fourfold::quantize {
namespace {

bool Admits(const graph::Shape& wanted, const graph::Shape& got, size_t wanted_from) {
  if (wanted.size() - wanted_from != got.size()) return false;
  for (size_t i = 0; i < got.size(); ++i) {
    const int64_t dim = wanted[wanted_from + i];
    if (dim != graph::kUnknownDim && dim != got[i]) return false;
  }
  return true;
}

absl::Status CheckFinite(std::span<const std::byte> bytes, const SampleInput& input,
                         int64_t index) {
  if (input.type != graph::DataType::kFloat32) return absl::OkStatus();
  const std::span values(reinterpret_cast<const float*>(bytes.data()),
                         bytes.size() / sizeof(float));
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat("sample ", index, " of \"", input.name,
                                                   "\": element ", i, " is ", values[i],
                                                   ", wanted finite numbers"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SampleBinding> BindSamples(const runtime::Model& model, const SampleSet& samples,
                                          const std::string& what) {
  if (samples.size() == 0)
    return absl::InvalidArgumentError(absl::StrCat(what, ": there are none"));
  const std::vector<SampleInput>& arrays = samples.inputs();
  SampleBinding binding;
  std::vector<std::string> names;
  for (const SampleInput& array : arrays) names.push_back(array.name);
  for (const runtime::TensorInfo& input : model.inputs()) {
    size_t found = arrays.size();
    for (size_t i = 0; i < arrays.size(); ++i) {
      const bool only = arrays[i].name.empty() && model.inputs().size() == 1 && arrays.size() == 1;
      if (arrays[i].name == input.name || only) found = i;
    }
    if (found == arrays.size()) {
      std::string got;
      for (const std::string& name : names) absl::StrAppend(&got, got.empty() ? "" : ", ", name);
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": no array for the model's input \"", input.name, "\"; got: ", got));
    }
    const SampleInput& array = arrays[found];
    if (array.type != input.type) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": \"", input.name, "\" holds ", graph::TypeText(array.type),
                       ", the model wants ", graph::TypeText(input.type)));
    }
    // A sample has the input's dimensions without the batch, or with a batch of 1.
    const bool batched =
        !input.shape.empty() && (input.shape[0] == 1 || input.shape[0] == graph::kUnknownDim);
    graph::Shape shape;
    if (batched && Admits(input.shape, array.shape, 1)) {
      shape = array.shape;
      shape.insert(shape.begin(), 1);
    } else if (Admits(input.shape, array.shape, 0) && (!batched || array.shape[0] == 1)) {
      shape = array.shape;
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": one sample of \"", input.name, "\" has the shape ",
                       graph::ShapeText(array.shape), ", the model's input is ",
                       graph::ShapeText(input.shape), " (its first dimension is the batch)"));
    }
    binding.array.push_back(found);
    binding.input_shapes.push_back(std::move(shape));
  }
  if (!samples.labels().empty() &&
      static_cast<int64_t>(samples.labels().size()) != samples.size()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", samples.labels().size(),
                                                   " labels for ", samples.size(), " samples"));
  }
  return binding;
}

absl::Status VisitSamples(const SampleSet& samples, const SampleBinding& binding, int64_t end,
                          int workers, const Visit& visit) {
  std::atomic<int64_t> next{0};
  absl::Mutex mutex;
  absl::Status first_error;  // guarded by mutex
  const auto work = [&](int worker) {
    for (int64_t index = next.fetch_add(1); index < end; index = next.fetch_add(1)) {
      const absl::Status status = [&]() -> absl::Status {
        ASSIGN_OR_RETURN(std::vector<std::vector<std::byte>> arrays, samples.Read(index));
        for (size_t i = 0; i < arrays.size(); ++i) {
          RETURN_IF_ERROR(CheckFinite(arrays[i], samples.inputs()[i], index));
        }
        std::vector<std::vector<std::byte>> inputs;
        for (size_t array : binding.array) inputs.push_back(arrays[array]);
        return visit(worker, index, inputs);
      }();
      if (status.ok()) continue;
      next = end;
      const absl::MutexLock lock(&mutex);
      if (first_error.ok()) first_error = status;
    }
  };
  std::vector<std::thread> threads;
  for (int worker = 1; worker < workers; ++worker) threads.emplace_back(work, worker);
  work(0);
  for (std::thread& thread : threads) thread.join();
  return first_error;
}

}  // namespace fourfold::quantize
