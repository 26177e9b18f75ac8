#include <gtest/gtest.h>

#include <string>

#include "server/rpc/datatype.h"
#include "server/rpc/model_address.h"
#include "server/rpc/status.h"

namespace fourfold::rpc {
namespace {

TEST(ModelAddressTest, TakesModelVariantAndVersion) {
  const auto address = ParseModelAddress("resnet@int8", "12");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->model, "resnet");
  EXPECT_EQ(address->variant, "int8");
  EXPECT_EQ(address->version, 12);
  EXPECT_EQ(ParseModelAddress("resnet", "")->version, 0);
  EXPECT_EQ(ParseModelAddress("resnet", "")->variant, "");
}

TEST(ModelAddressTest, RefusesOthers) {
  for (const char* name : {"", "@int8", "m@"}) {
    EXPECT_EQ(ParseModelAddress(name, "").status().code(), absl::StatusCode::kInvalidArgument)
        << name;
  }
  for (const char* version : {"x", "0", "-1", "1.5", "99999999999999999999"}) {
    EXPECT_EQ(ParseModelAddress("m", version).status().code(), absl::StatusCode::kInvalidArgument)
        << version;
  }
}

TEST(StatusTest, KeepsCodesAndCutsMessagesBelow4KiB) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_EQ(ToGrpc(absl::DataLossError("x")).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(ToGrpc(absl::DataLossError("x")).error_message(), "x");
  std::string umlauts(1, 'x');  // so that the cut falls inside a character
  while (umlauts.size() < 10'000) umlauts += "\xc3\xa4";
  const std::string cut = ToGrpc(absl::InternalError(umlauts)).error_message();
  EXPECT_LT(cut.size(), 4096u);
  EXPECT_EQ(cut.substr(cut.size() - 11, 2), "\xc3\xa4")
      << "ends with a whole character before \"... (cut)\"";
}

TEST(DatatypeTest, NamesEveryTypeBothWays) {
  for (const char* name : {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32",
                           "INT64", "FP16", "BF16", "FP32", "FP64"}) {
    const auto type = DatatypeNamed(name);
    ASSERT_TRUE(type.has_value()) << name;
    EXPECT_EQ(std::string(DatatypeName(*type)), name);
  }
  EXPECT_FALSE(DatatypeNamed("BYTES").has_value());
  EXPECT_FALSE(DatatypeNamed("fp32").has_value());
}

TEST(DatatypeTest, ChecksProducts) {
  EXPECT_EQ(CheckedBytes(graph::DataType::kFloat32, {2, 3}), 24);
  EXPECT_EQ(CheckedBytes(graph::DataType::kFloat32, {}), 4);
  EXPECT_FALSE(CheckedBytes(graph::DataType::kFloat32, {-1, 3}).has_value());
  EXPECT_FALSE(CheckedCount({int64_t{1} << 32, int64_t{1} << 32}).has_value());
  EXPECT_FALSE(CheckedBytes(graph::DataType::kFloat64, {int64_t{1} << 61}).has_value());
}

}  // namespace
}  // namespace fourfold::rpc
