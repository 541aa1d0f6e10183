// A SqliteStore in a scratch directory, a table of effects, and one session to work with.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <idem/sqlite_store.h>

#include "conformance/store_items.h"
#include "fault_vfs.h"
#include "runtime/failpoint.h"
#include "support/scratch.h"

namespace idem::test {

using conformance::Item;
using conformance::Settled;
using Names = std::vector<std::string>;

class SqliteTest : public testing::Test {
 protected:
  ~SqliteTest() override {
    fault_vfs::disarm();
#ifdef IDEM_FAILPOINTS
    failpoint::arm("");
#endif
  }

  void SetUp() override { open(); }

  void open() {
    store_ = std::make_unique<SqliteStore>(options_);
    store_->transact([](Transaction& tx) { tx.exec("CREATE TABLE IF NOT EXISTS effects (name ANY)"); });
    ledger_ = store_->ledger({.consumer = "consumer", .retention = retention_});
    slot_ = ledger_->open({"topic", 0}).slot;
    session_ = ledger_->session(settled_);
  }

  void close() {
    session_.reset();
    ledger_.reset();
    store_.reset();
  }

  void reopen() {
    close();
    open();
  }

  std::string path() const { return options_.path; }

  Item& item(const std::string& id) { return items_.emplace_back("queue", 0, id); }
  Item& item_at(std::int64_t offset, const std::string& id = "") {
    Item& made = items_.emplace_back("topic", offset, id);
    made.record.partition = slot_;
    return made;
  }

  Seen look_up(const Item& i) { return look_up(*session_, i); }
  static Seen look_up(Session& session, const Item& i) {
    const Record* record = &i.record;
    Seen seen = Seen::fresh;
    session.look_up({&record, 1}, {&seen, 1});
    return seen;
  }

  static void effect(Transaction& tx, const std::string& name) { tx.exec("INSERT INTO effects VALUES ($1)", name); }

  /// Looks it up, writes one effect named after the id, finishes it as done.
  Joined run(const Item& i) { return run(*session_, i); }
  static Joined run(Session& session, const Item& i) {
    EXPECT_EQ(look_up(session, i), Seen::fresh);
    effect(session.begin(i.record), i.id);
    return session.finish(i.record, {});
  }

  Names effects() {
    Names names;
    store_->transact([&](Transaction& tx) {
      for (auto& [name] : tx.query<std::string>("SELECT name FROM effects ORDER BY name")) names.push_back(name);
    });
    return names;
  }

  /// Whether the record settled, and how; waits for it.
  bool durable(const Item& i) { return outcome(i) == 1; }
  bool lost(const Item& i) { return outcome(i) == 0; }

  static Conclusion skipped() { return {.kind = Conclusion::Kind::skipped}; }
  static Conclusion parked(ParkReason reason = ParkReason::dead_letter) {
    return {.kind = Conclusion::Kind::parked, .reason = reason, .why = "because", .attempts = 3};
  }

  Scratch scratch_{"sqlite"};
  SqliteOptions options_{.path = scratch_ / "store.db", .vfs = fault_vfs::install()};
  std::chrono::milliseconds retention_ = std::chrono::hours(8);
  std::deque<Item> items_;  // longer than a session, which may still be at one
  std::unique_ptr<SqliteStore> store_;
  Settled settled_;
  std::shared_ptr<Ledger> ledger_;
  std::unique_ptr<Session> session_;
  std::uint32_t slot_ = 0;

 private:
  int outcome(const Item& i) {
    for (std::size_t n = 0;;) {
      const auto all = settled_.wait_for(n + 1);
      for (const Settlement& s : all)
        if (s.token == i.record.token) return s.durable ? 1 : 0;
      if (all.size() == n) return -1;
      n = all.size();
    }
  }
};

}  // namespace idem::test
