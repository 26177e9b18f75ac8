#include "server/base/log.h"

#include <gtest/gtest.h>

namespace fourfold::base {
namespace {

TEST(LogTest, WritesKeysAndValues) {
  EXPECT_EQ(FormatLogLine("model.loaded", {{"model", "digits"}, {"version", 3}}),
            "model.loaded model=digits version=3");
}

TEST(LogTest, KeepsWhatAClientSentOnOneLine) {
  EXPECT_EQ(FormatLogLine("x", {{"name", "a\nb \"c\""}, {"empty", ""}}),
            "x name=\"a\\nb \\\"c\\\"\" empty=\"\"");
}

}  // namespace
}  // namespace fourfold::base
