#pragma once

#include <initializer_list>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fourfold::base {

// One key=value of a log line.
struct LogField {
  LogField(absl::string_view key, absl::string_view value) : key(key), value(value) {}
  LogField(absl::string_view key, const char* value) : key(key), value(value) {}
  LogField(absl::string_view key, const std::string& value) : key(key), value(value) {}
  LogField(absl::string_view key, const absl::Status& status)
      : key(key), value(status.ToString()) {}
  template <typename T>
  requires std::is_arithmetic_v<T> LogField(absl::string_view key, T number)
      : key(key), value(absl::StrCat(number)) {}

  absl::string_view key;
  std::string value;
};

// Structured lines on standard error:
//   2026-01-31T12:00:00.123Z info model.loaded model=digits version=1
// Values with blanks, quotes or control characters are quoted and escaped, so that a line stays one
// line whatever a client sent. `event` is a fixed dotted name. Never log payloads. Thread-safe.
void LogInfo(absl::string_view event, std::initializer_list<LogField> fields = {});
void LogWarning(absl::string_view event, std::initializer_list<LogField> fields = {});
void LogError(absl::string_view event, std::initializer_list<LogField> fields = {});

// What a line says after its level; for tests.
std::string FormatLogLine(absl::string_view event, std::initializer_list<LogField> fields);

}  // namespace fourfold::base
