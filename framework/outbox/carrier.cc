#include "outbox/carrier.h"

#include <algorithm>
#include <utility>

#include <idem/store.h>

#include "runtime/failpoint.h"
#include "runtime/log.h"
#include "runtime/store_retry.h"

namespace idem::outbox {

using namespace std::chrono_literals;
using runtime::log;
using std::chrono::steady_clock;

namespace {

/// Deleting takes the store's write turn, so it is done for many at once.
constexpr std::size_t removed_at_once = 256;
constexpr auto long_time = 1h;

}  // namespace

Carrier::Carrier(std::string name, OutboxTable& table, std::unique_ptr<Destination> destination,
                 const RelayOptions& options)
    : name_(std::move(name)),
      options_(options),
      table_(table),
      destination_(std::move(destination)),
      inbox_(std::make_shared<Inbox>(std::max<std::size_t>(1, options.in_flight_messages / 4))),
      pause_(options.first_pause) {
  runtime::ask_store([&] { table_.open(name_, [inbox = inbox_] { inbox->committed(); }); },
                     [](auto pause) { std::this_thread::sleep_for(pause); });
  inbox_->committed();  // what an earlier process has left
  thread_ = std::thread([this] { run(); });
}

Carrier::~Carrier() {
  if (stop_by_.load() == TimePoint::max()) stop(steady_clock::now());
  thread_.join();
  table_.close(name_);
}

void Carrier::stop(TimePoint deadline) {
  stop_by_ = std::min(stop_by_.load(), deadline);
  inbox_->stop();
}

Relay::Counters Carrier::counters() const { return {sent_, sent_again_, parked_, held_}; }

// --- the thread ----------------------------------------------------------------------------------------------------

void Carrier::run() {
  for (;;) {
    const Inbox::News news = inbox_->take(wake_at());
    stopping_ = news.stop;
    try {
      turn(news);
    } catch (const StoreError& e) {
      if (!e.transient()) {
        log().error("outbox {}: nothing more is sent, the store has failed: {}", name_, e.what());
        break;
      }
      store_failed(e.what());
    }
    held_ = in_flight_.size();
    if (stopping_ && (in_flight_.quiet() || steady_clock::now() >= stop_by_.load())) break;
  }
  inbox_->end();
}

Carrier::TimePoint Carrier::wake_at() const {
  if (stopping_) return std::min(stop_by_.load(), steady_clock::now() + long_time);
  if (pausing() || next_try_ > steady_clock::now()) return next_try_;
  return steady_clock::now() + long_time;
}

void Carrier::turn(const Inbox::News& news) {
  if (news.committed) more_ = true;
  for (const Inbox::Answer& answer : news.answers) hear(answer);
  if (to_remove_.size() >= removed_at_once || in_flight_.quiet()) settle();
  if (stopping_) return;
  if (steady_clock::now() < next_try_) return;
  if (pausing()) send_again();
  // Half of the room at once: reading has its price, and confirmations come one by one.
  while (more_ && !in_flight_.has_failed() && in_flight_.size() <= options_.in_flight_messages / 2 &&
         in_flight_.bytes() <= options_.in_flight_bytes / 2)
    read_more();
  send();
  if (in_flight_.size() == 0 && !more_ && to_remove_.empty() && to_park_.empty()) inbox_->set_idle();
}

void Carrier::hear(const Inbox::Answer& answer) {
  using Known = PublishResult::Known;
  if (answer.known == Known::stored) {
    (void)IDEM_FAILPOINT("relay.confirmed");
    if (!in_flight_.ended(answer.number)) return;
    to_remove_.push_back(answer.number);
    ++sent_;
    pause_ = options_.first_pause;
  } else if (answer.permanent) {
    if (in_flight_.ended(answer.number)) to_park_.push_back({answer.number, answer.why});
  } else {
    in_flight_.failed(answer.number);
    last_why_ = answer.why;
    next_try_ = steady_clock::now() + pause_;
  }
}

// What stays in the lists is tried again: the store may be busy.
void Carrier::settle() {
  while (!to_park_.empty()) {
    const Poison& poison = to_park_.back();
    table_.park(poison.number, poison.why);
    log().warn("outbox {}: row {} is parked, {} will not take it: {}", name_, poison.number,
               destination_->description(), poison.why);
    ++parked_;
    to_park_.pop_back();
  }
  if (to_remove_.empty()) return;
  table_.remove(to_remove_);
  (void)IDEM_FAILPOINT("relay.removed");
  to_remove_.clear();
}

void Carrier::read_more() {
  const std::size_t messages = options_.in_flight_messages - in_flight_.size();
  const std::size_t bytes = options_.in_flight_bytes - std::min(options_.in_flight_bytes, in_flight_.bytes());
  std::vector<OutboxTable::Row> rows = table_.read(name_, last_read_, messages, bytes);
  more_ = !rows.empty();
  if (!more_) return;
  last_read_ = rows.back().number;
  for (OutboxTable::Row& row : rows) in_flight_.add(std::move(row));
}

void Carrier::send() {
  while (const OutboxTable::Row* row = in_flight_.next()) {
    (void)IDEM_FAILPOINT("relay.send");
    inbox_->await();
    destination_->send(row->message, [inbox = inbox_, number = row->number](const PublishResult& result) {
      inbox->answer({number, result.known, result.permanent, result.why});
    });
  }
}

void Carrier::send_again() {
  destination_->send_again();
  const std::size_t rows = in_flight_.again();
  sent_again_ += rows;
  log().warn("outbox {}: {} rows are sent to {} again, they were not stored: {}", name_, rows,
             destination_->description(), last_why_);
  pause_ = std::min(pause_ * 2, options_.longest_pause);
}

void Carrier::store_failed(const std::string& why) {
  log().warn("outbox {}: the store is busy, trying again in {} ms: {}", name_, pause_.count(), why);
  next_try_ = steady_clock::now() + pause_;
  pause_ = std::min(pause_ * 2, options_.longest_pause);
}

}  // namespace idem::outbox
