#include "runtime/handler_watch.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/log.h"

namespace idem::runtime {

using namespace std::chrono_literals;

namespace {

/// A deadline of a millisecond does not make the I/O thread look every millisecond.
constexpr auto shortest_pause = 10ms;
constexpr std::size_t longest_id = 64;

std::string place_of(const Message& m) {
  return "topic=" + std::string(m.topic) + " partition=" + std::to_string(m.partition) +
         " offset=" + std::to_string(m.offset);
}

std::string id_of(const Message& m) {
  return m.id.empty() ? "" : " id=\"" + printable(std::string(m.id.substr(0, longest_id))) + "\"";
}

std::string running(core::Ticks::duration time) {
  return " running=" + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + "ms";
}

}  // namespace

HandlerWatch::Worker& HandlerWatch::add_worker() {
  std::lock_guard lock(mutex_);
  return workers_.emplace_back(*this);
}

template <class Visit>
void HandlerWatch::each_call(Visit visit) {
  std::lock_guard all(mutex_);
  for (Worker& worker : workers_) {
    std::lock_guard one(worker.mutex);
    if (worker.call) visit(*worker.call);
  }
}

core::Ticks HandlerWatch::look(core::Ticks now) {
  if (deadline_ == 0ms) return core::Ticks::max();
  struct Late {
    std::string what;
    std::stop_source stop;
  };
  std::vector<Late> late;
  auto next = now + deadline_;  // what begins from now on is not overdue before
  each_call([&](Call& call) {
    if (call.reported_) return;
    const auto due = call.since_ + deadline_;
    if (due > now) {
      next = std::min(next, due);
      return;
    }
    call.reported_ = true;
    const Message& m = call.delivery_.message;
    late.push_back({place_of(m) + (ids_are_names_ ? id_of(m) : "") + running(now - call.since_), call.stop_});
  });
  // Not under the locks: what the service has hung on the token runs here.
  for (Late& call : late) {
    log().warn("overdue {}: its handler has not returned within {} ms; its lane waits for it", call.what,
               deadline_.count());
    call.stop.request_stop();
  }
  return std::max(next, now + shortest_pause);
}

void HandlerWatch::close() {
  closed_ = true;
  std::vector<std::stop_source> stops;
  each_call([&](const Call& call) { stops.push_back(call.stop_); });
  for (std::stop_source& stop : stops) stop.request_stop();
}

HandlerWatch::Overdue HandlerWatch::overdue(core::Ticks now) {
  Overdue overdue;
  if (deadline_ == 0ms) return overdue;
  auto oldest = core::Ticks::max();
  each_call([&](const Call& call) {
    if (call.since_ + deadline_ > now) return;
    ++overdue.calls;
    if (call.since_ >= oldest) return;
    oldest = call.since_;
    overdue.longest = place_of(call.delivery_.message) + running(now - call.since_);
  });
  return overdue;
}

HandlerWatch::Call::Call(Worker* worker, core::Delivery& delivery, std::stop_source stop)
    : worker_(worker), delivery_(delivery), stop_(std::move(stop)) {
  if (!worker_) return;
  // Not the runtime's Clock: a worker may outlive it.
  if (worker_->watch.deadline_ > 0ms) since_ = std::chrono::steady_clock::now();
  {
    std::lock_guard lock(worker_->mutex);
    worker_->call = this;
  }
  if (worker_->watch.closed()) std::stop_source(stop_).request_stop();  // close() may have come too early to see it
}

HandlerWatch::Call::~Call() {
  if (!worker_) return;
  std::lock_guard lock(worker_->mutex);
  worker_->call = nullptr;
  if (reported_) delivery_.overdue = true;
}

std::optional<core::Ticks> HandlerWatch::Call::deadline() const {
  if (!worker_ || worker_->watch.deadline_ == 0ms) return std::nullopt;
  return since_ + worker_->watch.deadline_;
}

}  // namespace idem::runtime
