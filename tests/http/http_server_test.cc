#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

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

std::unique_ptr<HttpServer> Serve(HttpServer::Handler handler) {
  HttpOptions options;
  options.listen = "127.0.0.1:0";
  auto server = HttpServer::Start(options, std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status();
  return *std::move(server);
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

TEST(HttpServerTest, PassesHeadersOfTheRequestInAnyCase) {
  const auto server = Serve([](const HttpRequest& request) -> HttpResponse {
    return {200, "text/plain",
            absl::StrCat(request.Header("ACCEPT"), "|", request.Header("x-two"), "|",
                         request.Header("absent"))};
  });
  EXPECT_THAT(Exchange(server->address(),
                       "GET / HTTP/1.1\r\nHost: x\r\naccept: text/html\r\nX-Two:  2\r\n\r\n"),
              EndsWith("\r\n\r\ntext/html|2|"));
}

TEST(HttpServerTest, ForbidsByDefaultAllThatABrowserCouldDoWithAnAnswer) {
  const std::string answer = Exchange(Serve(Echo)->address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(
      answer,
      HasSubstr("\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nReferrer-Policy: no-referrer\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nCache-Control: no-store\r\n"));
}

TEST(HttpServerTest, SendsHeadersOfTheResponse) {
  const auto server = Serve([](const HttpRequest&) {
    HttpResponse response;
    response.cache_control = "no-cache";
    response.content_security_policy = "default-src 'self'";
    response.headers = {{"ETag", "\"1\""}};
    return response;
  });
  const std::string answer = Exchange(server->address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("\r\nETag: \"1\"\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nCache-Control: no-cache\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nContent-Security-Policy: default-src 'self'\r\n"));
}

TEST(HttpServerTest, SendsNoBodyWithNotModified) {
  const auto server = Serve([](const HttpRequest&) -> HttpResponse {
    return {304, "text/plain", "not to be sent"};
  });
  const std::string answer = Exchange(server->address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 304 Not Modified\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST(HttpServerTest, SendsLargeBodiesWhole) {
  std::string body(1 << 20, 'x');
  body.back() = 'y';
  const auto server = Serve([&body](const HttpRequest&) -> HttpResponse {
    return {200, "text/plain", body};
  });
  const std::string answer = Exchange(server->address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 1048576\r\n"));
  EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), body);
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
