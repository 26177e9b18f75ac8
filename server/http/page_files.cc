#include "server/http/page_files.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fourfold::http {
namespace {

// Scripts, styles and data of this server only; no script may come from a string.
constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

constexpr absl::string_view kText = "text/plain; charset=utf-8";

absl::string_view ContentType(absl::string_view name) {
  if (absl::EndsWith(name, ".html")) return "text/html; charset=utf-8";
  if (absl::EndsWith(name, ".css")) return "text/css; charset=utf-8";
  if (absl::EndsWith(name, ".js")) return "text/javascript; charset=utf-8";
  if (absl::EndsWith(name, ".svg")) return "image/svg+xml";
  return kText;
}

const PageFile* Find(absl::string_view name) {
  for (const PageFile& file : PageFiles()) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

// "gzip, deflate;q=0.5" lists gzip; "gzip;q=0" refuses it.
bool TakesGzip(const HttpRequest& request) {
  for (absl::string_view part : absl::StrSplit(request.Header("Accept-Encoding"), ',')) {
    const std::pair<absl::string_view, absl::string_view> coding =
        absl::StrSplit(part, absl::MaxSplits(';', 1));
    if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(coding.first), "gzip")) continue;
    const absl::string_view weight = absl::StripAsciiWhitespace(coding.second);
    return weight != "q=0" && weight != "q=0.0";
  }
  return false;
}

bool Has(absl::string_view if_none_match, absl::string_view etag) {
  for (absl::string_view part : absl::StrSplit(if_none_match, ',')) {
    part = absl::StripAsciiWhitespace(part);
    absl::ConsumePrefix(&part, "W/");
    if (part == etag || part == "*") return true;
  }
  return false;
}

HttpResponse Serve(const HttpRequest& request, const PageFile& file, int status) {
  const bool gzip = TakesGzip(request);
  const std::string etag = absl::StrCat("\"", file.sha256.substr(0, 32), gzip ? "-gzip" : "", "\"");
  HttpResponse response;
  response.status = status;
  response.content_type = std::string(ContentType(file.name));
  response.content_security_policy = kPolicy;
  // Kept, but asked for again each time: a newer server's files replace the old ones at once.
  response.cache_control = "no-cache";
  response.headers = {{"ETag", etag}, {"Vary", "Accept, Accept-Encoding"}};
  if (status == 200 && Has(request.Header("If-None-Match"), etag)) {
    response.status = 304;
    return response;
  }
  if (gzip) response.headers.emplace_back("Content-Encoding", "gzip");
  response.body = std::string(gzip ? file.gzip : file.plain);
  return response;
}

}  // namespace

HttpResponse Page(const HttpRequest& request, int status) {
  return Serve(request, *Find("index.html"), status);
}

HttpResponse Asset(const HttpRequest& request, absl::string_view name) {
  const PageFile* file = Find(name);
  if (file && name != "index.html") return Serve(request, *file, 200);
  HttpResponse response;
  response.status = 404;
  response.body = "there is no such file\n";
  return response;
}

bool WantsPage(const HttpRequest& request) {
  return absl::StrContains(absl::AsciiStrToLower(request.Header("Accept")), "text/html");
}

}  // namespace fourfold::http
