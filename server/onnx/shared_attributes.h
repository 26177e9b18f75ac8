#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/onnx/node_builder.h"

namespace fourfold::onnx {

// Attributes that several families of operators read alike.

// kernel_shape, strides, dilations, pads and auto_pad of convolution and pooling.
absl::StatusOr<graph::Window> ReadWindow(Attributes& attributes);

// The entry of a list of names that an attribute has; UNIMPLEMENTED for any other.
template <typename T>
absl::StatusOr<T> Choice(NodeBuilder& node, const std::string& name, const std::string& fallback,
                         std::initializer_list<std::pair<const char*, T>> choices) {
  const std::string got = node.attributes().String(name, fallback);
  for (const auto& [text, value] : choices) {
    if (got == text) return value;
  }
  return absl::UnimplementedError(absl::StrCat(name, " ", Quoted(got)));
}

}  // namespace fourfold::onnx
