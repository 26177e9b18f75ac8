#include "server/rpc/infer_codec.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <type_traits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/rpc/datatype.h"

namespace fourfold::rpc {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors travel as they lie in memory");

using graph::DataType;
using inference::InferParameter;
using InputTensor = inference::ModelInferRequest::InferInputTensor;

// A client's text in a message.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 128)), "\"");
}

std::string ShapeText(const graph::Shape& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

std::optional<double> Number(const InferParameter& parameter) {
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kDoubleParam: return parameter.double_param();
    case InferParameter::kInt64Param: return static_cast<double>(parameter.int64_param());
    case InferParameter::kUint64Param: return static_cast<double>(parameter.uint64_param());
    default: return std::nullopt;
  }
}

absl::Status WrongParameter(absl::string_view name, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("parameter ", name, ": wanted ", wanted));
}

// ---- Typed contents

template <typename Stored, typename Field>
absl::StatusOr<std::string> Convert(const InputTensor& tensor, const Field& values, int64_t count) {
  if (values.size() != count) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", Quoted(tensor.name()), ": got ", values.size(), " elements of ",
                     tensor.datatype(), " in contents, wanted ", count));
  }
  std::string bytes(static_cast<size_t>(count) * sizeof(Stored), '\0');
  auto* out = bytes.data();
  for (int i = 0; i < values.size(); ++i) {
    const auto value = values[i];
    if constexpr (std::is_integral_v<Stored> && sizeof(Stored) < sizeof(value)) {
      if (value < std::numeric_limits<Stored>::min() ||
          value > std::numeric_limits<Stored>::max()) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", Quoted(tensor.name()), ": element ", i, " is ", value,
                         ", out of the range of ", tensor.datatype()));
      }
    }
    const auto stored = static_cast<Stored>(value);
    std::memcpy(out, &stored, sizeof(stored));
    out += sizeof(stored);
  }
  return bytes;
}

int FieldsFilled(const inference::InferTensorContents& contents) {
  return (contents.bool_contents_size() > 0) + (contents.int_contents_size() > 0) +
         (contents.int64_contents_size() > 0) + (contents.uint_contents_size() > 0) +
         (contents.uint64_contents_size() > 0) + (contents.fp32_contents_size() > 0) +
         (contents.fp64_contents_size() > 0) + (contents.bytes_contents_size() > 0);
}

absl::StatusOr<std::string> ConvertContents(const InputTensor& tensor, DataType type,
                                            int64_t count) {
  const inference::InferTensorContents& contents = tensor.contents();
  if (FieldsFilled(contents) > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input ", Quoted(tensor.name()),
        ": several fields of contents are filled, wanted the one of ", tensor.datatype()));
  }
  switch (type) {
    case DataType::kBool: return Convert<uint8_t>(tensor, contents.bool_contents(), count);
    case DataType::kInt8: return Convert<int8_t>(tensor, contents.int_contents(), count);
    case DataType::kInt16: return Convert<int16_t>(tensor, contents.int_contents(), count);
    case DataType::kInt32: return Convert<int32_t>(tensor, contents.int_contents(), count);
    case DataType::kInt64: return Convert<int64_t>(tensor, contents.int64_contents(), count);
    case DataType::kUint8: return Convert<uint8_t>(tensor, contents.uint_contents(), count);
    case DataType::kUint16: return Convert<uint16_t>(tensor, contents.uint_contents(), count);
    case DataType::kUint32: return Convert<uint32_t>(tensor, contents.uint_contents(), count);
    case DataType::kUint64: return Convert<uint64_t>(tensor, contents.uint64_contents(), count);
    case DataType::kFloat32: return Convert<float>(tensor, contents.fp32_contents(), count);
    case DataType::kFloat64: return Convert<double>(tensor, contents.fp64_contents(), count);
    case DataType::kFloat16:
    case DataType::kBFloat16: break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("input ", Quoted(tensor.name()), ": ", tensor.datatype(),
                   " has no typed contents, wanted raw_input_contents"));
}

// ---- Checks of one input

absl::StatusOr<graph::Shape> CheckShape(const InputTensor& tensor,
                                        const runtime::TensorInfo& wanted) {
  const graph::Shape shape(tensor.shape().begin(), tensor.shape().end());
  bool fits = shape.size() == wanted.shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) {
    fits = wanted.shape[i] == graph::kUnknownDim ? shape[i] >= 1 : shape[i] == wanted.shape[i];
  }
  if (!fits) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", Quoted(tensor.name()), ": got shape ", ShapeText(shape), ", wanted ",
                     ShapeText(wanted.shape), " (-1: any size from 1)"));
  }
  return shape;
}

absl::Status CheckBooleans(const InputTensor& tensor, absl::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (static_cast<unsigned char>(bytes[i]) > 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input ", Quoted(tensor.name()), ": element ", i, " is ",
          static_cast<int>(static_cast<unsigned char>(bytes[i])), ", wanted 0 or 1 in BOOL"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckInput(const InputTensor& tensor, const runtime::TensorInfo& wanted) {
  if (tensor.parameters().contains("shared_memory_region")) {
    return absl::UnimplementedError(
        absl::StrCat("input ", Quoted(tensor.name()),
                     ": shared memory is not supported, wanted raw_input_contents"));
  }
  if (tensor.datatype() != DatatypeName(wanted.type)) {
    return absl::InvalidArgumentError(absl::StrCat("input ", Quoted(tensor.name()),
                                                   ": got datatype ", Quoted(tensor.datatype()),
                                                   ", wanted ", DatatypeName(wanted.type)));
  }
  return absl::OkStatus();
}

// Which of the request's tensors feeds each of the model's inputs.
absl::StatusOr<std::vector<int>> MatchInputs(const inference::ModelInferRequest& request,
                                             const std::vector<runtime::TensorInfo>& wanted) {
  std::vector<int> source(wanted.size(), -1);
  for (int i = 0; i < request.inputs_size(); ++i) {
    const std::string& name = request.inputs(i).name();
    const auto found =
        std::find_if(wanted.begin(), wanted.end(),
                     [&](const runtime::TensorInfo& info) { return info.name == name; });
    if (found == wanted.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", Quoted(name), ": the model has no such input, it has ",
                       absl::StrJoin(wanted, ", ", [](std::string* out, const auto& info) {
                         absl::StrAppend(out, Quoted(info.name));
                       })));
    }
    int& slot = source[static_cast<size_t>(found - wanted.begin())];
    if (slot >= 0)
      return absl::InvalidArgumentError(absl::StrCat("input ", Quoted(name), ": given twice"));
    slot = i;
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (source[i] >= 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("input ", Quoted(wanted[i].name), ": missing, wanted ",
                     DatatypeName(wanted[i].type), " ", ShapeText(wanted[i].shape)));
  }
  return source;
}

}  // namespace

absl::StatusOr<InferWishes> DecodeParameters(const inference::ModelInferRequest& request) {
  InferWishes wishes;
  for (const auto& [name, parameter] : request.parameters()) {
    if (name == "variant") {
      if (!parameter.has_string_param())
        return WrongParameter(name, "a string, the variant's name");
      wishes.variant.variant = parameter.string_param();
    } else if (name == "max_latency_ms") {
      wishes.variant.max_latency_ms = Number(parameter);
      if (!(wishes.variant.max_latency_ms.value_or(-1) > 0))
        return WrongParameter(name, "a number above 0");
    } else if (name == "min_agreement") {
      wishes.variant.min_agreement = Number(parameter);
      const double value = wishes.variant.min_agreement.value_or(-1);
      if (!(value >= 0 && value <= 1)) return WrongParameter(name, "a number from 0 to 1");
    } else if (name == "prefer") {
      if (!parameter.has_string_param()) return WrongParameter(name, "latency, accuracy or size");
      ASSIGN_OR_RETURN(wishes.variant.prefer, schedule::ParsePreference(parameter.string_param()));
    } else if (name == "timeout") {
      const std::optional<double> microseconds = Number(parameter);
      if (!(microseconds.value_or(-1) >= 0))
        return WrongParameter(name, "a number of microseconds");
      if (*microseconds > 0) wishes.timeout = absl::Microseconds(*microseconds);  // 0: none
    }
  }
  return wishes;
}

absl::StatusOr<DecodedInputs> DecodeInputs(const inference::ModelInferRequest& request,
                                           const std::vector<runtime::TensorInfo>& model_inputs) {
  ASSIGN_OR_RETURN(const std::vector<int> sources, MatchInputs(request, model_inputs));
  for (size_t i = 0; i < model_inputs.size(); ++i) {
    RETURN_IF_ERROR(CheckInput(request.inputs(sources[i]), model_inputs[i]));
  }
  const bool raw = request.raw_input_contents_size() > 0;
  if (raw && request.raw_input_contents_size() != request.inputs_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("raw_input_contents: got ", request.raw_input_contents_size(),
                     " entries, wanted one for each of ", request.inputs_size(), " inputs"));
  }
  DecodedInputs decoded;
  decoded.converted.reserve(model_inputs.size());  // views into it stay valid
  for (size_t i = 0; i < model_inputs.size(); ++i) {
    const InputTensor& tensor = request.inputs(sources[i]);
    const DataType type = model_inputs[i].type;
    ASSIGN_OR_RETURN(graph::Shape shape, CheckShape(tensor, model_inputs[i]));
    const std::optional<int64_t> bytes = CheckedBytes(type, shape);
    if (!bytes) {
      return absl::InvalidArgumentError(absl::StrCat("input ", Quoted(tensor.name()), ": shape ",
                                                     ShapeText(shape), " is too large"));
    }
    absl::string_view elements;
    if (raw) {
      if (FieldsFilled(tensor.contents()) > 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", Quoted(tensor.name()),
                         ": has contents although the request has raw_input_contents"));
      }
      elements = request.raw_input_contents(sources[i]);
      if (static_cast<int64_t>(elements.size()) != *bytes) {
        return absl::InvalidArgumentError(absl::StrCat(
            "input ", Quoted(tensor.name()), ": got ", elements.size(), " raw bytes, wanted ",
            *bytes, " for ", tensor.datatype(), " ", ShapeText(shape)));
      }
      if (type == DataType::kBool) RETURN_IF_ERROR(CheckBooleans(tensor, elements));
    } else {
      ASSIGN_OR_RETURN(
          std::string converted,
          ConvertContents(tensor, type, *bytes / static_cast<int64_t>(graph::ElementSize(type))));
      decoded.converted.push_back(std::move(converted));
      elements = decoded.converted.back();
    }
    decoded.shapes.push_back(std::move(shape));
    decoded.inputs.push_back(std::as_bytes(std::span(elements.data(), elements.size())));
  }
  return decoded;
}

absl::StatusOr<std::vector<size_t>> DecodeOutputs(
    const inference::ModelInferRequest& request,
    const std::vector<runtime::TensorInfo>& model_outputs) {
  std::vector<size_t> wanted;
  if (request.outputs_size() == 0) {
    for (size_t i = 0; i < model_outputs.size(); ++i) wanted.push_back(i);
    return wanted;
  }
  for (const auto& output : request.outputs()) {
    const auto found =
        std::find_if(model_outputs.begin(), model_outputs.end(),
                     [&](const runtime::TensorInfo& info) { return info.name == output.name(); });
    if (found == model_outputs.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("output ", Quoted(output.name()), ": the model has no such output, it has ",
                       absl::StrJoin(model_outputs, ", ", [](std::string* out, const auto& info) {
                         absl::StrAppend(out, Quoted(info.name));
                       })));
    }
    for (const char* extension : {"classification", "shared_memory_region"}) {
      if (output.parameters().contains(extension)) {
        return absl::UnimplementedError(absl::StrCat(
            "output ", Quoted(output.name()), ": parameter ", extension, " is not supported"));
      }
    }
    const auto index = static_cast<size_t>(found - model_outputs.begin());
    if (std::find(wanted.begin(), wanted.end(), index) != wanted.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("output ", Quoted(output.name()), ": asked for twice"));
    }
    wanted.push_back(index);
  }
  return wanted;
}

void EncodeOutputs(std::vector<schedule::OutputTensor> outputs, const std::vector<size_t>& wanted,
                   inference::ModelInferResponse& response) {
  for (const size_t index : wanted) {
    schedule::OutputTensor& output = outputs[index];
    inference::ModelInferResponse::InferOutputTensor& tensor = *response.add_outputs();
    tensor.set_name(output.info.name);
    tensor.set_datatype(std::string(DatatypeName(output.info.type)));
    tensor.mutable_shape()->Assign(output.info.shape.begin(), output.info.shape.end());
    *response.add_raw_output_contents() = std::move(output.bytes);
  }
}

}  // namespace fourfold::rpc
