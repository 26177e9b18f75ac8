#include "tests/bad_models/text_model.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "server/base/file.h"
#include "server/base/status_macros.h"

namespace fourfold::testing {
namespace {

namespace pb = google::protobuf;

// Keeps the first error.
class Errors final : public pb::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (first_.empty()) {
      first_ = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
    }
  }
  absl::Status ToStatus() const { return absl::InvalidArgumentError(first_); }

 private:
  std::string first_;
};

}  // namespace

absl::StatusOr<std::string> ModelFromText(const std::string& text) {
  ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(FOURFOLD_ONNX_DESCRIPTORS));
  pb::FileDescriptorSet files;
  pb::DescriptorPool pool;
  if (!files.ParseFromString(bytes)) return absl::DataLossError("broken descriptors of ONNX");
  for (const pb::FileDescriptorProto& file : files.file()) pool.BuildFile(file);
  const pb::Descriptor* type = pool.FindMessageTypeByName("onnx.ModelProto");
  if (type == nullptr) return absl::DataLossError("no onnx.ModelProto in the descriptors of ONNX");
  pb::DynamicMessageFactory factory;
  const std::unique_ptr<pb::Message> model(factory.GetPrototype(type)->New());
  Errors errors;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (!parser.ParseFromString(text, model.get())) return errors.ToStatus();
  return model->SerializeAsString();
}

}  // namespace fourfold::testing
