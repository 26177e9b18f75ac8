#include "server/registry/load_version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/registry/load_variant.h"
#include "server/runtime/executor.h"
#include "tests/testing/small_model.h"
#include "tests/testing/temporary_directory.h"

namespace fourfold::registry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LoadVersionTest : public ::testing::Test {
 protected:
  LoadVersionTest() {
    store::StoreOptions options;
    options.root = directory_.path();
    store_ = *store::ModelStore::Open(options);
    auto staging = *store_->Stage("job", "m");
    EXPECT_TRUE(staging->AppendModel("x").ok());
    EXPECT_TRUE(staging->Seal().ok());
    directory_.Write(".staging/job/out/fp32.onnx", testing::AddModel(1));
    directory_.Write(".staging/job/out/int8.onnx", testing::AddModel(2));
    EXPECT_TRUE(store_
                    ->Commit(*staging, {"fp32.onnx", "int8.onnx"},
                             report::ToJson(testing::ReportOf({"fp32", "int8"})))
                    .ok());
  }

  testing::TemporaryDirectory directory_;
  telemetry::Metrics metrics_;
  std::unique_ptr<store::ModelStore> store_;
};

TEST_F(LoadVersionTest, LoadsWhatCanBeRunAndShowsItsFigures) {
  auto version = LoadVersion(*store_, "m", 1, {}, &metrics_);
  ASSERT_TRUE(version.ok()) << version.status();
  ASSERT_EQ((*version)->variants.size(), 2u);
  EXPECT_EQ((*version)->Default()->name, "int8");
  EXPECT_THAT(metrics_.Text(),
              HasSubstr(R"(fourfold_model_file_bytes{model="m",variant="int8",version="1"})"));

  const runtime::Model& model = *(*version)->Find("int8")->model;
  const auto plan = model.PlanFor({{2, 2}});
  ASSERT_TRUE(plan.ok()) << plan.status();
  const std::vector<float> x = {1, 2, 3, 4};
  std::vector<float> y(4);
  const void* inputs[] = {x.data()};
  void* outputs[] = {y.data()};
  runtime::Arena arena;
  kernels::Sequential sequential;
  EXPECT_TRUE(runtime::Run(**plan, arena, inputs, outputs, sequential).ok());
  EXPECT_THAT(y, ::testing::ElementsAre(3, 4, 5, 6));

  version->reset();
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("model=\"m\"")));
}

TEST_F(LoadVersionTest, NamesTheVariantThatIsDamaged) {
  directory_.Write("m/1/int8.onnx", "damaged");
  EXPECT_EQ(LoadVersion(*store_, "m", 1, {}, nullptr).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(LoadVersion(*store_, "m", 2, {}, nullptr).status().code(), absl::StatusCode::kNotFound);
}

TEST(LoadVariantTest, RefusesWhatIsNoModel) {
  const std::string bytes = "not an ONNX file";
  EXPECT_EQ(LoadVariant(std::as_bytes(std::span(bytes)), {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fourfold::registry
