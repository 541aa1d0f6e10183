// What tests of a running runtime look at it with: its log, its source, a clock that is theirs.
#pragma once

#include <spdlog/sinks/ringbuffer_sink.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "runtime/clock.h"
#include "runtime/log.h"
#include "tests/runtime/fixture.h"

namespace idem::test {

/// The log, from construction to destruction.
class LogLines {
 public:
  LogLines() { runtime::log().sinks().push_back(lines_); }
  ~LogLines() { runtime::log().sinks().pop_back(); }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  /// How many lines so far say this.
  std::size_t said(const std::string& what) const {
    const auto all = lines_->last_formatted();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const auto& line) { return line.find(what) != line.npos; }));
  }

 private:
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> lines_ = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(1000);
};

/// run() on a thread of its own.
class Running {
 public:
  explicit Running(Runtime& runtime) : runtime_(runtime), thread_([this] { exit_ = runtime_.run(); }) {}
  ~Running() {
    if (thread_.joinable()) (void)stop();
  }
  Exit stop() {
    runtime_.stop();
    thread_.join();
    return exit_;
  }

 private:
  Runtime& runtime_;
  Exit exit_;
  std::thread thread_;
};

/// A MemorySource with somebody beside it who sees every poll.
class SpiedSource final : public Source {
 public:
  SpiedSource(MemoryLog& log, std::function<void(std::chrono::milliseconds)> on_poll)
      : source_(log), on_poll_(std::move(on_poll)) {}
  SourceTraits traits() const override { return source_.traits(); }
  void start(SourceEvents& events, const SourceContext& context) override { source_.start(events, context); }
  void poll(std::chrono::milliseconds wait, std::size_t limit) override {
    on_poll_(wait);
    source_.poll(wait, limit);
  }
  void wake() override { source_.wake(); }
  void set_paused(PartitionHandle partition, bool paused) override { source_.set_paused(partition, paused); }
  void seek(PartitionHandle before, const StartAt& start) override { source_.seek(before, start); }
  void commit(std::span<const Commit> commits, bool wait) override { source_.commit(commits, wait); }
  std::optional<std::int64_t> lag(PartitionHandle p, std::int64_t next) const override { return source_.lag(p, next); }
  void stop() override { source_.stop(); }

 private:
  MemorySource source_;
  std::function<void(std::chrono::milliseconds)> on_poll_;
};

/// Moves on whenever it is read, up to a point where it stands still.
class ShortClock final : public runtime::Clock {
 public:
  core::Ticks now() override {
    now_ = std::min(now_ + step_, end_);
    return now_;
  }
  Timestamp wall() override { return Timestamp(std::chrono::hours(24 * 365 * 50)); }
  void run(std::chrono::milliseconds step, std::chrono::milliseconds at_most) {
    step_ = step;
    end_ = now_ + at_most;
  }

 private:
  core::Ticks now_{std::chrono::hours(1)};
  core::Ticks end_ = now_;
  std::chrono::milliseconds step_{0};
};

}  // namespace idem::test
