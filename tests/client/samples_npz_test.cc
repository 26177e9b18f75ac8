#include "client/samples/npz.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/samples_testing.h"

namespace fourfold::samples {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Replaces the four bytes at `position` by a little-endian number.
void Patch(std::string& text, size_t position, uint32_t number) {
  for (size_t i = 0; i < 4; ++i) text[position + i] = static_cast<char>(number >> (8 * i));
}

TEST(NpzTest, ReadsStoredAndDeflatedArchivesOfNumpy) {
  for (const char* file : {"stored.npz", "deflated.npz"}) {
    const absl::StatusOr<std::vector<NamedArray>> arrays = ReadNpz(Fixture(file), {});
    ASSERT_TRUE(arrays.ok()) << arrays.status();
    ASSERT_EQ(arrays->size(), 3);
    EXPECT_EQ((*arrays)[0].name, "x");
    EXPECT_THAT((*arrays)[0].array.dims, ElementsAre(4, 2, 3));
    EXPECT_EQ(Values<float>((*arrays)[0].array.bytes.data)[23], 23);
    EXPECT_EQ((*arrays)[1].name, "in/y:0");
    EXPECT_THAT(Values<uint8_t>((*arrays)[1].array.bytes.data), ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(Values<int32_t>((*arrays)[2].array.bytes.data), ElementsAre(3, 1, 0, 2));
  }
}

TEST(NpzTest, WritesWhatItReadsAndAlwaysTheSameBytes) {
  const absl::StatusOr<std::vector<NamedArray>> arrays = ReadNpz(Fixture("deflated.npz"), {});
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteNpz(folder.Path("a.npz"), *arrays).ok());
  ASSERT_TRUE(WriteNpz(folder.Path("b.npz"), *arrays).ok());
  EXPECT_EQ(ReadText(folder.Path("a.npz")), ReadText(folder.Path("b.npz")));
  const absl::StatusOr<std::vector<NamedArray>> again = ReadNpz(folder.Path("a.npz"), {});
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->size(), arrays->size());
  for (size_t i = 0; i < arrays->size(); ++i) {
    EXPECT_EQ((*again)[i].name, (*arrays)[i].name);
    EXPECT_EQ((*again)[i].array.dims, (*arrays)[i].array.dims);
    EXPECT_EQ(Values<uint8_t>((*again)[i].array.bytes.data),
              Values<uint8_t>((*arrays)[i].array.bytes.data));
  }
}

TEST(NpzTest, RefusesToWriteNothingOrRepeatedNames) {
  const TemporaryFolder folder;
  const Array one = MakeArray(DType::kUint8, {0}, {});
  EXPECT_EQ(WriteNpz(folder.Path("a.npz"), {}).code(), absl::StatusCode::kInvalidArgument);
  const std::vector<NamedArray> twice = {{"x", one}, {"x", one}};
  EXPECT_EQ(WriteNpz(folder.Path("a.npz"), twice).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder.Path("a.npz")));
  const std::vector<NamedArray> single = {{"x", one}};
  EXPECT_FALSE(WriteNpz(folder.Path("absent/a.npz"), single).ok());
}

TEST(NpzTest, HoldsTheLimitsAtThemAndOnePast) {
  const int64_t unpacked = 64 * 64 * 64 * 4 + 128;
  EXPECT_TRUE(ReadNpz(Fixture("zeros.npz"), {.max_bytes = unpacked}).ok());
  EXPECT_EQ(ReadNpz(Fixture("zeros.npz"), {.max_bytes = unpacked - 1}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(ReadNpz(Fixture("stored.npz"), {.max_arrays = 3}).ok());
  EXPECT_EQ(ReadNpz(Fixture("stored.npz"), {.max_arrays = 2}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(NpzTest, RefusesSizesThatLie) {
  const std::string whole = ReadText(Fixture("zeros.npz"));
  const size_t directory = whole.rfind("PK\x01\x02");
  ASSERT_NE(directory, std::string::npos);
  const TemporaryFolder folder;
  // 2 GiB, half of it, one byte less: of a member that unpacks to 1 MiB.
  for (const uint32_t lie : {0x7fffffffu, 0x100000u / 2, 0x100000u + 127u, 0u}) {
    std::string changed = whole;
    Patch(changed, directory + 24, lie);
    EXPECT_EQ(ReadNpz(folder.Write("lie.npz", changed), {}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << lie;
  }
}

TEST(NpzTest, RefusesDamageTruncationAndOtherFiles) {
  const TemporaryFolder folder;
  for (const char* file : {"stored.npz", "deflated.npz"}) {
    const std::string whole = ReadText(Fixture(file));
    for (size_t length = 0; length < whole.size(); length += 7) {
      EXPECT_FALSE(ReadNpz(folder.Write("cut.npz", whole.substr(0, length)), {}).ok()) << length;
    }
    for (size_t position = 0; position < whole.size(); position += 3) {
      std::string changed = whole;
      changed[position] = static_cast<char>(changed[position] ^ 0x55);
      static_cast<void>(ReadNpz(folder.Write("changed.npz", changed), {}));  // must return
    }
    std::string data = whole;  // inside the first member's elements: its CRC sees it
    data[file[0] == 's' ? 200 : 100] ^= 1;
    EXPECT_EQ(ReadNpz(folder.Write("data.npz", data), {}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(ReadNpz(Fixture("f4.npy"), {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadNpz(folder.Write("empty.npz", ""), {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadNpz(Fixture("absent.npz"), {}).status().code(), absl::StatusCode::kNotFound);
}

TEST(NpzTest, NamesTheMemberThatIsNoArray) {
  std::string text = ReadText(Fixture("stored.npz"));
  for (size_t at = text.find("x.npy"); at != std::string::npos; at = text.find("x.npy", at)) {
    text.replace(at, 5, "x.txt");
  }
  const TemporaryFolder folder;
  const absl::Status status = ReadNpz(folder.Write("text.npz", text), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'x.txt'"));
}

}  // namespace
}  // namespace fourfold::samples
