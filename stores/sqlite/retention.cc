#include "sqlite/retention.h"

#include <algorithm>

#include "runtime/failpoint.h"
#include "sqlite/values.h"

namespace idem::sqlite {
namespace {

constexpr int generations_in_a_retention = 8;

std::optional<std::int64_t> maybe_integer(const Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.integer(column));
}

}  // namespace

Retention::Retention(Connection& connection, IdIndex& ids, Results& results, std::int64_t consumer,
                     std::chrono::milliseconds retention)
    : connection_(connection),
      ids_(ids),
      results_(results),
      consumer_(consumer),
      retention_(retention.count()),
      span_(std::max<Milliseconds>(1, retention.count() / generations_in_a_retention)),
      write_generation_(connection, "UPDATE idem_generation SET start = ?2, newest = ?3 WHERE number = ?1"),
      write_topic_(connection, "INSERT INTO idem_generation_topic VALUES (?, ?) ON CONFLICT DO NOTHING"),
      write_stream_time_(connection, "UPDATE idem_consumer SET stream_time = max(stream_time, ?2) WHERE consumer = ?1"),
      raise_horizon_(connection,
                     "INSERT INTO idem_horizon VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET bound = max(bound, "
                     "excluded.bound)") {
  load();
}

void Retention::load() {
  Statement consumer(connection_, "SELECT stream_time FROM idem_consumer WHERE consumer = ?");
  for (auto rows = consumer.rows(consumer_); rows.next();) stream_time_ = saved_stream_time_ = rows.integer(0);

  Statement horizon(connection_, "SELECT topic, bound FROM idem_horizon WHERE consumer = ?");
  for (auto rows = horizon.rows(consumer_); rows.next();) horizon_.emplace(rows.text(0), rows.integer(1));

  Statement generations(connection_,
                        "SELECT number, start, newest FROM idem_generation WHERE consumer = ? ORDER BY number");
  for (auto rows = generations.rows(consumer_); rows.next();)
    generations_.push_back({rows.integer(0), maybe_integer(rows, 1), maybe_integer(rows, 2), {}});

  Statement topics(connection_, "SELECT topic FROM idem_generation_topic WHERE generation = ?");
  for (Generation& g : generations_) {
    for (auto rows = topics.rows(g.number); rows.next();) g.topics.emplace(rows.text(0));
    ids_.created(g.number);
    results_.created(g.number);
  }
}

void Retention::advance(Timestamp time) noexcept {
  const Milliseconds to = milliseconds(time);
  Milliseconds known = stream_time_.load(std::memory_order_relaxed);
  while (known < to && !stream_time_.compare_exchange_weak(known, to, std::memory_order_relaxed)) {
  }
}

bool Retention::undecidable(std::string_view topic, Timestamp time) const {
  if (horizon_.empty()) return false;
  const auto bound = horizon_.find(topic);
  return bound != horizon_.end() && milliseconds(time) <= bound->second;
}

void Retention::note(std::string_view topic, Timestamp time) {
  Generation& g = generations_.back();
  if (!noted_) newest_before_ = g.newest;
  noted_ = true;
  g.newest = std::max(g.newest.value_or(milliseconds(time)), milliseconds(time));
  if (g.topics.find(topic) != g.topics.end()) return;
  g.topics.emplace(topic);
  topics_added_.emplace_back(topic);
}

// --- Begin and drop -------------------------------------------------------------------------------------------

bool Retention::newest_is_over() const {
  if (generations_.empty()) return true;  // a new consumer
  const Generation& g = generations_.back();
  // One without ids has nothing that could be forgotten: it goes on.
  return g.newest && stream_time_.load() - g.start.value_or(*g.newest) >= span_;
}

std::vector<const Retention::Generation*> Retention::expired() const {
  std::vector<const Generation*> expired;
  if (generations_.empty()) return expired;
  const std::size_t ended = generations_.size() - (newest_is_over() ? 0 : 1);
  for (std::size_t i = 0; i < ended; ++i)
    if (stream_time_.load() - generations_[i].newest.value_or(0) >= retention_) expired.push_back(&generations_[i]);
  return expired;
}

bool Retention::due() const { return newest_is_over() || !expired().empty(); }

void Retention::turn_over() {
  begun_.reset();
  dropped_.clear();
  const auto over = expired();
  if (newest_is_over()) begin_generation();
  for (const Generation* g : over) drop(*g);
  write_stream_time_.run(consumer_, stream_time_.load());
}

void Retention::begin_generation() {
  Statement next(connection_, "SELECT coalesce(max(number), 0) + 1 FROM idem_generation");
  std::int64_t number = 0;
  for (auto rows = next.rows(); rows.next();) number = rows.integer(0);
  const Milliseconds now = stream_time_.load();
  begun_ = Generation{number, now > 0 ? std::optional(now) : std::nullopt, {}, {}};
  Statement insert(connection_, "INSERT INTO idem_generation VALUES (?, ?, ?, NULL)");
  insert.run(number, consumer_, begun_->start);
  ids_.create_table(number);
  Results::create_table(connection_, number);
  (void)IDEM_FAILPOINT("store.rotate");
}

void Retention::drop(const Generation& generation) {
  for (const std::string& topic : generation.topics) raise_horizon_.run(consumer_, topic, generation.newest);
  Statement topics(connection_, "DELETE FROM idem_generation_topic WHERE generation = ?");
  topics.run(generation.number);
  Statement row(connection_, "DELETE FROM idem_generation WHERE number = ?");
  row.run(generation.number);
  ids_.drop_table(generation.number);
  Results::drop_table(connection_, generation.number);
  dropped_.push_back(generation.number);
  (void)IDEM_FAILPOINT("store.drop");
}

void Retention::applied() {
  for (const std::int64_t number : dropped_) {
    auto g = std::find_if(generations_.begin(), generations_.end(), [&](const auto& x) { return x.number == number; });
    for (const std::string& topic : g->topics) {
      Milliseconds& bound = horizon_.try_emplace(topic, *g->newest).first->second;
      bound = std::max(bound, *g->newest);
    }
    generations_.erase(g);
    ids_.dropped(number);
    results_.dropped(number);
  }
  if (!begun_) return;
  ids_.created(begun_->number);
  results_.created(begun_->number);
  generations_.push_back(std::move(*begun_));
}

// --- With the group -------------------------------------------------------------------------------------------

void Retention::write() {
  const Milliseconds now = stream_time_.load();
  if (now != saved_stream_time_) write_stream_time_.run(consumer_, now);
  written_stream_time_ = now;
  Generation& g = generations_.back();
  if (!noted_ && (g.start || now == 0)) return;
  if (!g.start && now > 0) g.start = now;
  write_times(g);
  for (const std::string& topic : topics_added_) write_topic_.run(g.number, topic);
}

void Retention::write_times(const Generation& generation) {
  write_generation_.run(generation.number, generation.start, generation.newest);
}

void Retention::committed() noexcept {
  saved_stream_time_ = written_stream_time_;
  noted_ = false;
  topics_added_.clear();
}

void Retention::lost() noexcept {
  if (noted_) {
    Generation& g = generations_.back();
    g.newest = newest_before_;
    for (const std::string& topic : topics_added_) g.topics.erase(topic);
  }
  noted_ = false;
  topics_added_.clear();
}

}  // namespace idem::sqlite
