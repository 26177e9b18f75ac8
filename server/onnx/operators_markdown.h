#pragma once

#include <string>

namespace fourfold::onnx {

// The operators that are supported, as a page of Markdown made from their table and from what each
// of them lacks. server/onnx/OPERATORS.md is this text; a test compares them.
std::string OperatorsMarkdown();

}  // namespace fourfold::onnx
