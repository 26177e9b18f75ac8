#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "onnx/onnx.pb.h"

namespace fourfold::onnx {

// Typed access to the attributes of one ONNX node. The first attribute of a wrong kind, or a
// required one that is absent, is kept as an error; reading goes on with the default so that
// callers stay short, and Finish reports it. Borrows the node.
class Attributes {
 public:
  explicit Attributes(const ::onnx::NodeProto& node);

  bool Has(const std::string& name) const { return Find(name) != nullptr; }

  // The value, or the default where the attribute is absent.
  int64_t Int(const std::string& name, int64_t fallback);
  float Float(const std::string& name, float fallback);
  std::string String(const std::string& name, const std::string& fallback);
  std::vector<int64_t> Ints(const std::string& name);          // empty where absent
  std::vector<float> Floats(const std::string& name);          // empty where absent
  std::vector<std::string> Strings(const std::string& name);   // empty where absent
  const ::onnx::TensorProto* Tensor(const std::string& name);  // null where absent
  const ::onnx::GraphProto* Graph(const std::string& name);    // null where absent

  // INVALID_ARGUMENT in Finish if it is absent.
  void Require(const std::string& name);

  // Its value makes no difference to inference.
  void Ignore(const std::string& name) { read_.insert(name); }

  // The first error: INVALID_ARGUMENT as above; UNIMPLEMENTED for an attribute that nobody read,
  // since it may change what the operator means.
  absl::Status Finish() const;

 private:
  using Kind = ::onnx::AttributeProto::AttributeType;

  const ::onnx::AttributeProto* Find(const std::string& name) const;
  // The attribute if it is there and of that kind; notes that it was read.
  const ::onnx::AttributeProto* Read(const std::string& name, Kind kind);

  const ::onnx::NodeProto& node_;
  std::set<std::string> read_;
  absl::Status error_;
};

}  // namespace fourfold::onnx
