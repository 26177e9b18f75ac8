#include <limits>

#include "absl/strings/str_cat.h"
#include "client/samples/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/samples_testing.h"

namespace fourfold::samples {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<Array> ParseText(const std::string& text) {
  return ParseNpy({std::as_bytes(std::span(text)), nullptr}, "test.npy");
}

std::string WithHeader(const std::string& header, const std::string& data) {
  const std::string padded = header + "\n";
  return absl::StrCat(absl::string_view("\x93NUMPY\x01\x00", 8),
                      std::string({static_cast<char>(padded.size()), '\0'}), padded, data);
}

struct TypeCase {
  const char* file;
  DType dtype;
};

class NpyTypeTest : public testing::TestWithParam<TypeCase> {};

TEST_P(NpyTypeTest, ReadsWhatNumpyWroteAndWritesTheSameBytes) {
  const std::string path = Fixture(absl::StrCat(GetParam().file, ".npy"));
  const absl::StatusOr<Array> array = ReadNpyFile(path);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_EQ(array->dtype, GetParam().dtype);
  EXPECT_THAT(array->dims, ElementsAre(2, 3));
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteNpyFile(folder.Path("copy.npy"), *array).ok());
  const std::string ours = ReadText(folder.Path("copy.npy")), numpys = ReadText(path);
  const absl::StatusOr<Array> again = ReadNpyFile(folder.Path("copy.npy"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Values<uint8_t>(again->bytes.data), Values<uint8_t>(array->bytes.data));
  EXPECT_EQ(ours.substr(0, 60), numpys.substr(0, 60)) << "magic, version, length, type";
}

INSTANTIATE_TEST_SUITE_P(
    Types, NpyTypeTest,
    testing::Values(TypeCase{"f2", DType::kFloat16}, TypeCase{"f4", DType::kFloat32},
                    TypeCase{"f8", DType::kFloat64}, TypeCase{"i1", DType::kInt8},
                    TypeCase{"i2", DType::kInt16}, TypeCase{"i4", DType::kInt32},
                    TypeCase{"i8", DType::kInt64}, TypeCase{"u1", DType::kUint8},
                    TypeCase{"u2", DType::kUint16}, TypeCase{"u4", DType::kUint32},
                    TypeCase{"u8", DType::kUint64}, TypeCase{"b1", DType::kBool}),
    [](const auto& info) { return std::string(info.param.file); });

TEST(NpyTest, ReadsElementsOfAllFormatVersions) {
  for (const char* file : {"f4.npy", "version2.npy", "version3.npy"}) {
    const absl::StatusOr<Array> array = ReadNpyFile(Fixture(file));
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_THAT(Values<float>(array->bytes.data), ElementsAre(0, 1, 2, 3, 100, 101)) << file;
  }
}

TEST(NpyTest, ReadsScalarsVectorsAndEmptyArrays) {
  const absl::StatusOr<Array> scalar = ReadNpyFile(Fixture("scalar.npy"));
  ASSERT_TRUE(scalar.ok()) << scalar.status();
  EXPECT_TRUE(scalar->dims.empty());
  EXPECT_THAT(Values<float>(scalar->bytes.data), ElementsAre(2.5f));
  const absl::StatusOr<Array> vector = ReadNpyFile(Fixture("vector.npy"));
  ASSERT_TRUE(vector.ok()) << vector.status();
  EXPECT_THAT(vector->dims, ElementsAre(5));
  const absl::StatusOr<Array> empty = ReadNpyFile(Fixture("empty.npy"));
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_THAT(empty->dims, ElementsAre(0, 3));
}

TEST(NpyTest, WritesScalarsAndVectorsAsNumpyDoes) {
  EXPECT_THAT(NpyHeader(DType::kFloat32, {}), HasSubstr("'shape': (), }"));
  const std::vector<int64_t> dims = {5};
  EXPECT_THAT(NpyHeader(DType::kUint8, dims), HasSubstr("'descr': '|u1'"));
  EXPECT_THAT(NpyHeader(DType::kUint8, dims), HasSubstr("'shape': (5,), }"));
  EXPECT_EQ(NpyHeader(DType::kUint8, dims).size() % 64, 0);
}

struct RefusedCase {
  const char* file;
  const char* message;
};

TEST(NpyTest, RefusesWhatItCannotRepresentAndSaysWhy) {
  for (const RefusedCase& refused : {RefusedCase{"fortran.npy", "Fortran order"},
                                     {"big_endian.npy", "little-endian"},
                                     {"complex.npy", "'<c8'"},
                                     {"text.npy", "'<U2'"},
                                     {"structure.npy", "structures"},
                                     {"objects.npy", "Python objects"}}) {
    const absl::StatusOr<Array> array = ReadNpyFile(Fixture(refused.file));
    EXPECT_EQ(array.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(array.status().message()), HasSubstr(refused.message));
    EXPECT_THAT(std::string(array.status().message()), HasSubstr(refused.file));
  }
}

TEST(NpyTest, RefusesEveryTruncationAndExtension) {
  for (const char* file : {"i4.npy", "version2.npy"}) {
    const std::string whole = ReadText(Fixture(file));
    ASSERT_TRUE(ParseText(whole).ok());
    for (size_t length = 0; length < whole.size(); ++length) {
      EXPECT_EQ(ParseText(whole.substr(0, length)).status().code(),
                absl::StatusCode::kInvalidArgument)
          << length;
    }
    EXPECT_EQ(ParseText(whole + "x").status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(NpyTest, SurvivesEveryChangedByteOfItsHeader) {
  const std::string whole = ReadText(Fixture("version2.npy"));
  for (size_t position = 0; position < 80; ++position) {
    for (const char value : {'\0', '\xff', '9', '(', ')', '\'', '}', ','}) {
      std::string changed = whole;
      changed[position] = value;
      const absl::StatusOr<Array> array = ParseText(changed);
      if (array.ok()) {
        EXPECT_EQ(*ArrayBytes(array->dtype, array->dims), array->bytes.data.size());
      }
    }
  }
}

TEST(NpyTest, RefusesLyingDimensions) {
  for (const char* shape :
       {"(4294967296, 4294967296)", "(9223372036854775807,)", "(9223372036854775808,)",
        "(0, 9223372036854775807, 9223372036854775807)", "(-1,)", "(2, 1000000)", "2", "(2 3)",
        "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8)"}) {
    const std::string text = WithHeader(
        absl::StrCat("{'descr': '<i4', 'fortran_order': False, 'shape': ", shape, "}"), "01234567");
    EXPECT_EQ(ParseText(text).status().code(), absl::StatusCode::kInvalidArgument) << shape;
  }
}

TEST(NpyTest, ToleratesOtherSpacingQuotesAndOrder) {
  const absl::StatusOr<Array> array = ParseText(WithHeader(
      "{ \"shape\" : ( 2L , 1 ) ,\"fortran_order\":False,'descr':\"<i4\"}  ", "01234567"));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_THAT(array->dims, ElementsAre(2, 1));
}

TEST(NpyTest, RefusesHeadersWithMissingRepeatedOrUnknownKeys) {
  for (const char* header :
       {"{'descr': '<i4', 'shape': (2,)}",
        "{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2,)} x", "{", "", "[]"}) {
    EXPECT_EQ(ParseText(WithHeader(header, "01234567")).status().code(),
              absl::StatusCode::kInvalidArgument)
        << header;
  }
}

TEST(NpyTest, SaysWhatIsWrongWithThePath) {
  EXPECT_EQ(ReadNpyFile(Fixture("absent.npy")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadNpyFile(Fixture("")).status().code(), absl::StatusCode::kInvalidArgument);
  const TemporaryFolder folder;
  EXPECT_EQ(ReadNpyFile(folder.Write("empty.npy", "")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteNpyFile(folder.Path("absent/x.npy"), Array{DType::kUint8, {0}, {}}).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(WriteNpyFile("/dev/full", MakeArray(DType::kUint8, {0}, {})).code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace fourfold::samples
