// One topic, one group, one store, and a consumer that is killed over and over while it reads them: the harness's run
// is a row of chapters, so that no partition outgrows the in-process broker and no check becomes slow.
#pragma once

#include <chrono>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>

#include "kills/broker.h"
#include "kills/calls.h"
#include "kills/checker.h"
#include "kills/endings.h"
#include "kills/outlet.h"
#include "kills/stream.h"
#include "kills/witness.h"
#include "support/process.h"
#include "support/scratch.h"

namespace idem::kills {

class CalledService;

struct ChapterOptions {
  std::string topic;     ///< exists, made as `kind`
  std::string consumer;  ///< the program
  bool idem = true;      ///< false: it is the raw loop
  Broker::Kind kind{"by_key", "fixed"};
  Outlet* outlet = nullptr;  ///< where each effect sends a message to; has a place named as the topic
  const CalledService* service = nullptr;  ///< whom its handler calls instead of writing an effect
  bool claims = true;                      ///< before each call, in the store
  std::uint64_t seed = 1;
};

/// Something went wrong that is no verdict on the messages: the consumer ended by itself, the store does not open.
struct ChapterFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Chapter {
 public:
  Chapter(ChapterOptions options, Broker& broker, Endings& endings);

  /// One life of the consumer, from start to kill. Throws ChapterFailed.
  void cycle();
  /// Between two lives.
  Verdict check_after_kill();
  /// Lets the consumer do all that is left, and looks whether it did.
  Verdict finish();

  bool full() const { return stream_.largest_partition() > 4'000'000; }
  std::size_t messages() const { return stream_.sent().size(); }
  std::size_t copies_relayed() const { return copies_relayed_; }
  std::size_t calls() const { return calls_; }
  std::size_t calls_repeated() const { return calls_repeated_; }
  std::size_t calls_unanswered() const { return calls_unanswered_; }
  const std::filesystem::path& directory() const { return scratch_.path(); }

 private:
  test::Process start(const std::string& until, const std::string& failpoints);
  void send(std::size_t count);
  void keep_work_ahead(bool in_time);
  Verdict look(Moment moment);
  void look_at_outlet(Verdict& verdict);
  Verdict look_at_calls(const std::vector<Call>& calls);
  [[noreturn]] void fail(const std::string& what);

  bool group() const { return options_.kind.mode == std::string_view("group"); }

  const ChapterOptions options_;
  Broker& broker_;
  Endings& endings_;
  test::Scratch scratch_{"kill"};
  const std::filesystem::path log_;
  const Place place_;
  Stream stream_;
  std::mt19937_64 random_;
  std::size_t cycles_ = 0;
  std::size_t copies_relayed_ = 0;
  int lives_ = 0;
  std::size_t calls_ = 0, calls_repeated_ = 0, calls_unanswered_ = 0;
  std::size_t per_cycle_ = 300;  ///< messages sent for each life; follows what lives get done
};

}  // namespace idem::kills
