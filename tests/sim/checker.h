// What must hold, checked against the log, the store's tables and the broker's committed offsets, never
// against the consumer's own word. Names as in the README's table of promises: I1 no loss, I2 one effect, and
// so on.
#pragma once

#include "sim/broker.h"
#include "sim/history.h"
#include "sim/outside.h"
#include "sim/store.h"

namespace idem::sim {

class Checker final : public Observer {
 public:
  Checker(History& history) : history_(history) {}
  void watch(Broker& broker, SimStore& store, const Outside& outside) {
    broker_ = &broker;
    store_ = &store;
    outside_ = &outside;
  }

  /// I4, I11: at every commit, nothing below it may be without a durable end.
  void on_acknowledged(const Sent& sent) override;
  void on_offset_commit(int partition, std::int64_t next) override;
  void on_parked(int partition, std::int64_t offset, ParkReason reason) override;
  void on_progress(int partition) override;
  bool ended(const Sent& sent) const override { return end_of(sent) != End::none; }

  /// I2, I3, I5, I6: of what the store holds at any moment.
  void check_store();
  /// I1, I7: when everything is healed and drained.
  void check_end();

 private:
  enum class End { none, effect, parked, returning, duplicate };
  End end_of(const Sent& sent) const;
  bool has_effect(const Sent& sent) const;
  bool is_parked(const Sent& sent) const;
  bool is_returning(const Sent& sent) const;
  const Sent& sent_of(const Effect& effect) const;
  /// Another message was sent under its id with other content.
  bool has_rival(const Sent& sent) const;
  bool found_by_nothing(const Durable::Parked& parked) const;
  bool same_lane(const Sent& a, const Sent& b) const;
  void check_records_of_calls() const;

  History& history_;
  Broker* broker_ = nullptr;
  SimStore* store_ = nullptr;
  const Outside* outside_ = nullptr;
};

}  // namespace idem::sim
