// Many threads on one store: sessions that write, fail and end transactions, the application's own writers, readers
// of the parking lot, partitions that open, and generations that turn over. Worth running under ThreadSanitizer.
#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include <spdlog/sinks/ostream_sink.h>

#include "runtime/log.h"
#include "sqlite_fixture.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

class SqliteThreads : public SqliteTest {};

/// Does with one message what a worker does, as often as it takes. Counts its effects in the table.
class Worker {
 public:
  Worker(Ledger& ledger, unsigned seed) : session_(ledger.session(settled_)), random_(seed) {}

  void process(Item& i) {
    for (;;) {
      Seen seen = Seen::fresh;
      const Record* record = &i.record;
      try {
        session_->look_up({&record, 1}, {&seen, 1});
        const Joined joined = seen == Seen::fresh ? attempt(i) : session_->finish(i.record, skip());
        if (joined == Joined::duplicate || joined == Joined::interrupted) continue;
        if (random_() % 4 == 0) session_->yield();
        ++joined_;
        return;
      } catch (const StoreError& e) {
        if (!e.transient()) throw;
      }
    }
  }

  /// Everything that joined has settled; the tokens of what was lost.
  std::vector<std::uint64_t> wait() {
    session_->yield();
    std::vector<std::uint64_t> lost;
    for (const Settlement& s : settled_.wait_for(joined_))
      if (!s.durable) lost.push_back(s.token);
    return lost;
  }

 private:
  static Conclusion skip() { return {.kind = Conclusion::Kind::skipped}; }

  Joined attempt(const Item& i) {
    Transaction& tx = session_->begin(i.record);
    try {
      tx.exec("INSERT INTO effects VALUES ($1)", i.id);
      const auto fate = random_() % 100;
      if (fate < 3) tx.exec("INSERT OR ROLLBACK INTO forbidden VALUES (1)");
      if (fate < 10) throw TransactionError("changed its mind");
      return session_->finish(i.record, {});
    } catch (const TransactionError&) {
      (void)session_->roll_back();
      return Joined::interrupted;  // looked up again either way
    }
  }

  Settled settled_;
  std::unique_ptr<Session> session_;
  std::mt19937 random_;
  std::size_t joined_ = 0;
};

TEST_F(SqliteThreads, nothing_is_lost_and_nothing_is_doubled_whatever_else_happens) {
  constexpr int workers = 4, messages = 300;
  store_->transact([](Transaction& tx) {
    tx.exec("CREATE TABLE forbidden (x CHECK (x IS NULL))");
    tx.exec("CREATE TABLE application (x)");
  });
  session_.reset();
  std::atomic<bool> stop{false};
  std::atomic<int> written{0};
  std::vector<std::thread> others;
  others.emplace_back([&] {
    while (!stop) {
      store_->transact([](Transaction& tx) { tx.exec("INSERT INTO application VALUES (1)"); });
      ++written;
      std::this_thread::sleep_for(1ms);
    }
  });
  others.emplace_back([&] {
    for (int n = 0; !stop; ++n) {
      ledger_->advance(Timestamp(std::chrono::hours(24 * 365 * 50 + n)));
      ledger_->open({"other", n % 50});
      ledger_->parked();
      std::this_thread::sleep_for(1ms);
    }
  });

  // Every id is given to every worker: they meet all the time.
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < workers; ++t)
    threads.emplace_back([&, t] {
      Worker worker(*ledger_, t);
      std::deque<Item> own;
      std::map<std::uint64_t, Item*> by_token;
      for (int n = 0; n < messages; ++n) {
        Item& i = own.emplace_back("queue", 0, "id" + std::to_string(n));
        i.record.time = Timestamp(std::chrono::hours(24 * 365 * 60));
        by_token[i.record.token] = &i;
        worker.process(i);
      }
      for (auto lost = worker.wait(); !lost.empty();) {
        for (const std::uint64_t token : lost) {
          Item& again = *by_token[token];
          by_token.erase(token);
          again.record.token = Item::next_token++;
          by_token[again.record.token] = &again;
          worker.process(again);
        }
        const auto all = worker.wait();
        std::vector<std::uint64_t> still;
        for (const std::uint64_t token : all)
          if (by_token.contains(token)) still.push_back(token);
        lost = still;
      }
    });
  for (auto& thread : threads) thread.join();
  stop = true;
  for (auto& thread : others) thread.join();

  const Names all = effects();
  EXPECT_EQ(all.size(), static_cast<std::size_t>(messages));
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), static_cast<std::size_t>(messages));
  std::int64_t rows = 0;
  store_->transact([&](Transaction& tx) { rows = *tx.query_value<std::int64_t>("SELECT count(*) FROM application"); });
  EXPECT_EQ(rows, written);
}

TEST_F(SqliteThreads, settlements_come_in_the_order_of_the_commits) {
  options_.group_messages = 3;
  reopen();
  Settled settled;
  std::vector<std::thread> threads;
  std::mutex order;  // the order in which records join
  std::uint64_t next = 1'000'000;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      auto session = ledger_->session(settled);
      std::deque<Item> own;
      for (int n = 0; n < 200; ++n) {
        Item& i = own.emplace_back("queue", 0, std::to_string(t) + "/" + std::to_string(n));
        look_up(*session, i);
        std::lock_guard lock(order);
        i.record.token = next++;
        session->finish(i.record, {});
      }
      session->yield();
    });
  for (auto& thread : threads) thread.join();
  const auto all = settled.wait_for(600);
  ASSERT_EQ(all.size(), 600u);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(), [](auto& a, auto& b) { return a.token < b.token; }));
}

TEST_F(SqliteThreads, two_busy_workers_share_their_groups) {
  options_.group_age = 1h;
  reopen();
  std::atomic<std::size_t> settlements{0}, groups{0};
  struct Counting final : SettleListener {
    std::atomic<std::size_t>&n, &calls;
    Counting(std::atomic<std::size_t>& a, std::atomic<std::size_t>& b) : n(a), calls(b) {}
    void on_settled(std::span<const Settlement> s) noexcept override { n += s.size(), ++calls; }
  } listener(settlements, groups);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      auto session = ledger_->session(listener);
      std::deque<Item> own;
      for (int n = 0; n < 4'000; ++n)
        ASSERT_EQ(run(*session, own.emplace_back("queue", t, std::to_string(t) + "/" + std::to_string(n))),
                  Joined::joined);
      session->yield();
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(settlements, 8'000u);
  EXPECT_LE(groups, 10u);
}

TEST_F(SqliteThreads, a_listener_may_go_as_soon_as_its_session_has) {
  for (int n = 0; n < 200; ++n) {
    auto settled = std::make_unique<Settled>();
    auto busy = ledger_->session(settled_);
    look_up(*busy, item("busy" + std::to_string(n)));
    {
      auto session = ledger_->session(*settled);
      ASSERT_EQ(run(*session, item("id" + std::to_string(n))), Joined::joined);
      session->yield();
    }
    settled.reset();
  }
}

TEST_F(SqliteThreads, a_session_waits_for_what_is_being_told_to_its_listener) {
  struct Slow final : SettleListener {
    std::atomic<bool> told{false};
    std::promise<void> telling;
    void on_settled(std::span<const Settlement>) noexcept override {
      telling.set_value();
      std::this_thread::sleep_for(100ms);
      told = true;
    }
  } slow;
  auto busy = ledger_->session(settled_);
  look_up(*busy, item("busy"));  // so that it is the store's own thread that commits and tells
  auto session = ledger_->session(slow);
  ASSERT_EQ(run(*session, item("id")), Joined::joined);
  slow.telling.get_future().wait();
  session.reset();
  EXPECT_TRUE(slow.told);
}

// --- transact -------------------------------------------------------------------------------------------------

TEST_F(SqliteThreads, transact_from_two_threads) {
  store_->transact([](Transaction& tx) { tx.exec("CREATE TABLE n (x)"), tx.exec("INSERT INTO n VALUES (0)"); });
  const auto add = [&] {
    for (int i = 0; i < 100; ++i)
      store_->transact([](Transaction& tx) {
        const auto n = *tx.query_value<std::int64_t>("SELECT x FROM n");
        tx.exec("UPDATE n SET x = $1", n + 1);
      });
  };
  std::thread other(add);
  add();
  other.join();
  std::int64_t n = 0;
  store_->transact([&](Transaction& tx) { n = *tx.query_value<std::int64_t>("SELECT x FROM n"); });
  EXPECT_EQ(n, 200);
}

TEST_F(SqliteThreads, transact_leaves_nothing_when_it_throws) {
  EXPECT_THROW(store_->transact([](Transaction& tx) {
    effect(tx, "half");
    throw std::runtime_error("changed my mind");
  }),
               std::runtime_error);
  EXPECT_THROW(store_->transact([](Transaction& tx) {
    effect(tx, "half");
    try {
      tx.exec("INSERT OR ROLLBACK INTO effects SELECT raise_nothing()");
    } catch (const TransactionError&) {
    }
    tx.exec("CREATE TABLE u (x UNIQUE)");
    try {
      tx.exec("INSERT OR ROLLBACK INTO u VALUES (1), (1)");
    } catch (const TransactionError&) {
    }
  }),
               TransactionError);
  EXPECT_TRUE(effects().empty());
}

TEST_F(SqliteThreads, transact_costs_the_open_group_nothing) {
  Item& i = item("id");
  ASSERT_EQ(run(i), Joined::joined);
  EXPECT_THROW(store_->transact([](Transaction&) { throw 1; }), int);
  EXPECT_TRUE(durable(i));
  EXPECT_EQ(effects(), Names{"id"});
}

TEST_F(SqliteThreads, transact_from_a_handler_is_refused_and_not_a_deadlock) {
  Item& i = item("id");
  look_up(i);
  Transaction& tx = session_->begin(i.record);
  EXPECT_THROW(store_->transact([](Transaction&) {}), TransactionError) << "not even before the first touch";
  effect(tx, "id");
  EXPECT_THROW(store_->transact([](Transaction&) {}), TransactionError);
  EXPECT_EQ(session_->finish(i.record, {}), Joined::joined);
  store_->transact([&](Transaction&) {
    EXPECT_THROW(store_->transact([](Transaction&) {}), TransactionError) << "nor inside itself";
  });
}

TEST_F(SqliteThreads, handlers_run_in_parallel_until_they_touch_the_transaction) {
  std::promise<void> first_inside, second_inside;
  const auto handler = [&](std::promise<void>& mine, std::promise<void>& other, const std::string& id) {
    Settled settled;
    auto session = ledger_->session(settled);
    Item i("queue", 0, id);
    look_up(*session, i);
    Transaction& tx = session->begin(i.record);
    mine.set_value();
    EXPECT_EQ(other.get_future().wait_for(10s), std::future_status::ready);
    effect(tx, id);
    EXPECT_EQ(session->finish(i.record, {}), Joined::joined);
  };
  std::thread first([&] { handler(first_inside, second_inside, "a"); });
  handler(second_inside, first_inside, "b");
  first.join();
  EXPECT_EQ(effects(), (Names{"a", "b"}));
}

TEST_F(SqliteThreads, a_handler_that_keeps_everybody_waiting_is_named_once_a_minute) {
  std::ostringstream log;
  auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
  runtime::log().sinks().push_back(sink);
  for (int n = 0; n < 2; ++n) {
    Item& i = item_at(n, "slow" + std::to_string(n));
    look_up(i);
    effect(session_->begin(i.record), i.id);
    std::this_thread::sleep_for(300ms);
    EXPECT_EQ(session_->finish(i.record, {}), Joined::joined);
  }
  runtime::log().sinks().pop_back();
  const std::string text = log.str();
  EXPECT_NE(text.find("topic/0 at 0 held the write turn"), std::string::npos) << text;
  EXPECT_EQ(text.find("topic/0 at 1"), std::string::npos) << text;
}

}  // namespace
}  // namespace idem::test
