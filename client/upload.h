#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/samples/sample_source.h"

namespace fourfold::client {

enum class UploadPart { kModel, kExternalData, kCalibration, kEvaluation };

struct UploadProgress {
  UploadPart part = UploadPart::kModel;
  int64_t done = 0;   // bytes of the model or of all its files of external data, or samples
  int64_t total = 0;  // 0: not known
};

struct UploadRequest {
  std::string model = {};  // the name to serve it by
  // The ONNX file. Files beside it in which it keeps weights are found and sent too.
  std::string model_path = {};
  std::vector<std::string> variants = {};  // empty: all that the server offers
  // Borrowed for the call; null: none. An input's name may be empty if the model has only one.
  const samples::SampleSource* calibration = nullptr;  // its labels are not sent
  const samples::SampleSource* evaluation = nullptr;   // with its labels, if it has them
  // Called after each message that was sent; may be empty.
  std::function<void(const UploadProgress&)> progress = {};
  // Bytes of model or samples in one message (one sample at least). More is slightly faster and
  // needs more memory on both sides; servers refuse messages above their limit.
  int64_t message_bytes = 1 << 20;
};

struct UploadResult {
  std::string job_id;
  std::string model;
  int64_t version = 0;  // what the job will publish
};

}  // namespace fourfold::client
