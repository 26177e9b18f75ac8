#include "server/registry/load_version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/onnx/export.h"
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

// y = x * weights (two by two) in a file and its data file.
TEST_F(LoadVersionTest, LoadsAVariantWithItsDataFile) {
  testing::GraphBuilder b;
  const auto x = b.Input("x", {graph::kUnknownDim, 2});
  b.Output(b.MatMul(x, b.Constant({2, 2}, {1, 2, 3, 4})), "y");
  std::string data;
  onnx::ExportOptions options;
  options.constant_bytes_max = 0;
  options.external_tensor_bytes_min = 1;
  options.data_location = "fp32.onnx.data";
  options.append_data = [&data](std::span<const std::byte> bytes) {
    data.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return absl::OkStatus();
  };
  const auto model = onnx::Export(b.Build(), options);
  ASSERT_TRUE(model.ok()) << model.status();
  auto staging = *store_->Stage("large", "n");
  ASSERT_TRUE(staging->AppendModel("x").ok());
  ASSERT_TRUE(staging->Seal().ok());
  directory_.Write(".staging/large/out/fp32.onnx", *model);
  directory_.Write(".staging/large/out/fp32.onnx.data", data);
  ASSERT_TRUE(store_
                  ->Commit(*staging, {"fp32.onnx", "fp32.onnx.data"},
                           report::ToJson(testing::ReportOf({"fp32"})))
                  .ok());

  const auto version = LoadVersion(*store_, "n", 1, {}, nullptr);
  ASSERT_TRUE(version.ok()) << version.status();
  const Variant& variant = *(*version)->Default();
  ASSERT_TRUE(variant.data_file.has_value());
  EXPECT_EQ(variant.data_file->name, "fp32.onnx.data");
  EXPECT_EQ(variant.file_bytes(), static_cast<int64_t>(model->size() + data.size()));

  data[0] = static_cast<char>(data[0] + 1);
  directory_.Write("n/1/fp32.onnx.data", data);
  EXPECT_EQ(LoadVersion(*store_, "n", 1, {}, nullptr).status().code(), absl::StatusCode::kDataLoss);
  std::filesystem::remove(directory_.path() + "/n/1/fp32.onnx.data");
  EXPECT_EQ(LoadVersion(*store_, "n", 1, {}, nullptr).status().code(), absl::StatusCode::kDataLoss);
}

TEST(LoadVariantTest, RefusesWhatIsNoModel) {
  const std::string bytes = "not an ONNX file";
  EXPECT_EQ(LoadVariant(std::as_bytes(std::span(bytes)), {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fourfold::registry
