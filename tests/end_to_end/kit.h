// What the end-to-end tests share: a handler whose effects are rows, a look at those rows from outside, and
// the account of what was sent against what came of it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <idem/idem.h>
#include <idem/sqlite_store.h>

namespace idem::test {

using namespace std::chrono_literals;

/// Waits until `holds` does. False when it does not after `patience`, which is long: nothing here measures
/// time.
[[nodiscard]] bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience = 60s);

/// One committed call of a Recorder.
struct Effect {
  std::string id, topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string> key, payload;
};

/// Adds one row per message to the table `effects`, which has no constraint whatever: a second effect shows.
class Recorder : public Handler {
 public:
  /// Called first; an outcome it gives back is the answer, and no row is written.
  using Before = std::function<std::optional<Outcome>(const Message&, Transaction&)>;

  Recorder() = default;
  explicit Recorder(Before before) : before_(std::move(before)) {}

  Outcome handle(const Message& message, Transaction& tx) override;
  int calls() const { return calls_; }

 private:
  Before before_;
  std::atomic<int> calls_{0};
};

/// A store with the table for a Recorder in it.
std::unique_ptr<SqliteStore> open_store(SqliteOptions options);
std::unique_ptr<SqliteStore> open_store(const std::filesystem::path& file);

/// The effects in the order they were committed, read as another process would, whether the file is in use or
/// not. Empty when there is no such table yet.
std::vector<Effect> effects_in(const std::filesystem::path& file);

/// The first column of the first row, as text; for looking at what a handler did beside its effect.
std::string value_in(const std::filesystem::path& file, const std::string& sql);

/// What was sent against what came of it. All empty: every id that was sent had one effect, and nothing else
/// had.
struct Account {
  std::vector<std::string> lost, doubled, never_sent;
  friend bool operator==(const Account&, const Account&) = default;
};
std::ostream& operator<<(std::ostream& out, const Account& account);
Account account(const std::vector<std::string>& sent, const std::vector<Effect>& effects);
inline const Account balanced{};

/// Known by the header "id", impatient in everything that only costs time.
RuntimeOptions quick(const std::string& consumer = "test");

/// What one run of the service came to.
struct Life {
  Exit exit;
  Counters counters;
  int calls = 0;  ///< of the handler
};

/// A run() on a thread of its own, from construction until it ends by itself or is stopped.
class Background {
 public:
  explicit Background(Runtime& runtime)
      : runtime_(runtime), exit_(std::async(std::launch::async, [&runtime] { return runtime.run(); })) {}
  ~Background();

  bool ended() { return exit_.wait_for(0s) == std::future_status::ready; }
  /// Waits for it to end by itself.
  Exit exit();
  Exit stop();

 private:
  Runtime& runtime_;
  std::future<Exit> exit_;
};

/// Opened once by whoever lets the others go on.
class Gate {
 public:
  ~Gate() { open(); }
  void open() {
    open_ = true;
    open_.notify_all();
  }
  void pass() const { open_.wait(false); }
  bool is_open() const { return open_; }

 private:
  std::atomic<bool> open_{false};
};

}  // namespace idem::test
