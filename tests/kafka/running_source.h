// A KafkaSource that runs on the test's own thread and writes down what it says.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <idem/kafka.h>

#include "conformance/source_recorder.h"

namespace idem::test {

using namespace std::chrono_literals;
using conformance::Recorder;

struct RunningSource {
  explicit RunningSource(KafkaOptions options) : source(std::move(options)) { recorder.source = &source; }
  ~RunningSource() { stop(); }

  void start() {
    source.start(recorder, {"test", 10'000, 64 << 20, 5s});
    running = true;
  }
  void stop() {
    if (std::exchange(running, false)) source.stop();
  }
  /// Polls until it is so; false when it is not so in time.
  bool until(const std::function<bool()>& so, std::chrono::seconds time = 30s) {
    auto deadline = std::chrono::steady_clock::now() + time;
    while (!so()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      source.poll(20ms, 100);
    }
    return true;
  }
  void linger(std::chrono::milliseconds time) {
    auto deadline = std::chrono::steady_clock::now() + time;
    until([&] { return std::chrono::steady_clock::now() > deadline; });
  }
  std::size_t held() const {
    return static_cast<std::size_t>(std::count_if(recorder.partitions.begin(), recorder.partitions.end(),
                                                  [](const auto& one) { return one.second.held; }));
  }
  CommitResult commit(std::int32_t partition, std::int64_t next,
                      const std::string& metadata = "by the test") {
    const auto& mine = recorder.partitions.at(partition);
    Commit commit{mine.handle, mine.assigned.partition, next, metadata};
    std::size_t before = recorder.results.size();
    source.commit({&commit, 1}, /*wait=*/true);
    EXPECT_EQ(recorder.results.size(), before + 1);
    return recorder.results.back();
  }
  bool said_fatal(std::string_view words) const { return said(recorder.fatals, words); }
  bool warned(std::string_view words) const { return said(recorder.warnings, words); }

  KafkaSource source;
  Recorder recorder;
  bool running = false;

 private:
  static bool said(const std::vector<std::string>& texts, std::string_view words) {
    return std::any_of(texts.begin(), texts.end(),
                       [&](const std::string& text) { return text.find(words) != std::string::npos; });
  }
};

inline KafkaOptions options_for(const std::string& bootstrap, const std::string& topic,
                                const std::string& group, KafkaOptions::Mode mode = KafkaOptions::Mode::fixed,
                                const std::map<std::string, std::string>& more = {}) {
  KafkaOptions options;
  options.topics = {topic};
  options.properties = {{"bootstrap.servers", bootstrap},
                        {"group.id", group},
                        {"fetch.wait.max.ms", "10"},
                        {"heartbeat.interval.ms", "300"},
                        {"reconnect.backoff.max.ms", "300"}};
  for (const auto& [name, value] : more) options.properties[name] = value;
  options.mode = mode;
  options.watch_interval = 200ms;
  return options;
}

}  // namespace idem::test
