#include "server/graph/einsum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fourfold::graph {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kI = 26 + 'i' - 'a', kJ = kI + 1, kK = kI + 2;

EinsumLabels Parsed(const std::string& equation, const std::vector<size_t>& ranks) {
  const auto labels = ParseEinsum(equation, ranks);
  EXPECT_TRUE(labels.ok()) << labels.status();
  return labels.ok() ? *labels : EinsumLabels();
}

std::string Error(const std::string& equation, const std::vector<size_t>& ranks) {
  const auto labels = ParseEinsum(equation, ranks);
  EXPECT_EQ(labels.status().code(), absl::StatusCode::kInvalidArgument) << equation;
  return std::string(labels.status().message());
}

TEST(ParseEinsumTest, LettersAreLabelsWhateverTheBlanks) {
  const EinsumLabels labels = Parsed(" i j , jk -> ik ", {2, 2});
  EXPECT_THAT(labels.operands, ElementsAre(ElementsAre(kI, kJ), ElementsAre(kJ, kK)));
  EXPECT_THAT(labels.result, ElementsAre(kI, kK));
}

TEST(ParseEinsumTest, WithoutAResultLettersThatOccurOnceRemainInOrder) {
  EXPECT_THAT(Parsed("kj,ji", {2, 2}).result, ElementsAre(kI, kK));
  EXPECT_THAT(Parsed("ii", {2}).result, IsEmpty());
  EXPECT_THAT(Parsed("iA", {2}).result, ElementsAre(0, kI));  // capitals first, as in ASCII
}

TEST(ParseEinsumTest, EllipsesAlignAtTheirEnds) {
  const EinsumLabels labels = Parsed("...ij,...jk->...ik", {4, 3});
  EXPECT_THAT(labels.operands[0], ElementsAre(53, 52, kI, kJ));
  EXPECT_THAT(labels.operands[1], ElementsAre(52, kJ, kK));
  EXPECT_THAT(labels.result, ElementsAre(53, 52, kI, kK));
  EXPECT_THAT(Parsed("i...", {3}).result, ElementsAre(53, 52, kI));
  EXPECT_THAT(Parsed("i...->i...", {1}).result, ElementsAre(kI));
}

TEST(ParseEinsumTest, SaysWhatIsWrong) {
  EXPECT_THAT(Error("i1->i", {2}), HasSubstr("\"i1\""));
  EXPECT_THAT(Error("i..->i", {2}), HasSubstr("\"i..\""));
  EXPECT_THAT(Error("...i...->i", {2}), HasSubstr("at most one ellipsis"));
  EXPECT_THAT(Error("ij,jk->ik", {2}), HasSubstr("2 terms for 1 operands"));
  EXPECT_THAT(Error("ij->i", {3}), HasSubstr("3 dimensions"));
  EXPECT_THAT(Error("ij...->i", {1}), HasSubstr("1 dimensions"));
  EXPECT_THAT(Error("ij->ik", {2}), HasSubstr("no operand has"));
  EXPECT_THAT(Error("ij->ii", {2}), HasSubstr("twice"));
  EXPECT_THAT(Error("ij->i->j", {2}), HasSubstr("several arrows"));
}

}  // namespace
}  // namespace fourfold::graph
