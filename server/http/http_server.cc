#include "server/http/http_server.h"

#include <civetweb.h>

#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace fourfold::http {
namespace {

const char* Reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
  }
}

int LogMessage(const mg_connection*, const char* message) {
  base::LogWarning("http.server", {{"message", message}});
  return 1;
}

HttpRequest ToRequest(const mg_request_info& info) {
  HttpRequest request{
      info.request_method ? info.request_method : "", info.local_uri ? info.local_uri : "", {}};
  for (int i = 0; i < info.num_headers; ++i) {
    const mg_header& header = info.http_headers[i];
    if (header.name && header.value) request.headers.emplace_back(header.name, header.value);
  }
  return request;
}

// Status line and headers, with the empty line behind them.
std::string Head(const HttpResponse& response) {
  std::string head =
      absl::StrCat("HTTP/1.1 ", response.status, " ", Reason(response.status), "\r\n");
  if (response.status != 304) {
    absl::StrAppend(&head, "Content-Type: ", response.content_type,
                    "\r\nContent-Length: ", response.body.size(), "\r\n");
  }
  for (const auto& [name, value] : response.headers) {
    absl::StrAppend(&head, name, ": ", value, "\r\n");
  }
  absl::StrAppend(&head, "Cache-Control: ", response.cache_control,
                  "\r\nContent-Security-Policy: ", response.content_security_policy,
                  "\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
                  "Connection: close\r\n\r\n");
  return head;
}

int Handle(mg_connection* connection, void* data) {
  const HttpRequest request = ToRequest(*mg_get_request_info(connection));
  HttpResponse response;
  const bool head_only = request.method == "HEAD";
  if (head_only || request.method == "GET") {
    response = (*static_cast<const HttpServer::Handler*>(data))(request);
  } else {
    response.status = 405;
    response.body = "only GET and HEAD are served here\n";
    response.headers = {{"Allow", "GET, HEAD"}};
  }
  const std::string head = Head(response);
  mg_write(connection, head.data(), head.size());
  if (!head_only && response.status != 304) {
    mg_write(connection, response.body.data(), response.body.size());
  }
  return response.status;
}

}  // namespace

struct HttpServer::Civetweb {
  mg_context* context = nullptr;
  std::string host;  // to reach it from here
  int port = 0;

  ~Civetweb() {
    if (!context) return;
    absl::Notification stopped;
    std::thread stopper([&] {
      mg_stop(context);
      stopped.Notify();
    });
    // Its accepting thread looks at the stop flag every two seconds, or when somebody connects.
    do {
      char error[128];
      mg_connection* knock =
          port == 0 ? nullptr : mg_connect_client(host.c_str(), port, 0, error, sizeof(error));
      if (knock) mg_close_connection(knock);
    } while (!stopped.WaitForNotificationWithTimeout(absl::Milliseconds(20)));
    stopper.join();
  }
};

absl::string_view HttpRequest::Header(absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return "";
}

absl::StatusOr<HostPort> ParseHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  HostPort result;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &result.port) || result.port < 0 ||
      result.port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("listening address: got \"", text,
                                                   "\", wanted HOST:PORT as in 127.0.0.1:8000"));
  }
  result.host = text.substr(0, colon);
  return result;
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpOptions options,
                                                              Handler handler) {
  ASSIGN_OR_RETURN(const HostPort address, ParseHostPort(options.listen));
  std::unique_ptr<HttpServer> server(new HttpServer());
  server->handler_ = std::move(handler);
  server->civetweb_ = std::make_unique<Civetweb>();

  const std::string threads = absl::StrCat(options.threads);
  const std::string timeout = absl::StrCat(options.request_ms_max);
  const char* settings[] = {"listening_ports",
                            options.listen.c_str(),
                            "num_threads",
                            threads.c_str(),
                            "request_timeout_ms",
                            timeout.c_str(),
                            "enable_keep_alive",
                            "no",
                            "enable_directory_listing",
                            "no",
                            nullptr};
  mg_callbacks callbacks{};
  callbacks.log_message = &LogMessage;
  server->civetweb_->context = mg_start(&callbacks, nullptr, settings);
  mg_context* context = server->civetweb_->context;
  if (!context) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen,
                     " for HTTP: the port is taken or the address is not ours"));
  }
  mg_set_request_handler(context, "/**", &Handle, &server->handler_);
  mg_server_port port{};
  if (mg_get_server_ports(context, 1, &port) < 1) {
    return absl::InternalError(absl::StrCat("cannot ask for the port bound for ", options.listen));
  }
  server->address_ = absl::StrCat(address.host, ":", port.port);
  server->civetweb_->host = address.host == "0.0.0.0" ? "127.0.0.1" : address.host;
  server->civetweb_->port = port.port;
  return server;
}

HttpServer::~HttpServer() = default;

}  // namespace fourfold::http
