#include "client/upload.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/datatype.h"
#include "client/external_files.h"

namespace fourfold::client {
namespace {

using Writer = grpc::ClientWriter<v1::UploadRequest>;
using File = std::unique_ptr<FILE, int (*)(FILE*)>;

struct ModelFile {
  File file;
  int64_t bytes;
  std::vector<ExternalFile> external;

  int64_t external_bytes() const {
    int64_t sum = 0;
    for (const ExternalFile& one : external) sum += one.bytes;
    return sum;
  }
};

absl::StatusOr<File> OpenFile(const std::string& path) {
  File file(fopen(path.c_str(), "rb"), &fclose);
  if (file == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  setvbuf(file.get(), nullptr, _IONBF, 0);  // whole messages are read
  return file;
}

absl::StatusOr<ModelFile> OpenModel(const std::string& path) {
  absl::StatusOr<File> opened = OpenFile(path);
  if (!opened.ok()) return opened.status();
  File file = *std::move(opened);
  struct stat facts;
  if (fstat(fileno(file.get()), &facts) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  }
  if (!S_ISREG(facts.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a file, wanted an ONNX file"));
  }
  if (facts.st_size == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is empty, wanted an ONNX file"));
  }
  absl::StatusOr<std::vector<ExternalFile>> external = FindExternalFiles(path);
  if (!external.ok()) return external.status();
  return ModelFile{std::move(file), facts.st_size, *std::move(external)};
}

// Sends the parts of one upload. Each method returns OK also when the server has stopped reading:
// closed() is true then, and the server's status says why.
class Sender {
 public:
  Sender(Writer& writer, const UploadRequest& request) : writer_(writer), request_(request) {}

  bool closed() const { return closed_; }

  absl::Status SendHeader(const ModelFile& model) {
    v1::UploadRequest message;
    v1::UploadHeader& header = *message.mutable_header();
    header.set_model(request_.model);
    header.mutable_variants()->Add(request_.variants.begin(), request_.variants.end());
    header.set_model_bytes(model.bytes);
    header.set_external_bytes(model.external_bytes());
    if (request_.calibration != nullptr) {
      header.set_calibration_samples(request_.calibration->size());
    }
    if (request_.evaluation != nullptr) header.set_evaluation_samples(request_.evaluation->size());
    Write(message);
    return absl::OkStatus();
  }

  absl::Status SendModel(const ModelFile& model) {
    v1::UploadRequest message;
    return SendFile(request_.model_path, model.file.get(), model.bytes,
                    *message.mutable_model_chunk(), [&](int64_t done) {
                      Write(message);
                      Report(UploadPart::kModel, done, model.bytes);
                    });
  }

  absl::Status SendExternalData(const ModelFile& model) {
    const int64_t total = model.external_bytes();
    int64_t before = 0;  // in earlier files
    for (const ExternalFile& external : model.external) {
      if (closed_) break;
      const absl::StatusOr<File> file = OpenFile(external.path);
      if (!file.ok()) return file.status();
      v1::UploadRequest message;
      v1::ExternalDataChunk& chunk = *message.mutable_external_data();
      chunk.set_location(external.location);
      chunk.set_file_bytes(external.bytes);
      Write(message);
      chunk.clear_location();
      chunk.clear_file_bytes();
      const absl::Status sent = SendFile(external.path, file->get(), external.bytes,
                                         *chunk.mutable_data(), [&](int64_t done) {
                                           Write(message);
                                           Report(UploadPart::kExternalData, before + done, total);
                                         });
      if (!sent.ok()) return sent;
      before += external.bytes;
    }
    return absl::OkStatus();
  }

  absl::Status SendSamples(UploadPart part, const samples::SampleSource* source) {
    if (source == nullptr) return absl::OkStatus();
    const int64_t per_message = SamplesPerMessage(*source);
    int64_t done = 0;
    while (!closed_ && done < source->size()) {
      const int64_t count = std::min(per_message, source->size() - done);
      v1::UploadRequest message;
      v1::SampleBatch& batch = part == UploadPart::kCalibration ? *message.mutable_samples()
                                                                : *message.mutable_evaluation();
      if (absl::Status status = Fill(*source, done, count, batch); !status.ok()) return status;
      if (part == UploadPart::kEvaluation && source->labels().has_value()) {
        const auto first = source->labels()->begin() + done;
        batch.mutable_labels()->Add(first, first + count);
      }
      done += count;
      Write(message);
      Report(part, done, source->size());
    }
    return absl::OkStatus();
  }

 private:
  // Reads the file's bytes into `chunk`, piece by piece, and calls `send` with the bytes so far.
  template <typename Send>
  absl::Status SendFile(const std::string& path, FILE* file, int64_t bytes, std::string& chunk,
                        const Send& send) {
    int64_t done = 0;
    while (!closed_ && done < bytes) {
      chunk.resize(static_cast<size_t>(std::min(request_.message_bytes, bytes - done)));
      if (fread(chunk.data(), 1, chunk.size(), file) != chunk.size()) {
        return absl::DataLossError(absl::StrCat("cannot read ", path, ": it ends before byte ",
                                                done + static_cast<int64_t>(chunk.size()),
                                                ", wanted ", bytes, " bytes"));
      }
      done += static_cast<int64_t>(chunk.size());
      send(done);
    }
    return absl::OkStatus();
  }

  // Bounds the rows of tiny samples in one message.
  static constexpr int64_t kSamplesMax = 4096;

  int64_t SamplesPerMessage(const samples::SampleSource& source) const {
    double sample_bytes = 0;  // a double: dims are the file's and may multiply to anything
    for (const samples::SampleInput& input : source.inputs()) {
      auto bytes = static_cast<double>(samples::DTypeBytes(input.dtype));
      for (const int64_t dim : input.dims) bytes *= static_cast<double>(dim);
      sample_bytes += bytes;
    }
    const double fit = static_cast<double>(request_.message_bytes) / std::max(sample_bytes, 1.0);
    return std::clamp(static_cast<int64_t>(fit), int64_t{1}, kSamplesMax);
  }

  // Puts samples first .. first + count - 1 into the batch.
  static absl::Status Fill(const samples::SampleSource& source, int64_t first, int64_t count,
                           v1::SampleBatch& batch) {
    for (const samples::SampleInput& input : source.inputs()) {
      v1::SampleTensor& tensor = *batch.add_tensors();
      tensor.set_name(input.name);
      tensor.set_datatype(DatatypeName(input.dtype));
      tensor.add_shape(count);
      tensor.mutable_shape()->Add(input.dims.begin(), input.dims.end());
    }
    for (int64_t index = first; index < first + count; ++index) {
      const absl::StatusOr<samples::Sample> sample = source.Read(index);
      if (!sample.ok()) return sample.status();
      for (int i = 0; i < batch.tensors_size(); ++i) {
        const std::span<const std::byte> bytes = sample->inputs[static_cast<size_t>(i)];
        batch.mutable_tensors(i)->mutable_raw()->append(reinterpret_cast<const char*>(bytes.data()),
                                                        bytes.size());
      }
    }
    return absl::OkStatus();
  }

  void Write(const v1::UploadRequest& message) { closed_ = closed_ || !writer_.Write(message); }

  void Report(UploadPart part, int64_t done, int64_t total) const {
    if (request_.progress && !closed_) request_.progress({part, done, total});
  }

  Writer& writer_;
  const UploadRequest& request_;
  bool closed_ = false;
};

absl::Status SendAll(Sender& sender, const UploadRequest& request, const ModelFile& model) {
  if (absl::Status status = sender.SendHeader(model); !status.ok()) return status;
  if (absl::Status status = sender.SendModel(model); !status.ok()) return status;
  if (absl::Status status = sender.SendExternalData(model); !status.ok()) return status;
  if (absl::Status status = sender.SendSamples(UploadPart::kCalibration, request.calibration);
      !status.ok()) {
    return status;
  }
  return sender.SendSamples(UploadPart::kEvaluation, request.evaluation);
}

}  // namespace

absl::StatusOr<UploadResult> Client::Upload(const UploadRequest& request) {
  if (request.message_bytes < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("message_bytes is ", request.message_bytes, ", wanted 1 or more"));
  }
  absl::StatusOr<ModelFile> model = OpenModel(request.model_path);
  if (!model.ok()) return model.status();

  grpc::ClientContext context;
  v1::UploadResponse response;
  const auto writer = connection_->variants->Upload(&context, &response);
  Sender sender(*writer, request);
  const absl::Status sent = SendAll(sender, request, *model);
  if (!sent.ok()) {
    // Our side failed: the server sees a cancelled stream and drops what it has.
    context.TryCancel();
    writer->Finish();
    return sent;
  }
  if (!sender.closed()) writer->WritesDone();
  const absl::Status status = connection_->ToStatus(writer->Finish());
  if (!status.ok()) return status;
  if (sender.closed()) {
    return absl::InternalError(absl::StrCat("the server at ", address(), " accepted the upload of ",
                                            request.model, " before it was complete"));
  }
  return UploadResult{response.job_id(), response.model(), response.version()};
}

}  // namespace fourfold::client
