#include "server/onnx/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "server/onnx/operators_markdown.h"

namespace fourfold::onnx {
namespace {

using ::testing::HasSubstr;

TEST(OperatorsTest, FormsOfAnOperatorDoNotOverlap) {
  for (const OperatorForm& form : Operators()) {
    EXPECT_LE(form.since, form.until) << form.op_type;
    for (int64_t opset = form.since; opset <= form.until; ++opset) {
      EXPECT_EQ(FindOperator(form.domain, form.op_type, opset), &form)
          << form.op_type << ", opset " << opset;
    }
  }
}

TEST(OperatorsTest, AFormChangesWhereTheStandardChangedIt) {
  EXPECT_EQ(FindOperator("", "Clip", 10)->max_inputs, 1);
  EXPECT_EQ(FindOperator("", "Clip", 11)->max_inputs, 3);
  EXPECT_EQ(FindOperator("", "Gelu", 19), nullptr);
  EXPECT_EQ(FindOperator("com.example", "Clip", 11), nullptr);
}

TEST(OperatorsMarkdownTest, ListsEachOperatorWithItsOpsets) {
  const std::string text = OperatorsMarkdown();
  EXPECT_THAT(text, HasSubstr("| Clip | 6 to 22 |"));
  EXPECT_THAT(text, HasSubstr("| Upsample | 7 to 9 |"));
  for (const OperatorForm& form : Operators()) {
    EXPECT_THAT(text, HasSubstr("| " + std::string(form.op_type) + " |"));
  }
}

TEST(OperatorsMarkdownTest, TheCommittedPageIsWhatTheProgramPrints) {
  std::ifstream file(FOURFOLD_TEST_DATA "/../../server/onnx/OPERATORS.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(page, OperatorsMarkdown()) << "write it anew: build/release/bin/fourfold-quantize "
                                          "--operators > server/onnx/OPERATORS.md";
}

}  // namespace
}  // namespace fourfold::onnx
