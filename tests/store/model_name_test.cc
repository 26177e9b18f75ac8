#include "server/store/model_name.h"

#include <gtest/gtest.h>

#include <string>

namespace fourfold::store {
namespace {

TEST(ModelNameTest, AcceptsSafeNames) {
  for (const std::string& name :
       {std::string("a"), std::string("resnet-50.v1_x"), std::string(128, 'x')}) {
    EXPECT_TRUE(CheckModelName(name).ok()) << name;
  }
}

TEST(ModelNameTest, RefusesOthers) {
  for (const std::string& name :
       {std::string(), std::string("../x"), std::string("a/b"), std::string("a..b"),
        std::string(".x"), std::string("-x"), std::string("a@int8"), std::string("a b"),
        std::string("a\0b", 3), std::string(129, 'x'), std::string("\xc3\xa4")}) {
    EXPECT_EQ(CheckModelName(name).code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace fourfold::store
