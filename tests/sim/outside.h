// Whoever the ExternalHandlers of a history call: what was asked of it, and what took effect. Outlives all nodes, and
// checks at each call what is promised of calls: X1, a repeated call says so; X2, it has the same key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <idem/external_handler.h>

#include "sim/broker.h"
#include "sim/history.h"
#include "sim/store.h"

namespace idem::sim {

class Outside {
 public:
  Outside(History& history, const Broker& broker, const SimStore& store)
      : history_(history), broker_(broker), store_(store) {}

  void call(const Message& message, const Attempt& attempt);
  /// Of the last call.
  void take_effect();
  /// Somebody was told that no call of this id took effect: the next one need not say that it is a repeated one.
  void excuse(std::string_view id) { excused_.emplace_back(id); }

  bool executed(std::string_view id) const;
  bool has_effect(int partition, std::int64_t offset) const;

 private:
  struct Call {
    std::string id, key;
    Place place;
    bool effect = false;
  };
  void check_order(const Call& call);

  History& history_;
  const Broker& broker_;
  const SimStore& store_;
  std::vector<Call> calls_;
  std::vector<std::string> excused_;
};

/// Calls it, and now and then ends otherwise.
class SimExternalHandler final : public ExternalHandler {
 public:
  SimExternalHandler(History& history, Outside& outside) : history_(history), outside_(outside) {}
  Outcome handle(const Message& message, const Attempt& attempt) override;
  Resolution resolve(const Message& message, const Attempt& attempt) override;

 private:
  History& history_;
  Outside& outside_;
};

}  // namespace idem::sim
