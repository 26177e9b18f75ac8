#include "server/http/page_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <regex>
#include <set>

#include "server/base/file.h"
#include "server/base/sha256.h"

namespace fourfold::http {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

HttpRequest Get(HttpHeaders headers = {}) { return {"GET", "/", std::move(headers)}; }

// Empty if there is no such header.
std::string Header(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

std::string Inflate(absl::string_view gzip) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);  // 16: of a gzip file
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gzip.data()));
  stream.avail_in = static_cast<uInt>(gzip.size());
  std::string plain(size_t{4} << 20, '\0');
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  plain.resize(stream.total_out);
  inflateEnd(&stream);
  return plain;
}

std::set<std::string> Names() {
  std::set<std::string> names;
  for (const PageFile& file : PageFiles()) names.emplace(file.name);
  return names;
}

std::string Plain(const std::string& name) {
  for (const PageFile& file : PageFiles()) {
    if (file.name == name) return std::string(file.plain);
  }
  return "";
}

TEST(PageFilesTest, HoldEveryFileOfTheSourceByteForByte) {
  const auto sources = base::ListDirectory(FOURFOLD_PAGE_SOURCE);
  ASSERT_TRUE(sources.ok()) << sources.status();
  EXPECT_THAT(*sources, Contains("index.html"));
  for (const std::string& name : *sources) {
    if (name == "embed.cmake" || name == "licenses.txt") continue;  // these make the others
    EXPECT_EQ(Plain(name), *base::ReadFile(std::string(FOURFOLD_PAGE_SOURCE "/") + name)) << name;
  }
}

TEST(PageFilesTest, AreCompressedAndNamedByTheirHash) {
  for (const PageFile& file : PageFiles()) {
    EXPECT_EQ(Inflate(file.gzip), file.plain) << file.name;
    EXPECT_EQ(base::Sha256Hex(std::as_bytes(std::span(file.plain.data(), file.plain.size()))),
              file.sha256)
        << file.name;
  }
}

TEST(PageFilesTest, HoldEveryFileThatTheyName) {
  const std::regex reference(R"re((?:/assets/|from "\./|import\("\./)([\w.]+))re");
  int found = 0;
  for (const PageFile& file : PageFiles()) {
    if (file.name == "chart.min.js" || file.name == "LICENSES") continue;
    const std::string text(file.plain);
    for (std::sregex_iterator match(text.begin(), text.end(), reference), end; match != end;
         ++match) {
      EXPECT_THAT(Names(), Contains((*match)[1].str())) << file.name;
      ++found;
    }
  }
  EXPECT_GT(found, 15);
}

// The policy forbids what a browser would then silently leave out.
TEST(PageFilesTest, NeedNothingFromElsewhereAndNothingInline) {
  for (const PageFile& file : PageFiles()) {
    if (file.name == "chart.min.js" || file.name == "LICENSES") continue;
    std::string text(file.plain);
    // A name of a language, not an address that is asked for.
    text = std::regex_replace(text, std::regex("http://www.w3.org/2000/svg"), "");
    for (const char* forbidden :
         {"http://", "https://", "style=", "onclick=", "<style", "innerHTML", "outerHTML",
          "insertAdjacentHTML", "document.write", "eval("}) {
      EXPECT_THAT(text, Not(HasSubstr(forbidden))) << file.name;
    }
  }
}

TEST(PageFilesTest, TellTheLicencesOfWhatIsServed) {
  const std::string licenses = Plain("LICENSES");
  EXPECT_THAT(licenses, HasSubstr("Chart.js Contributors"));
  EXPECT_THAT(licenses, HasSubstr("Permission is hereby granted, free of charge"));
  EXPECT_THAT(licenses, HasSubstr("Apache License"));
  EXPECT_THAT(Plain("chart.min.js"), HasSubstr("Released under the MIT License"));
}

TEST(PageFilesTest, HaveTheTypesThatBrowsersInsistOn) {
  EXPECT_EQ(Page(Get(), 200).content_type, "text/html; charset=utf-8");
  EXPECT_EQ(Asset(Get(), "page.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(Asset(Get(), "page.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(Asset(Get(), "chart.min.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(Asset(Get(), "favicon.svg").content_type, "image/svg+xml");
  EXPECT_EQ(Asset(Get(), "LICENSES").content_type, "text/plain; charset=utf-8");
}

TEST(PageFilesTest, AreSentUnderAStrictPolicy) {
  const std::string policy = Page(Get(), 200).content_security_policy;
  EXPECT_THAT(policy, StartsWith("default-src 'none'; "));
  EXPECT_THAT(policy, HasSubstr("script-src 'self'; style-src 'self'; "));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(policy, HasSubstr("require-trusted-types-for 'script'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
}

TEST(PageFilesTest, AreNotSentAgainToWhoHasThem) {
  const HttpResponse first = Asset(Get(), "page.css");
  EXPECT_EQ(first.cache_control, "no-cache");
  const std::string etag = Header(first, "ETag");
  ASSERT_THAT(etag, SizeIs(34));
  for (const std::string& known : {etag, "W/" + etag, "\"other\", " + etag, std::string("*")}) {
    const HttpResponse again = Asset(Get({{"if-none-match", known}}), "page.css");
    EXPECT_EQ(again.status, 304) << known;
    EXPECT_EQ(Header(again, "ETag"), etag);
    EXPECT_EQ(again.body, "");
  }
  EXPECT_EQ(Asset(Get({{"If-None-Match", "\"other\""}}), "page.css").status, 200);
  EXPECT_EQ(Asset(Get({{"If-None-Match", etag}}), "page.js").status, 200);
  EXPECT_EQ(Page(Get({{"If-None-Match", "*"}}), 404).status, 404);  // 304 would mean "found"
}

TEST(PageFilesTest, AreCompressedForWhoTakesGzip) {
  const HttpResponse plain = Asset(Get(), "page.css");
  EXPECT_EQ(plain.body, Plain("page.css"));
  EXPECT_EQ(Header(plain, "Content-Encoding"), "");
  EXPECT_THAT(Header(plain, "Vary"), HasSubstr("Accept-Encoding"));
  for (const char* accepts : {"gzip", "br, GZIP;q=0.5", "deflate , gzip"}) {
    const HttpResponse packed = Asset(Get({{"Accept-Encoding", accepts}}), "page.css");
    EXPECT_EQ(Header(packed, "Content-Encoding"), "gzip") << accepts;
    EXPECT_EQ(Inflate(packed.body), plain.body);
    EXPECT_NE(Header(packed, "ETag"), Header(plain, "ETag"));
  }
  for (const char* refuses : {"gzip;q=0", "gzip; q=0.0", "x-gzip", "br", ""}) {
    EXPECT_EQ(Asset(Get({{"Accept-Encoding", refuses}}), "page.css").body, plain.body) << refuses;
  }
}

TEST(PageFilesTest, AreFoundByTheirExactNameOnly) {
  for (const char* name : {"", "PAGE.JS", "page.jsx", "index.html", "embed.cmake", "../page.js",
                           "/etc/passwd", "page.js\n"}) {
    const HttpResponse response = Asset(Get(), name);
    EXPECT_EQ(response.status, 404) << name;
    EXPECT_THAT(response.content_security_policy, StartsWith("default-src 'none';"));
  }
}

TEST(WantsPageTest, IsTrueForBrowsersOnly) {
  EXPECT_TRUE(WantsPage(Get({{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}})));
  EXPECT_TRUE(WantsPage(Get({{"accept", "TEXT/HTML"}})));
  EXPECT_FALSE(WantsPage(Get({{"Accept", "*/*"}})));  // curl
  EXPECT_FALSE(WantsPage(Get({{"Accept", "application/json"}})));
  EXPECT_FALSE(WantsPage(Get()));
}

}  // namespace
}  // namespace fourfold::http
