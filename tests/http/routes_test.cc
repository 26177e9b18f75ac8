#include "server/http/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fourfold::http {
namespace {

using ::testing::HasSubstr;

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

  HttpResponse Get(const std::string& path) {
    return RestHandler({registry_, ready_})({"GET", path});
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

TEST_F(RoutesTest, AnswersJsonErrorsForWhatIsNotThere) {
  for (const char* path :
       {"/v2", "/v2/models", "/etc/passwd", "", "//", "/v2/models/m/comparison/x"}) {
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
