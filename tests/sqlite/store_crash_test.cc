// The process is killed at every step of the store's path, also inside COMMIT. Then the file is opened again, and what
// is in it must be whole: effects, ids, positions and parked messages agree, and whatever was settled is there.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>

#include "sqlite_fixture.h"

namespace idem::test {
namespace {

constexpr int messages = 40;
constexpr int run_length = 8;
constexpr std::chrono::hours retention{24};
constexpr Timestamp start{std::chrono::hours(24 * 365 * 50)};

/// What the killed process had been told, in memory that outlives it.
struct Told {
  std::atomic<bool> durable[messages];
};

class Telling final : public SettleListener {
 public:
  explicit Telling(Told& told) : told_(told) {}
  void on_settled(std::span<const Settlement> settlements) noexcept override {
    for (const Settlement& s : settlements)
      if (s.durable) told_.durable[s.token] = true;
  }

 private:
  Told& told_;
};

struct Crash {
  std::string name;
  std::function<void()> arm;
};
void PrintTo(const Crash& crash, std::ostream* out) { *out << crash.name; }

class StoreCrash : public testing::TestWithParam<Crash> {
 protected:
  StoreCrash()
      : told_(static_cast<Told*>(
            ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~StoreCrash() override { ::munmap(told_, sizeof(Told)); }

  static bool is_parked(int n) { return n % 7 == 6; }
  static bool fails_first(int n) { return n % 5 == 3; }

  /// Messages 0 … messages-1, an hour apart: generations begin and are dropped on the way.
  void consume() {
    SqliteStore store({.path = path_, .group_messages = 4, .vfs = fault_vfs::install()});
    store.transact([](Transaction& tx) { tx.exec("CREATE TABLE IF NOT EXISTS effects (n)"); });
    auto ledger = store.ledger({.consumer = "consumer", .retention = retention});
    Telling listener(*told_);
    auto session = ledger->session(listener);
    const auto opened = ledger->open({"topic", 0});
    for (int first = 0; first < messages; first += run_length) {
      std::deque<Item> items;
      for (int n = first; n < first + run_length; ++n) {
        Item& i = items.emplace_back("topic", n, "id" + std::to_string(n));
        i.record.token = static_cast<std::uint64_t>(n);
        i.record.partition = opened.slot;
        i.record.time = start + std::chrono::hours(n);
        ledger->advance(i.record.time);
      }
      run(*session, items);
    }
    session->yield();
  }

  void run(Session& session, const std::deque<Item>& items) {
    std::vector<const Record*> records;
    for (const Item& i : items) records.push_back(&i.record);
    std::vector<Seen> seen(records.size());
    session.look_up(records, seen);
    std::vector<std::size_t> joined;
    std::vector<bool> failed(items.size());
    for (std::size_t n = 0; n < items.size();) {
      if (process(session, items[n], seen[n], failed[n]) == Joined::again) {
        n = joined.at(joined.size() - session.taken_back());
        joined.resize(joined.size() - session.taken_back());
      } else {
        joined.push_back(n++);
      }
    }
  }

  Joined process(Session& session, const Item& i, Seen seen, std::vector<bool>::reference failed) {
    const auto n = static_cast<int>(i.record.message->offset);
    if (seen == Seen::duplicate) return session.finish(i.record, {.kind = Conclusion::Kind::skipped});
    if (fails_first(n) && !failed) {
      session.begin(i.record).exec("INSERT INTO effects VALUES ($1)", n);
      failed = true;
      if (const Joined how = session.roll_back(); how == Joined::again) return how;
    }
    if (is_parked(n)) return session.finish(i.record, {.kind = Conclusion::Kind::parked, .why = "because"});
    session.begin(i.record).exec("INSERT INTO effects VALUES ($1)", n);
    return session.finish(i.record, {});
  }

  /// Runs consume() in a process of its own; true if it was killed.
  bool killed(const std::function<void()>& arm) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        arm();
        consume();
      } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        ::_exit(3);
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) << status;
    return WIFSIGNALED(status);
  }

  void check(bool finished) {
    SqliteStore store({.path = path_});
    auto ledger = store.ledger({.consumer = "consumer", .retention = retention});
    const Progress progress = ledger->open({"topic", 0}).progress;
    std::vector<std::int64_t> effects;
    store.transact([&](Transaction& tx) {
      tx.exec("CREATE TABLE IF NOT EXISTS effects (n)");
      for (auto& [n] : tx.query<std::int64_t>("SELECT n FROM effects")) effects.push_back(n);
    });
    const auto lot = ledger->parked();
    for (int n = 0; n < messages; ++n) {
      const auto applied = std::count(effects.begin(), effects.end(), n);
      const auto parked = std::count_if(lot.begin(), lot.end(), [&](const auto& p) { return p.offset == n; });
      const bool done = progress.contains(n);
      EXPECT_EQ(applied, done && !is_parked(n) ? 1 : 0) << n;
      EXPECT_EQ(parked, done && is_parked(n) ? 1 : 0) << n;
      EXPECT_TRUE(done || !told_->durable[n]) << n << " was settled and is lost";
      EXPECT_TRUE(done || !finished) << n;
      if (done) {
        EXPECT_TRUE(is_remembered(*ledger, n)) << n;
      }
    }
  }

  /// By its id alone, as a copy at another position would find it.
  static bool is_remembered(Ledger& ledger, int n) {
    conformance::Settled settled;
    const auto session = ledger.session(settled);
    Item copy("topic", messages + n, "id" + std::to_string(n));
    copy.record.time = start + std::chrono::hours(n);
    const Record* record = &copy.record;
    Seen seen = Seen::fresh;
    session->look_up({&record, 1}, {&seen, 1});
    return seen == Seen::duplicate || seen == Seen::undecidable;
  }

  Scratch scratch_{"crash"};
  std::string path_ = scratch_ / "store.db";
  Told* told_;
};

TEST_P(StoreCrash, leaves_a_file_that_is_whole) {
  ASSERT_TRUE(killed(GetParam().arm)) << "the place was never reached";
  check(false);
  EXPECT_FALSE(killed([] {}));
  check(true);
}

std::vector<Crash> crashes() {
  std::vector<Crash> all;
#ifdef IDEM_FAILPOINTS
  const std::pair<const char*, std::vector<int>> points[] = {
      {"store.migrate", {1}},        {"store.begin", {1, 5}},          {"store.savepoint", {1, 20}},
      {"store.first_write", {1, 9}}, {"store.record", {1, 6}},         {"store.park", {1, 3}},
      {"store.released", {1, 7}},    {"store.before_commit", {1, 12}}, {"store.after_commit", {1, 2, 9}},
      {"store.settled", {1, 8}},     {"store.span_undone", {1, 3}},    {"store.rotate", {1, 4}},
      {"store.drop", {1, 2}},        {"store.tail", {1, 5}},           {"store.seal", {1, 3}},
      {"store.sealed", {1, 3}},      {"store.erase", {1, 4}},
  };
  for (const auto& [point, hits] : points)
    for (const int hit : hits) {
      const std::string plan = std::string(point) + ":kill@" + std::to_string(hit);
      std::string name = std::string(point).substr(6) + "_" + std::to_string(hit);
      all.push_back({name, [plan] { failpoint::arm(plan); }});
    }
#endif
  for (const int n : {1, 20, 60, 200})
    all.push_back({"inside_commit_write_" + std::to_string(n),
                   [n] { fault_vfs::arm(fault_vfs::Step::write, fault_vfs::Fault::kill, n); }});
  for (const int n : {1, 5, 12}) {
    all.push_back({"inside_commit_before_sync_" + std::to_string(n),
                   [n] { fault_vfs::arm(fault_vfs::Step::before_sync, fault_vfs::Fault::kill, n); }});
    all.push_back({"inside_commit_after_sync_" + std::to_string(n),
                   [n] { fault_vfs::arm(fault_vfs::Step::after_sync, fault_vfs::Fault::kill, n); }});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(KilledAt, StoreCrash, testing::ValuesIn(crashes()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace idem::test
