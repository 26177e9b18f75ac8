#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fourfold::client {

// What the server received of one upload.
struct ReceivedBatch {
  std::vector<std::string> names;
  std::vector<std::string> datatypes;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<std::string> raw;
  std::vector<int64_t> labels;
};

struct ReceivedFile {
  std::string location;
  int64_t promised_bytes = 0;
  std::string bytes;
};

struct ReceivedUpload {
  std::string model;
  std::vector<std::string> variants;
  int64_t promised_model_bytes = 0;
  int64_t promised_calibration = 0;
  int64_t promised_evaluation = 0;
  std::string model_bytes;
  int64_t promised_external_bytes = 0;
  std::vector<ReceivedFile> external;
  size_t largest_chunk = 0;
  std::vector<ReceivedBatch> calibration;
  std::vector<ReceivedBatch> evaluation;
  bool cancelled = false;  // the client broke off
};

struct FakeEvent {
  std::string stage;
  double percent;
  std::string message;
  int state;  // fourfold.v1.JobState
};

// How the server behaves; set it before the calls.
struct FakeBehaviour {
  std::optional<size_t> refuse_upload_after_bytes = {};  // RESOURCE_EXHAUSTED "too large"
  std::vector<FakeEvent> events = {};
  std::string download_bytes = {};
  std::string download_sha256 = {};
  int64_t download_file_bytes = 0;
  std::string download_location = {};  // of a second file, "abc"; empty: there is none
  bool ready = true;
  std::vector<std::string> inputs = {"x"};
  int infer_delay_ms = 0;  // a ModelInfer takes so long, or until it is cancelled
};

// A server on a free loopback port that speaks both protocols. It knows the model "digits", with
// the variants fp32 and int8, and the job "job-1"; everything else is NOT_FOUND. ModelInfer answers
// the first input's bytes as the output "y". Stops when destroyed.
class FakeServer {
 public:
  explicit FakeServer(FakeBehaviour behaviour);
  ~FakeServer();

  const std::string& address() const { return address_; }
  // Of the last upload that ended; waits for its end.
  ReceivedUpload upload();

 private:
  struct Services;
  std::unique_ptr<Services> services_;
  std::string address_;
};

}  // namespace fourfold::client
