#include "tests/loadtest/queue_server.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/grpcpp.h"
#include "proto/inference/grpc_predict_v2.grpc.pb.h"

namespace fourfold::loadtest {
namespace {

using Clock = std::chrono::steady_clock;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using grpc::Status;
using grpc::StatusCode;

ServerUnaryReactor* Finish(CallbackServerContext* context, const Status& status = Status::OK) {
  ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

}  // namespace

class QueueServer::Service final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit Service(QueueServerOptions options)
      : options_(std::move(options)), worker_([this] { Work(); }) {}

  ~Service() override {
    {
      const absl::MutexLock lock(&mutex_);
      stopped_ = true;
    }
    worker_.join();
  }

  ServerUnaryReactor* ServerLive(CallbackServerContext* context,
                                 const inference::ServerLiveRequest*,
                                 inference::ServerLiveResponse* response) override {
    response->set_live(true);
    return Finish(context);
  }

  ServerUnaryReactor* ServerReady(CallbackServerContext* context,
                                  const inference::ServerReadyRequest*,
                                  inference::ServerReadyResponse* response) override {
    response->set_ready(true);
    return Finish(context);
  }

  ServerUnaryReactor* ServerMetadata(CallbackServerContext* context,
                                     const inference::ServerMetadataRequest*,
                                     inference::ServerMetadataResponse* response) override {
    response->set_name("queue");
    response->set_version("7");
    return Finish(context);
  }

  ServerUnaryReactor* ModelMetadata(CallbackServerContext* context,
                                    const inference::ModelMetadataRequest* request,
                                    inference::ModelMetadataResponse* response) override {
    if (!Knows(request->name())) return Finish(context, NotFound(request->name()));
    for (const client::TensorDescription& input : options_.inputs) {
      auto* proto = response->add_inputs();
      proto->set_name(input.name);
      proto->set_datatype(input.datatype);
      proto->mutable_shape()->Add(input.shape.begin(), input.shape.end());
    }
    return Finish(context);
  }

  ServerUnaryReactor* ModelInfer(CallbackServerContext* context,
                                 const inference::ModelInferRequest* request,
                                 inference::ModelInferResponse* response) override {
    if (!Knows(request->model_name())) return Finish(context, NotFound(request->model_name()));
    const absl::MutexLock lock(&mutex_);
    peers_.insert(context->peer());
    queue_.push_back({context->DefaultReactor(), request, response, Clock::now()});
    return queue_.back().reactor;
  }

  std::vector<Served> served() const {
    const absl::MutexLock lock(&mutex_);
    return served_;
  }

  size_t connections() const {
    const absl::MutexLock lock(&mutex_);
    return peers_.size();
  }

 private:
  struct Waiting {
    ServerUnaryReactor* reactor;
    const inference::ModelInferRequest* request;
    inference::ModelInferResponse* response;
    Clock::time_point arrived;
  };

  static Status NotFound(const std::string& model) {
    return {StatusCode::NOT_FOUND, absl::StrCat("no model \"", model, "\"")};
  }

  bool Knows(const std::string& model) const {
    return options_.models.empty() || std::find(options_.models.begin(), options_.models.end(),
                                                model) != options_.models.end();
  }

  void Work() {
    std::map<std::string, int64_t> counts;
    while (true) {
      Waiting next;
      {
        const absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(
            +[](Service* self) { return self->stopped_ || !self->queue_.empty(); }, this));
        if (queue_.empty()) return;
        next = queue_.front();
        queue_.pop_front();
      }
      const std::string model = next.request->model_name();
      Serve(next, model, counts[model]++);
    }
  }

  void Serve(const Waiting& waiting, const std::string& model, int64_t k) {
    const Clock::time_point begun = Clock::now();
    if (options_.service_time) {
      std::this_thread::sleep_until(begun + options_.service_time(model, k));
    }
    const absl::StatusCode code =
        options_.status ? options_.status(model, k) : absl::StatusCode::kOk;
    FillResponse(*waiting.request, model, k, *waiting.response);
    {
      const absl::MutexLock lock(&mutex_);
      served_.push_back({model, waiting.arrived, begun, Clock::now()});
    }
    waiting.reactor->Finish(code == absl::StatusCode::kOk
                                ? Status::OK
                                : Status(static_cast<StatusCode>(code), "as the test wants it"));
  }

  void FillResponse(const inference::ModelInferRequest& request, const std::string& model,
                    int64_t k, inference::ModelInferResponse& response) const {
    response.set_model_name(model);
    const size_t at = model.find('@');
    (*response.mutable_parameters())["variant"].set_string_param(
        at == std::string::npos ? "default" : model.substr(at + 1));
    std::string bytes = request.raw_input_contents(0);
    if (options_.answer) {
      std::vector<float> x(bytes.size() / sizeof(float));
      std::memcpy(x.data(), bytes.data(), bytes.size());
      const std::vector<float> y = options_.answer(model, k, std::move(x));
      bytes.assign(reinterpret_cast<const char*>(y.data()), y.size() * sizeof(float));
    }
    auto* output = response.add_outputs();
    output->set_name("y");
    output->set_datatype("FP32");
    *output->mutable_shape() = request.inputs(0).shape();
    response.add_raw_output_contents(std::move(bytes));
  }

  const QueueServerOptions options_;

  mutable absl::Mutex mutex_;
  std::deque<Waiting> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<Served> served_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> peers_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread worker_;  // last: it uses all of the above
};

struct QueueServer::Server {
  std::unique_ptr<grpc::Server> grpc;
};

QueueServer::QueueServer(QueueServerOptions options)
    : service_(std::make_unique<Service>(std::move(options))), server_(std::make_unique<Server>()) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(service_.get());
  server_->grpc = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

QueueServer::~QueueServer() {
  server_->grpc->Shutdown();  // waits for the calls, so the worker must still be at work
  server_.reset();
  service_.reset();
}

std::vector<Served> QueueServer::served() const { return service_->served(); }
size_t QueueServer::connections() const { return service_->connections(); }

}  // namespace fourfold::loadtest
