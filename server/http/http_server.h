#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fourfold::http {

struct HttpOptions {
  std::string listen;         // "127.0.0.1:8000"; port 0: any free one
  int threads = 32;           // connections served at the same time
  int request_ms_max = 2000;  // of waiting for a client's bytes
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // decoded, without the query
  HttpHeaders headers;

  // Of the first header of that name, in whatever case; empty if there is none.
  absl::string_view Header(absl::string_view name) const;
};

// Every response also forbids guessing of content types and sends no referrer.
struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;  // not sent with status 304
  std::string cache_control = "no-store";
  // What a browser may load for this response; by default nothing, in nobody's frame.
  std::string content_security_policy = "default-src 'none'; frame-ancestors 'none'";
  HttpHeaders headers = {};  // further ones
};

// "host:port" apart; also "[::1]:8000". INVALID_ARGUMENT.
struct HostPort {
  std::string host;
  int port = 0;
};
absl::StatusOr<HostPort> ParseHostPort(const std::string& text);

// Serves GET and HEAD from one function, on threads of its own; other methods answer 405. Listens
// from construction to destruction.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;  // thread-safe

  // UNAVAILABLE if the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpOptions options, Handler handler);
  ~HttpServer();

  // With the port that was bound: "127.0.0.1:40001".
  const std::string& address() const { return address_; }

 private:
  struct Civetweb;
  HttpServer() = default;

  Handler handler_;
  std::string address_;
  std::unique_ptr<Civetweb> civetweb_;
};

}  // namespace fourfold::http
