#include "server/http/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fourfold::http {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    auto version = std::make_shared<registry::ModelVersion>();
    version->model = std::string("m");
    version->version = 3;
    version->report.model = std::string("m");
    version->report.version = 3;
    auto variant = std::make_shared<registry::Variant>();
    variant->name = std::string("fp32");
    version->variants.push_back(variant);
    registry_.Replace(version);
  }

  // As curl asks, or as a browser does.
  HttpResponse Get(const std::string& path, const std::string& accept = "*/*") {
    return RestHandler({registry_, ready_})({"GET", path, {{"Accept", accept}}});
  }
  HttpResponse Browse(const std::string& path) {
    return Get(path, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
  }

  registry::ModelRegistry registry_;
  std::atomic<bool> ready_{true};
};

TEST_F(RoutesTest, ReadinessFollowsTheServer) {
  EXPECT_EQ(Get("/v2/health/live").status, 200);
  EXPECT_EQ(Get("/v2/health/ready").status, 200);
  ready_ = false;
  EXPECT_EQ(Get("/v2/health/live").status, 200);
  EXPECT_EQ(Get("/v2/health/ready").status, 503);
}

TEST_F(RoutesTest, ShowsComparisons) {
  const HttpResponse newest = Get("/v2/models/m/comparison");
  EXPECT_EQ(newest.status, 200);
  EXPECT_EQ(newest.content_type, "application/json");
  EXPECT_EQ(report::FromJson(newest.body)->version, 3);
  EXPECT_EQ(Get("/v2/models/m/versions/3/comparison").body, newest.body);
  EXPECT_EQ(Get("/v2/models/m/versions/4/comparison").status, 404);
  EXPECT_EQ(Get("/v2/models/m/versions/x/comparison").status, 400);
  EXPECT_EQ(Get("/v2/models/n/comparison").status, 404);
}

TEST_F(RoutesTest, ListsModels) {
  const HttpResponse list = Get("/v2/models");
  EXPECT_EQ(list.status, 200);
  EXPECT_EQ(list.content_type, "application/json");
  EXPECT_THAT(list.body, HasSubstr(R"("model":"m")"));
  EXPECT_EQ(Browse("/v2/models").body, list.body);
}

TEST_F(RoutesTest, ShowsBrowsersThePageAndOtherClientsText) {
  EXPECT_EQ(Browse("/").content_type, "text/html; charset=utf-8");
  EXPECT_THAT(Browse("/").body, StartsWith("<!doctype html>"));
  EXPECT_EQ(Get("/").content_type, "text/plain; charset=utf-8");
  for (const HttpResponse& response : {Browse("/"), Get("/")}) {
    EXPECT_THAT(response.headers, Contains(Pair("Vary", StartsWith("Accept"))));
  }
}

TEST_F(RoutesTest, ServesThePageUnderTheAddressOfAModelThatIsThere) {
  for (const char* path : {"/models/m", "/models/m/versions/3"}) {
    EXPECT_EQ(Browse(path).status, 200) << path;
    EXPECT_EQ(Browse(path).body, Browse("/").body) << path;
    EXPECT_EQ(Get(path).status, 200) << path;
  }
  for (const char* path :
       {"/models", "/models/", "/models/n", "/models/m/", "/models/m/versions",
        "/models/m/versions/", "/models/m/versions/4", "/models/m/versions/0",
        "/models/m/versions/-1", "/models/m/versions/x", "/models/m/versions/3/x", "/models/m/x/3",
        "/nothing", "/models/<script>alert(1)</script>", "/models/\"onload=\"x", "/models/..",
        "/models/m\r\nX: y"}) {
    const HttpResponse response = Browse(path);
    EXPECT_EQ(response.status, 404) << path;
    // Word for word the page: nothing of the address comes back in it.
    EXPECT_EQ(response.body, Browse("/").body) << path;
  }
}

TEST_F(RoutesTest, ServesTheFilesOfThePage) {
  EXPECT_EQ(Get("/assets/page.js").status, 200);
  EXPECT_EQ(Get("/assets/page.js").content_type, "text/javascript; charset=utf-8");
  for (const char* path : {"/assets", "/assets/", "/assets/nothing.js", "/assets/page.js/",
                           "/assets/../routes.cc", "/page.js"}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
}

TEST_F(RoutesTest, SaysHostileNamesBackAsEscapedJsonOnly) {
  const HttpResponse response = Browse("/v2/models/<script>\"'\xff/comparison");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_THAT(response.body, Not(HasSubstr("\"'")));
  EXPECT_THAT(response.body, Not(HasSubstr("\xff")));
  EXPECT_EQ(response.content_security_policy, "default-src 'none'; frame-ancestors 'none'");
}

TEST_F(RoutesTest, AnswersJsonErrorsForWhatIsNotThere) {
  for (const char* path : {"/v2", "/v2/models/", "/v2/models/m", "/etc/passwd", "", "//",
                           "/v2/models/m/comparison/x", "/v2/models/m/versions//comparison"}) {
    const HttpResponse response = Get(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_THAT(response.body, HasSubstr("{\"error\":"));
  }
  EXPECT_THAT(Get("/").body, HasSubstr("/v2/health/ready"));
}

TEST_F(RoutesTest, ShowsMetricsOnTheirPort) {
  telemetry::Metrics metrics;
  const HttpServer::Handler handler = MetricsHandler(metrics);
  const HttpResponse response = handler({"GET", "/metrics"});
  EXPECT_THAT(response.content_type, HasSubstr("version=0.0.4"));
  EXPECT_THAT(response.body, HasSubstr("fourfold_queue_requests 0"));
  EXPECT_EQ(handler({"GET", "/x"}).status, 404);
}

}  // namespace
}  // namespace fourfold::http
