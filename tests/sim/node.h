// One consumer process of a history: the real pipeline between simulated parts. Destroyed without a word when
// it crashes.
#pragma once

#include <memory>
#include <optional>

#include "runtime/pipeline.h"
#include "sim/broker.h"
#include "sim/executor.h"
#include "sim/history.h"
#include "sim/ledger.h"
#include "sim/outside.h"
#include "sim/reader.h"
#include "sim/store.h"

namespace idem::sim {

/// Writes one row per call and now and then ends otherwise.
class SimHandler final : public Handler {
 public:
  SimHandler(History& history, const SimReader& source) : history_(history), source_(source) {}
  Outcome handle(const Message& message, Transaction& tx) override;

 private:
  History& history_;
  const SimReader& source_;
};

class Node final : Blocked {
 public:
  Node(History& history, Broker& broker, SimStore& store, Outside& outside, const RuntimeOptions& options,
       StoreTraits traits, int number);

  bool up() const { return parts_.has_value(); }
  void start();
  void turn();
  /// A clean leave.
  void leave();
  void crash();

  bool paused = false;      ///< its I/O thread stands still
  bool all_paused = false;  ///< … and its workers too

  SimReader& source() { return *parts_->source; }
  SimLedger& ledger() { return parts_->ledger; }
  SimExecutor& executor() { return parts_->executor; }
  runtime::Pipeline& pipeline() { return parts_->pipeline; }

 private:
  struct Parts {
    explicit Parts(Node& node);
    std::unique_ptr<SimReader> source;
    SimLedger ledger;
    SimHandler handler;
    SimExternalHandler external;
    SimExecutor executor;
    runtime::Pipeline pipeline;
  };

  SimExecutor::MakeRun make_run(Parts& parts) const;
  void wait(std::chrono::milliseconds longest) override;
  void check_books();
  void note_breaker(const Counters& counters);
  void note_crash();
  void give_up();
  void destroy();

  History& history_;
  Broker& broker_;
  SimStore& store_;
  Outside& outside_;
  const RuntimeOptions& options_;
  const StoreTraits traits_;
  const runtime::WorkerPolicy policy_;
  const int number_;
  std::uint64_t stale_seen_ = 0;
  Counters seen_;  ///< with the last turn
  std::optional<Parts> parts_;
};

}  // namespace idem::sim
