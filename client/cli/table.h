#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fourfold::cli {

enum class Align { kLeft, kRight };

// A text table: columns as wide as their widest cell, two spaces between, no spaces at line ends.
// Not thread-safe.
class Table {
 public:
  // Adds a column; call before any AddRow.
  void AddColumn(std::string title, Align align);
  // As many cells as columns.
  void AddRow(std::vector<std::string> cells);
  // Header line and rows, each ended by a newline.
  std::string Render() const;

 private:
  std::vector<Align> align_;
  std::vector<std::vector<std::string>> rows_ = {{}};  // first: the titles
};

// "512 B", "12.5 KiB", "3.40 MiB"
std::string FormatBytes(int64_t bytes);
// "2026-03-01 12:00:00" in UTC; "-" for 0.
std::string FormatTime(int64_t unix_ms);
// "1x3x224x224"; -1 is "?"; a scalar is "scalar".
std::string FormatShape(const std::vector<int64_t>& shape);
// So many digits after the point.
std::string FormatFixed(double value, int digits);

}  // namespace fourfold::cli
