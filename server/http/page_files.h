#pragma once

#include <span>

#include "absl/strings/string_view.h"
#include "server/http/http_server.h"

namespace fourfold::http {

// One file of the page, built into the program: those of server/http/page, the chart library and
// the licences.
struct PageFile {
  absl::string_view name;    // "page.js"
  absl::string_view plain;   // as written
  absl::string_view gzip;    // the same, compressed
  absl::string_view sha256;  // of `plain`, hexadecimal
};

// All of them; written by page/embed.cmake.
std::span<const PageFile> PageFiles();

// index.html, which shows what the address names: a list of models, a model, or that nothing is
// there. The status is that of what it shows.
HttpResponse Page(const HttpRequest& request, int status);

// A file by its name; 404 if there is none. A client that has it already gets 304.
HttpResponse Asset(const HttpRequest& request, absl::string_view name);

// A person's browser asks: text/html is among what it accepts. Programs get text or JSON.
bool WantsPage(const HttpRequest& request);

}  // namespace fourfold::http
