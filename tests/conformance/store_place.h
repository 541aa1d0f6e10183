// What a store brings to its conformance suite, and the one store, ledger and session that each rule works with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include <idem/store.h>

#include "store_items.h"

namespace idem::conformance {

/// One store in a place of its own, for one test.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual TransactionalStore& store() = 0;
  /// Closes the store and opens it again, as a restart of the process would. No ledger or session is held.
  /// A store that forgets on exit (traits().durable is false) keeps the same object.
  virtual void reopen() = 0;
  /// Adds one effect through the transaction. The same name may be added many times: repeats must show.
  virtual void write_effect(Transaction& tx, const std::string& name) = 0;
  /// All durable effects, sorted.
  virtual std::vector<std::string> effects() = 0;
  /// The next commit does not take place. False: this store cannot fail, and rules about failure are skipped.
  virtual bool fail_next_commit() { return false; }
};

struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<StorePlace>()> make;
};

inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }
inline std::string factory_name(const testing::TestParamInfo<StoreFactory>& info) { return info.param.name; }

class StoreSuite : public testing::TestWithParam<StoreFactory> {
 protected:
  static constexpr std::chrono::hours retention{8};

  void SetUp() override {
    place_ = GetParam().make();
    open();
  }

  void open() {
    ledger_ = place_->store().ledger({.consumer = "consumer", .retention = retention});
    slot_ = ledger_->open({"topic", 0}).slot;
    session_ = ledger_->session(settled_);
  }

  void close() {
    session_.reset();
    ledger_.reset();
  }

  void reopen() {
    close();
    place_->reopen();
    open();
  }

  /// A record of partition 0 of "topic"; `id` empty: it has none.
  Item& item(std::int64_t offset, const std::string& id) {
    Item& made = items_.emplace_back("topic", offset, id);
    made.record.partition = slot_;
    return made;
  }
  /// One of a source without positions.
  Item& unplaced(const std::string& id, const std::string& topic = "queue") {
    return items_.emplace_back(topic, 0, id);
  }

  Seen look_up(const Item& i) { return look_up(*session_, i); }
  static Seen look_up(Session& session, const Item& i) {
    const Record* record = &i.record;
    Seen seen = Seen::fresh;
    session.look_up({&record, 1}, {&seen, 1});
    return seen;
  }

  /// begin, write one effect named after the id, finish. The caller has looked it up.
  Joined run(const Item& i) { return run(*session_, i); }
  Joined run(Session& session, const Item& i) {
    place_->write_effect(session.begin(i.record), i.id);
    return session.finish(i.record, {});
  }

  /// The same with a result.
  Joined run(const Item& i, std::string_view result) {
    place_->write_effect(session_->begin(i.record), i.id);
    return session_->finish(i.record, with(result));
  }

  static Conclusion with(std::string_view result) {
    Conclusion conclusion;
    conclusion.result = result;
    return conclusion;
  }
  static Conclusion skipped() { return {.kind = Conclusion::Kind::skipped}; }
  static Conclusion parked(ParkReason reason) {
    return {.kind = Conclusion::Kind::parked, .reason = reason, .why = "because", .attempts = 3};
  }

  /// Looks it up, runs it, and waits until it is durable.
  void process(const Item& i) {
    ASSERT_EQ(look_up(i), Seen::fresh);
    ASSERT_EQ(run(i), Joined::joined);
    session_->yield();
    ASSERT_TRUE(settled_as(i.record.token, true));
  }

  /// Looks it up, claims it, and waits until that is durable.
  void claim(const Item& i) {
    ASSERT_EQ(look_up(i), Seen::fresh);
    ASSERT_EQ(session_->claim(i.record), Joined::joined);
    session_->yield();
    ASSERT_TRUE(settled_as(i.record.token, true));
  }

  // Of messages that come back (store_delay_rules.h).
  static Timestamp at(int minute) { return Timestamp(std::chrono::minutes(minute)); }
  static Conclusion until(int minute) {
    Conclusion conclusion;
    conclusion.kind = Conclusion::Kind::delayed;
    conclusion.why = "not yet";
    conclusion.attempts = 2;
    conclusion.due = at(minute);
    return conclusion;
  }
  void finish(const Item& i, const Conclusion& conclusion) {
    ASSERT_EQ(session_->finish(i.record, conclusion), Joined::joined);
    session_->yield();
    ASSERT_TRUE(settled_as(i.record.token, true));
  }
  void delay(const Item& i, int minute) {
    ASSERT_EQ(look_up(i), Seen::fresh);
    finish(i, until(minute));
  }
  static bool nobody(std::int64_t) { return false; }
  Ledger::Returning all_due_at(int minute, std::size_t limit = 100) {
    return ledger_->returning({"topic", 0}, at(minute), limit, nobody);
  }
  std::vector<ReturningMessage> due_at(int minute) { return all_due_at(minute).messages; }
  /// What the runtime makes of a message that has come back.
  Item& returned(const ReturningMessage& m) {
    Item& made = items_.emplace_back(m.partition.topic, m.offset, m.id);
    made.record.returning = m.number;
    return made;
  }
  Item& returned_at(int minute) { return returned(due_at(minute).at(0)); }
  bool keeps_results() { return place_->store().traits().results; }
  Ledger::Ending ending(const std::string& id) { return ledger_->ending(*unplaced(id).record.id); }

  bool settled_as(std::uint64_t token, bool durable) { return settled_as(settled_, token, durable); }
  static bool settled_as(Settled& settled, std::uint64_t token, bool durable) {
    for (std::size_t n = 0;;) {
      const auto all = settled.wait_for(n + 1);
      for (const Settlement& s : all)
        if (s.token == token) return s.durable == durable;
      if (all.size() == n) return false;
      n = all.size();
    }
  }

  std::vector<std::string> effects() { return place_->effects(); }
  using Names = std::vector<std::string>;

  std::unique_ptr<StorePlace> place_;
  std::deque<Item> items_;  // longer than a session, which may still be at one
  Settled settled_;
  std::shared_ptr<Ledger> ledger_;
  std::unique_ptr<Session> session_;
  std::uint32_t slot_ = 0;
};

}  // namespace idem::conformance
