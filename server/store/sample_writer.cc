#include "server/store/sample_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"

namespace fourfold::store {

absl::Status SampleWriter::Begin(const SampleBatch& batch) {
  RETURN_IF_ERROR(files_.MakeDirectory(directory_));
  for (const SampleTensor& tensor : batch.tensors) {
    const bool again = std::any_of(inputs_.begin(), inputs_.end(), [&](const Input& input) {
      return input.name == tensor.input || input.name.empty() || tensor.input.empty();
    });
    if (again) {
      return absl::InvalidArgumentError(
          absl::StrCat(what_, " samples: tensor \"", tensor.input,
                       "\": wanted each input once, and a name for each where there are several"));
    }
    ASSIGN_OR_RETURN(
        std::unique_ptr<NpyWriter> writer,
        NpyWriter::Create(files_, absl::StrCat(directory_, "/", inputs_.size(), ".npy"),
                          tensor.descr, tensor.item_shape));
    inputs_.push_back({tensor.input, tensor.descr, tensor.item_shape, std::move(writer)});
  }
  if (!batch.labels.empty()) {
    ASSIGN_OR_RETURN(labels_, NpyWriter::Create(files_, directory_ + "/labels.npy", "<i8", {}));
  }
  return absl::OkStatus();
}

absl::Status SampleWriter::Append(const SampleBatch& batch) {
  if (inputs_.empty()) RETURN_IF_ERROR(Begin(batch));
  if (batch.tensors.size() != inputs_.size()) {
    return absl::InvalidArgumentError(absl::StrCat(what_, " samples from sample ", count_, ": got ",
                                                   batch.tensors.size(), " tensors, wanted ",
                                                   inputs_.size(), " as before"));
  }
  if (batch.labels.empty() != (labels_ == nullptr)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what_, " samples from sample ", count_, ": ", labels_ ? "no labels" : "labels",
                     " but earlier batches had ", labels_ ? "them" : "none",
                     "; wanted all or none with labels"));
  }
  for (const SampleTensor& tensor : batch.tensors) {
    const auto input = std::find_if(inputs_.begin(), inputs_.end(),
                                    [&](const Input& i) { return i.name == tensor.input; });
    if (input == inputs_.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(what_, " samples from sample ", count_, ": tensor \"", tensor.input,
                       "\" was not among the inputs of earlier batches"));
    }
    if (input->descr != tensor.descr || input->item_shape != tensor.item_shape) {
      return absl::InvalidArgumentError(absl::StrCat(
          what_, " samples from sample ", count_, ": tensor \"", tensor.input, "\": got ",
          tensor.descr, " [", absl::StrJoin(tensor.item_shape, ", "), "] per sample, wanted ",
          input->descr, " [", absl::StrJoin(input->item_shape, ", "), "] as before"));
    }
    RETURN_IF_ERROR(input->writer->Append(batch.count, tensor.bytes));
  }
  if (labels_) {
    RETURN_IF_ERROR(labels_->Append(
        batch.count, absl::string_view(reinterpret_cast<const char*>(batch.labels.data()),
                                       batch.labels.size() * sizeof(int64_t))));
  }
  count_ += batch.count;
  return absl::OkStatus();
}

absl::Status SampleWriter::Seal() {
  nlohmann::ordered_json inputs = nlohmann::ordered_json::array();
  for (size_t i = 0; i < inputs_.size(); ++i) {
    RETURN_IF_ERROR(inputs_[i].writer->Seal());
    inputs.push_back({{"name", inputs_[i].name}, {"file", absl::StrCat(i, ".npy")}});
  }
  nlohmann::ordered_json json = {{"inputs", std::move(inputs)}};
  if (labels_) {
    RETURN_IF_ERROR(labels_->Seal());
    json["labels"] = "labels.npy";
  }
  const std::string text =
      json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  ASSIGN_OR_RETURN(const std::unique_ptr<base::WritableFile> file,
                   files_.Create(directory_ + "/samples.json"));
  return file->Append(text);
}

}  // namespace fourfold::store
