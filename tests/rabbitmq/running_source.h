// A RabbitSource that runs on the test's own thread and writes down what it says.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <idem/rabbitmq.h>

#include "conformance/source_recorder.h"
#include "support/rabbit_broker.h"
#include "support/rabbit_client.h"
#include "support/require.h"

namespace idem::test {

using namespace std::chrono_literals;
using conformance::Recorder;

struct RunningRabbit {
  explicit RunningRabbit(RabbitOptions options) : source(std::move(options)) {
    recorder.source = &source;
    recorder.expected_partitions = 1;
  }
  ~RunningRabbit() { stop(); }

  void start(std::size_t budget = 10'000, bool shared = false) {
    source.start(recorder, {"test", budget, 64 << 20, 5s, shared});
    running = true;
  }
  void stop() {
    if (std::exchange(running, false)) source.stop();
  }
  /// What start() throws; "" if it does not.
  std::string refusal() {
    try {
      start();
    } catch (const std::exception& e) {
      return e.what();
    }
    return "";
  }
  /// Polls until it is so; false when it is not so in time.
  bool until(const std::function<bool()>& so, std::chrono::seconds time = 60s) {
    auto deadline = std::chrono::steady_clock::now() + time;
    while (!so()) {
      if (std::chrono::steady_clock::now() > deadline) {
        for (const auto& warning : recorder.warnings) ADD_FAILURE() << "in vain; warned: " << warning;
        for (const auto& fatal : recorder.fatals) ADD_FAILURE() << "in vain; fatal: " << fatal;
        return false;
      }
      source.poll(20ms, 100);
    }
    return true;
  }
  void linger(std::chrono::milliseconds time) {
    auto deadline = std::chrono::steady_clock::now() + time;
    until([&] { return std::chrono::steady_clock::now() > deadline; });
  }
  Recorder::Partition& partition() { return recorder.partitions[0]; }
  std::size_t received() { return partition().held ? partition().messages.size() : 0; }
  void acknowledge(std::vector<std::int64_t> offsets) { source.acknowledge(partition().handle, offsets); }
  bool said_fatal(std::string_view words) const { return said(recorder.fatals, words); }
  bool warned(std::string_view words) const { return said(recorder.warnings, words); }

  RabbitSource source;
  Recorder recorder;
  bool running = false;

 private:
  static bool said(const std::vector<std::string>& texts, std::string_view words) {
    return std::any_of(texts.begin(), texts.end(),
                       [&](const std::string& text) { return text.find(words) != std::string::npos; });
  }
};

inline RabbitOptions options_for(const std::string& uri, const std::string& queue) {
  RabbitOptions options;
  options.uri = uri;
  options.queue = queue;
  options.wait_for_queue = 500ms;
  return options;
}

}  // namespace idem::test
