#include "server/registry/model_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fourfold::registry {
namespace {

using ::testing::ElementsAre;

std::shared_ptr<const ModelVersion> Version(const std::string& model, int64_t number) {
  auto version = std::make_shared<ModelVersion>();
  version->model = model;
  version->version = number;
  for (const char* name : {"fp32", "int8"}) {
    auto variant = std::make_shared<Variant>();
    variant->name = name;
    variant->figures.is_default = variant->name == "int8";
    version->variants.push_back(variant);
  }
  return version;
}

TEST(ModelRegistryTest, FindsTheNewestAndEachVersion) {
  ModelRegistry registry;
  registry.Replace(Version("m", 2));
  registry.Replace(Version("m", 10));
  EXPECT_EQ((*registry.Find("m", 0))->version, 10);
  EXPECT_EQ((*registry.Find("m", 2))->version, 2);
  EXPECT_EQ(registry.Find("m", 3).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry.Find("n", 0).status().code(), absl::StatusCode::kNotFound);
}

TEST(ModelRegistryTest, WorkInFlightKeepsWhatItHolds) {
  ModelRegistry registry;
  registry.Replace(Version("m", 1));
  const std::weak_ptr<const ModelVersion> watched = *registry.Find("m", 1);
  {
    const auto held = *registry.Find("m", 1);
    registry.Replace(Version("m", 1));
    EXPECT_NE(*registry.Find("m", 1), held);
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
}

TEST(ModelRegistryTest, RemovesOneOrAllVersions) {
  ModelRegistry registry;
  for (const int64_t number : {1, 2, 3}) registry.Replace(Version("m", number));
  EXPECT_THAT(*registry.Remove("m", 2), ElementsAre(2));
  EXPECT_EQ(registry.Remove("m", 2).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(*registry.Remove("m", 0), ElementsAre(1, 3));
  EXPECT_EQ(registry.Remove("m", 0).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(registry.snapshot()->empty());
}

TEST(ModelRegistryTest, TellsOfChangesWhenTheyCanBeSeen) {
  size_t seen = 99;
  ModelRegistry* self = nullptr;
  ModelRegistry registry([&] { seen = self->snapshot()->size(); });
  self = &registry;
  registry.Replace(Version("m", 1));
  EXPECT_EQ(seen, 1u);
  ASSERT_TRUE(registry.Remove("m", 0).ok());
  EXPECT_EQ(seen, 0u);
}

TEST(ModelVersionTest, KnowsItsDefaultVariant) {
  const auto version = Version("m", 1);
  EXPECT_EQ(version->Default()->name, "int8");
  EXPECT_EQ(version->Find("fp32")->name, "fp32");
  EXPECT_EQ(version->Find("fp64"), nullptr);
}

}  // namespace
}  // namespace fourfold::registry
