#pragma once

#include <ostream>
#include <string>

namespace fourfold::cli {

// One line that is written over again and again on a terminal; on anything else it writes nothing.
// Erases itself when destroyed. Not thread-safe; borrows the stream for its lifetime.
class ProgressLine {
 public:
  ProgressLine(std::ostream& out, bool is_terminal) : out_(out), is_terminal_(is_terminal) {}
  ~ProgressLine() { Clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // "text  [#####.....]  47%"; share from 0 to 1.
  void Show(const std::string& text, double share);
  // The text alone, where the end is not known.
  void Show(const std::string& text);
  void Clear();

 private:
  void Write(std::string line);

  std::ostream& out_;
  const bool is_terminal_;
  std::string shown_;
};

}  // namespace fourfold::cli
