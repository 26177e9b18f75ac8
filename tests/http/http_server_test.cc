#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fourfold::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// What the server sends for a request, until it closes the connection.
std::string Exchange(const std::string& address, const std::string& request) {
  const auto parsed = ParseHostPort(address);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(parsed->port));
  inet_pton(AF_INET, parsed->host.c_str(), &to.sin_addr);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  EXPECT_EQ(send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t got = recv(fd, buffer, sizeof(buffer), 0); got > 0;
       got = recv(fd, buffer, sizeof(buffer), 0)) {
    answer.append(buffer, static_cast<size_t>(got));
  }
  close(fd);
  return answer;
}

HttpResponse Echo(const HttpRequest& request) {
  return {200, "text/plain", request.method + " " + request.path};
}

TEST(HttpServerTest, ServesGetAndHeadOnAFreePort) {
  HttpOptions options;
  options.listen = "127.0.0.1:0";
  const auto server = HttpServer::Start(options, Echo);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT((*server)->address(), Not(EndsWith(":0")));
  const std::string get =
      Exchange((*server)->address(), "GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(get, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(get, EndsWith("\r\n\r\nGET /a b"));
  const std::string head = Exchange((*server)->address(), "HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 7\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
}

TEST(HttpServerTest, AnswersOtherMethodsWith405) {
  HttpOptions options;
  options.listen = "127.0.0.1:0";
  const auto server = HttpServer::Start(options, Echo);
  ASSERT_TRUE(server.ok());
  const std::string post =
      Exchange((*server)->address(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(post, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(post, HasSubstr("Allow: GET, HEAD\r\n"));
}

TEST(HttpServerTest, SaysWhenThePortIsTaken) {
  HttpOptions options;
  options.listen = "127.0.0.1:0";
  const auto first = HttpServer::Start(options, Echo);
  ASSERT_TRUE(first.ok());
  options.listen = (*first)->address();
  EXPECT_EQ(HttpServer::Start(options, Echo).status().code(), absl::StatusCode::kUnavailable);
}

TEST(ParseHostPortTest, TakesHostAndPort) {
  EXPECT_EQ(ParseHostPort("[::1]:80")->host, "[::1]");
  EXPECT_EQ(ParseHostPort("0.0.0.0:8000")->port, 8000);
  for (const char* bad : {"", "8000", ":8000", "host:", "host:x", "host:65536", "host:-1"}) {
    EXPECT_EQ(ParseHostPort(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace fourfold::http
