#include "server/publish/publisher.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/file.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/registry/load_version.h"
#include "server/report/report.h"
#include "server/store/model_name.h"

namespace fourfold::publish {
namespace {

constexpr int64_t kReportBytesMax = 16 << 20;

absl::Status NoJob(const std::string& id) {
  return absl::NotFoundError(absl::StrCat("job \"", absl::string_view(id).substr(0, 64),
                                          "\" is unknown, or ended too long ago to be remembered"));
}

}  // namespace

std::string NewJobId() {
  std::random_device random;
  return absl::StrFormat("%08x%08x", random(), random());
}

Publisher::Place::~Place() {
  if (!publisher_) return;
  absl::MutexLock lock(&publisher_->mutex_);
  --publisher_->places_taken_;
}

Publisher::Publisher(PublisherParts parts, PublisherOptions options)
    : parts_(parts), options_(std::move(options)) {
  worker_ = std::thread([this] { Work(); });
}

Publisher::~Publisher() { Stop(); }

absl::StatusOr<Publisher::Place> Publisher::Admit() {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return absl::UnavailableError("the server is shutting down");
  if (places_taken_ >= options_.jobs_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("uploads: ", places_taken_,
                     " are under way, the limit --max_jobs of this server; try again later"));
  }
  ++places_taken_;
  return Place(this);
}

absl::StatusOr<Job> Publisher::Start(Place place, std::string id,
                                     std::unique_ptr<store::Staging> staging,
                                     std::vector<std::string> variants) {
  auto entry = std::make_shared<Entry>();
  entry->job.id = std::move(id);
  entry->job.model = staging->model();
  entry->job.version = staging->version();
  entry->job.stage = "queue";
  entry->job.created = entry->job.changed = options_.clock->Now();
  entry->staging = std::move(staging);
  entry->variants = std::move(variants);
  entry->place = std::make_unique<Place>(std::move(place));
  absl::MutexLock lock(&mutex_);
  if (stopped_) return absl::UnavailableError("the server is shutting down");
  entries_.push_back(entry);
  queue_.push_back(entry);
  CountLocked();
  return entry->job;
}

absl::StatusOr<Job> Publisher::Get(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  const EntryPtr entry = FindLocked(id);
  if (!entry) return NoJob(id);
  return entry->job;
}

std::vector<Job> Publisher::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Job> jobs;
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
    jobs.push_back((*entry)->job);
  return jobs;
}

absl::StatusOr<Job> Publisher::Cancel(const std::string& id) {
  EntryPtr entry;
  std::shared_ptr<QuantizerRun> run;
  bool was_queued = false;
  {
    absl::MutexLock lock(&mutex_);
    entry = FindLocked(id);
    if (!entry) return NoJob(id);
    if (IsFinal(entry->job.state)) {
      return absl::FailedPreconditionError(
          absl::StrCat("job ", id, " has ended already: ", JobStateName(entry->job.state)));
    }
    entry->cancelled = true;
    run = entry->run;
    const auto queued = std::find(queue_.begin(), queue_.end(), entry);
    was_queued = queued != queue_.end();
    if (was_queued) queue_.erase(queued);
  }
  if (run) run->Cancel();
  if (was_queued) Finish(entry, absl::CancelledError("the job was cancelled"));
  absl::MutexLock lock(&mutex_);
  return entry->job;
}

absl::StatusOr<std::shared_ptr<const Publisher::Watcher>> Publisher::Watch(const std::string& id,
                                                                           Watcher watcher) {
  auto handle = std::make_shared<const Watcher>(std::move(watcher));
  Job now;
  {
    absl::MutexLock lock(&mutex_);
    const EntryPtr entry = FindLocked(id);
    if (!entry) return NoJob(id);
    std::erase_if(entry->watchers, [](const auto& known) { return known.expired(); });
    entry->watchers.push_back(handle);
    now = entry->job;
  }
  (*handle)(now);
  return handle;
}

void Publisher::Stop() {
  std::vector<EntryPtr> queued;
  std::vector<std::shared_ptr<QuantizerRun>> running;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    queued.assign(queue_.begin(), queue_.end());
    queue_.clear();
    for (const EntryPtr& entry : entries_) {
      if (IsFinal(entry->job.state)) continue;
      entry->cancelled = true;
      if (entry->run) running.push_back(entry->run);
    }
  }
  for (const auto& run : running) run->Cancel();
  for (const EntryPtr& entry : queued)
    Finish(entry, absl::CancelledError("the server is shutting down"));
  if (worker_.joinable()) worker_.join();
}

Publisher::EntryPtr Publisher::FindLocked(const std::string& id) const {
  for (const EntryPtr& entry : entries_) {
    if (entry->job.id == id) return entry;
  }
  return nullptr;
}

void Publisher::CountLocked() {
  const auto running = std::count_if(entries_.begin(), entries_.end(), [](const EntryPtr& entry) {
    return entry->job.state == JobState::kRunning;
  });
  parts_.metrics.PresentJobs(static_cast<int64_t>(queue_.size()), running);
}

void Publisher::ForgetOldLocked() {
  auto ended = std::count_if(entries_.begin(), entries_.end(),
                             [](const EntryPtr& entry) { return IsFinal(entry->job.state); });
  for (auto entry = entries_.begin(); entry != entries_.end() && ended > options_.jobs_kept;) {
    if (IsFinal((*entry)->job.state)) {
      entry = entries_.erase(entry);
      --ended;
    } else {
      ++entry;
    }
  }
}

void Publisher::Work() {
  while (true) {
    EntryPtr entry;
    auto run = std::make_shared<QuantizerRun>(options_.quantizer);
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopped_ || !queue_.empty();
      };
      mutex_.Await(absl::Condition(&ready));
      if (queue_.empty()) return;
      entry = queue_.front();
      queue_.pop_front();
      entry->run = run;
    }
    Change(entry, [this](Job& job) {
      [[maybe_unused]] const absl::Status moved = Advance(job, JobState::kRunning);
      job.started = options_.clock->Now();
      job.stage = "import";
    });
    base::LogInfo(
        "job.started",
        {{"job", entry->job.id}, {"model", entry->job.model}, {"version", entry->job.version}});
    Finish(entry, Execute(entry, run));
  }
}

absl::Status Publisher::Execute(const EntryPtr& entry, const std::shared_ptr<QuantizerRun>& run) {
  RETURN_IF_ERROR(run->Run(*entry->staging, entry->variants, [&](const ProgressLine& line) {
    Change(entry, [&](Job& job) {
      job.stage = line.stage;
      job.percent = line.percent;
      job.message = line.message;
    });
  }));
  if (IsCancelled(entry)) return absl::CancelledError("the job was cancelled");
  return GoLive(entry);
}

absl::Status Publisher::GoLive(const EntryPtr& entry) {
  const store::Staging& staging = *entry->staging;
  Change(entry, [](Job& job) {
    job.stage = "store";
    job.percent = 0;
    job.message.clear();
  });
  const std::string report_path = staging.output_directory() + "/report.json";
  auto digest_mapped = base::MappedFile::Open(report_path);
  if (!digest_mapped.ok()) {
    return absl::InternalError(
        absl::StrCat("the quantizer wrote no report: ", digest_mapped.status().message()));
  }
  const auto bytes = digest_mapped->bytes();
  if (static_cast<int64_t>(bytes.size()) > kReportBytesMax) {
    return absl::InternalError(absl::StrCat("the quantizer's report has ", bytes.size(),
                                            " bytes, wanted at most ", kReportBytesMax));
  }
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto report = report::FromJson(text);
  if (!report.ok()) {
    return absl::InternalError(absl::StrCat("the quantizer's report: ", report.status().message()));
  }
  std::vector<std::string> files;
  for (const report::Variant& variant : report->variants) {
    RETURN_IF_ERROR(store::CheckModelName(variant.variant));  // it becomes a file name
    files.push_back(registry::VariantFileName(variant.variant));
    const std::string data = registry::DataFileName(variant.variant);
    if (base::Exists(absl::StrCat(staging.output_directory(), "/", data))) files.push_back(data);
  }
  if (files.empty()) return absl::InternalError("the quantizer made no variant");
  ASSIGN_OR_RETURN(const store::Manifest manifest, parts_.store.Commit(staging, files, text));
  Change(entry, [](Job& job) { job.stage = "publish"; });
  auto loaded = registry::LoadVersion(parts_.store, manifest.model, manifest.version,
                                      options_.model, &parts_.metrics);
  if (!loaded.ok()) {
    const absl::Status deleted = parts_.store.Delete(manifest.model, manifest.version);
    if (!deleted.ok()) base::LogError("store.version_left", {{"error", deleted}});
    return absl::Status(
        loaded.status().code(),
        absl::StrCat("what the quantizer made cannot be loaded: ", loaded.status().message()));
  }
  parts_.registry.Replace(*std::move(loaded));
  return absl::OkStatus();
}

bool Publisher::IsCancelled(const EntryPtr& entry) {
  absl::MutexLock lock(&mutex_);
  return entry->cancelled;
}

void Publisher::Change(const EntryPtr& entry, const std::function<void(Job&)>& change) {
  Job now;
  std::vector<std::shared_ptr<const Watcher>> watchers;
  {
    absl::MutexLock lock(&mutex_);
    change(entry->job);
    entry->job.changed = options_.clock->Now();
    ++entry->job.sequence;
    now = entry->job;
    for (const auto& watcher : entry->watchers) {
      if (auto alive = watcher.lock()) watchers.push_back(std::move(alive));
    }
    CountLocked();
  }
  for (const auto& watcher : watchers) (*watcher)(now);
}

void Publisher::Finish(const EntryPtr& entry, const absl::Status& status) {
  const JobState state = status.ok()                 ? JobState::kDone
                         : absl::IsCancelled(status) ? JobState::kCancelled
                                                     : JobState::kFailed;
  std::unique_ptr<store::Staging> staging;
  std::unique_ptr<Place> place;
  bool stopped = false;
  {
    absl::MutexLock lock(&mutex_);
    staging = std::move(entry->staging);
    place = std::move(entry->place);
    entry->run = nullptr;
    stopped = stopped_;
  }
  // Before the end is told: whoever hears of it finds the files gone, the place free, the job
  // counted.
  staging.reset();
  place.reset();
  parts_.metrics.JobEnded(status.ok()                 ? telemetry::JobOutcome::kDone
                          : absl::IsCancelled(status) ? telemetry::JobOutcome::kCancelled
                                                      : telemetry::JobOutcome::kFailed);
  const Job before = entry->job;  // ended: nobody else changes it
  Change(entry, [&](Job& job) {
    const absl::Status moved = Advance(job, state);
    job.status = moved.ok() ? status : moved;
    if (stopped && state == JobState::kCancelled) {
      job.status = absl::CancelledError("the server is shutting down");
    }
    job.finished = options_.clock->Now();
    job.percent = status.ok() ? 100 : job.percent;
    job.message = job.status.ok() ? "" : job.status.ToString();
  });
  base::LogInfo("job.ended", {{"job", before.id},
                              {"model", before.model},
                              {"version", before.version},
                              {"state", JobStateName(state)},
                              {"status", status}});
  absl::MutexLock lock(&mutex_);
  ForgetOldLocked();
}

}  // namespace fourfold::publish
