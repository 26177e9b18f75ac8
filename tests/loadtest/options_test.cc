#include "loadtest/options.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fourfold::loadtest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

absl::StatusOr<Options> Read(std::vector<std::string> words) {
  const auto arguments = cli::ParseArguments(Flags(), words);
  if (!arguments.ok()) return arguments.status();
  return ReadOptions(*arguments, "host:1");
}

TEST(OptionsTest, DefaultsAreAClosedLoopOfOne) {
  const auto options = Read({"--model=digits@int8"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->address, "host:1");
  EXPECT_EQ(options->model, "digits@int8");
  EXPECT_EQ(options->loop, Loop::kClosed);
  EXPECT_EQ(options->concurrency, 1);
  EXPECT_EQ(options->duration, seconds(10));
  EXPECT_EQ(options->warmup, seconds(1));
  EXPECT_EQ(options->timeout, seconds(10));
  EXPECT_TRUE(options->compare.empty());
}

TEST(OptionsTest, EveryFlagIsRead) {
  const auto options = Read({"--model=digits",      "--address=h:2",     "--rate=12.5",
                             "--arrivals=constant", "--duration=0.5",    "--warmup=0",
                             "--requests=7",        "--connections=3",   "--timeout_ms=1.5",
                             "--input=x=a.npy",     "--input=z=b.npy",   "--seed=9",
                             "--batch=4",           "--samples=8",       "--compare=fp32,int8,int8",
                             "--format=json",       "--hgrm=a.hgrm",     "--html=a.html",
                             "--version=2",         "--in_flight_max=5", "--resize=256",
                             "--mean=1,2,3"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->address, "h:2");
  EXPECT_EQ(options->loop, Loop::kOpen);
  EXPECT_EQ(options->rate_per_s, 12.5);
  EXPECT_EQ(options->arrivals, Arrivals::kConstant);
  EXPECT_EQ(options->duration, milliseconds(500));
  EXPECT_EQ(options->warmup, seconds(0));
  EXPECT_EQ(options->requests_max, 7);
  EXPECT_EQ(options->connections, 3);
  EXPECT_EQ(options->timeout, std::chrono::microseconds(1500));
  EXPECT_THAT(options->inputs, testing::ElementsAre("x=a.npy", "z=b.npy"));
  EXPECT_EQ(options->seed, 9u);
  EXPECT_EQ(options->batch, 4);
  EXPECT_EQ(options->samples_max, 8);
  EXPECT_THAT(options->compare, testing::ElementsAre("fp32", "int8", "int8"));
  EXPECT_EQ(options->format, Format::kJson);
  EXPECT_EQ(options->hgrm_path, "a.hgrm");
  EXPECT_EQ(options->html_path, "a.html");
  EXPECT_EQ(options->version, 2);
  EXPECT_EQ(options->in_flight_max, 5);
  EXPECT_EQ(options->images.resize, 256);
  EXPECT_EQ(options->images.mean[2], 3);
}

struct Wrong {
  std::vector<std::string> words;  // beside --model=m
  std::string message;             // part of it
};

TEST(OptionsTest, WrongUsageIsRefusedWithWhatWasWanted) {
  const std::vector<Wrong> cases = {
      {{"--rat=3"}, "unknown flag --rat; did you mean --rate"},
      {{"digits"}, "\"digits\" is one argument too many"},
      {{"--rate=5", "--concurrency=2"}, "wanted one of them"},
      {{"--arrivals=poisson"}, "for an open loop"},
      {{"--in_flight_max=3"}, "for an open loop"},
      {{"--rate=5", "--arrivals=bursts"}, "wanted poisson, constant"},
      {{"--rate=fast"}, "wanted a number"},
      {{"--compare=int8"}, "wanted 2 to 16 variants"},
      {{"--compare=int8,,fp32"}, "wanted variants' names"},
      {{"--compare=int8,a@b"}, "wanted variants' names"},
      {{"--format=xml"}, "wanted table, json, csv"},
      {{"--layout=chw"}, "layout"},
      {{"--address="}, "wanted HOST:PORT"},
      {{"--batch=0"}, "--batch=0"},
  };
  for (Wrong wrong : cases) {
    wrong.words.emplace_back("--model=m");
    const auto options = Read(wrong.words);
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument) << wrong.words[0];
    EXPECT_THAT(std::string(options.status().message()), HasSubstr(wrong.message));
  }
}

TEST(OptionsTest, TheModelIsANameOrANameWithAVariant) {
  EXPECT_FALSE(Read({}).ok());
  for (const char* model : {"", "@int8", "a@", "a@b@c"}) {
    EXPECT_FALSE(Read({absl::StrCat("--model=", model)}).ok()) << model;
  }
  EXPECT_THAT(std::string(Read({"--model=a@int8", "--compare=fp32,int8"}).status().message()),
              HasSubstr("without a variant"));
}

struct Limit {
  std::string flag;
  std::string most;
  std::string past;
  std::vector<std::string> more = {};
};

TEST(OptionsTest, EachLimitIsKept) {
  const std::vector<Limit> limits = {
      {"rate", "1000000", "1000000.5", {"--duration=1", "--warmup=1"}},
      {"concurrency", "10000", "10001"},
      {"connections", "256", "257"},
      {"in_flight_max", "1000000", "1000001", {"--rate=1"}},
      {"duration", "86400", "86400.1"},
      {"warmup", "86400", "86400.1"},
      {"timeout_ms", "3600000", "3600001"},
      {"requests", "1000000000", "1000000001"},
      {"requests", "20000000", "20000001", {"--rate=1", "--warmup=0"}},
      {"rate", "1000", "1001", {"--duration=19000", "--warmup=1000"}},  // 20 million requests
      {"batch", "65536", "65537"},
      {"samples", "1000000", "1000001"},
      {"compare", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"},
  };
  for (const Limit& limit : limits) {
    for (const bool past : {false, true}) {
      std::vector<std::string> words = limit.more;
      words.emplace_back("--model=m");
      words.push_back(absl::StrCat("--", limit.flag, "=", past ? limit.past : limit.most));
      EXPECT_EQ(Read(words).ok(), !past) << words.back() << ": " << Read(words).status();
    }
  }
  for (const char* least :
       {"--rate=0", "--rate=-1", "--concurrency=0", "--duration=0", "--warmup=-1", "--timeout_ms=0",
        "--requests=0", "--connections=0", "--samples=0", "--version=0", "--seed=-1"}) {
    EXPECT_FALSE(Read({"--model=m", least}).ok()) << least;
  }
}

}  // namespace
}  // namespace fourfold::loadtest
