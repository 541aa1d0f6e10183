// The parking lot in people's hands: what a filter lets through, what dropping leaves behind, and that looking at a
// file changes nothing in it.
#include <idem/parking_lot.h>

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "core/siphash.h"
#include "sqlite/parked_choice.h"
#include "sqlite/schema.h"
#include "by_hand.h"
#include "sqlite_fixture.h"

namespace idem::test {
namespace {

using std::chrono::hours;
using State = RememberedId::State;
constexpr Timestamp start{hours(24 * 365 * 50)};
constexpr ByHand by_alice{.who = "alice", .why = "paid by hand"};

std::map<std::string, std::string> files_in(const std::filesystem::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    files[entry.path().filename()] = contents(entry.path());
  return files;
}

struct ParkingLotTest : SqliteTest {
  SqliteParkingLot lot() { return SqliteParkingLot(path()); }

  Item& message(const std::string& topic, const std::string& id, std::uint64_t fingerprint = 1) {
    Item& made = items_.emplace_back(topic, next_offset_++, id);
    if (!id.empty()) made.record.id = core::siphash128(ledger_->hash_key(), id);
    made.record.fingerprint = fingerprint;
    return made;
  }
  Joined park(Session& session, const Item& i, ParkReason reason) {
    look_up(session, i);
    return session.finish(i.record, parked(reason));
  }
  void park(const std::string& id, ParkReason reason = ParkReason::dead_letter, std::uint64_t fingerprint = 1) {
    EXPECT_EQ(park(*session_, message("payments", id, fingerprint), reason), Joined::joined);
  }
  /// Nothing open and no log beside the file.
  void at_rest() {
    session_->yield();
    close();
  }
  /// What schema 6 and later brought, taken away again.
  void make_schema_5() {
    by_hand(path(),
            "DROP TABLE idem_results_1; ALTER TABLE idem_claim DROP COLUMN forgotten; "
            "DROP TABLE idem_returning; DROP TABLE idem_audit; DROP INDEX idem_parked_in_order; DROP INDEX idem_parked_id; "
            "UPDATE idem_store SET schema_version = 5");
  }
  State state(const std::string& id) { return lot().look_up("consumer", id).state; }

  std::int64_t next_offset_ = 0;
};

std::vector<std::int64_t> numbers(const std::vector<Parked>& messages) {
  std::vector<std::int64_t> all;
  for (const Parked& parked : messages) all.push_back(parked.message.number);
  return all;
}

// --- What a filter lets through ---------------------------------------------------------------------------------

/// The model: what was parked, and the filter in five lines of its own.
struct Model {
  struct Entry {
    std::int64_t number;
    std::string consumer, topic, id;
    ParkReason reason;
    Timestamp parked_at;
  };
  std::vector<Entry> entries;

  static bool passes(const Entry& e, const ParkedFilter& f) {
    return (!f.number || *f.number == e.number) && (!f.consumer || *f.consumer == e.consumer) &&
           (!f.reason || *f.reason == e.reason) && (!f.topic || *f.topic == e.topic) && (!f.id || *f.id == e.id) &&
           (!f.parked_from || e.parked_at >= *f.parked_from) && (!f.parked_before || e.parked_at < *f.parked_before) &&
           e.number > f.after && e.number <= f.up_to;
  }
  std::vector<std::int64_t> numbers(const ParkedFilter& f, std::size_t limit = SIZE_MAX) const {
    std::vector<std::int64_t> all;
    for (const Entry& e : entries)
      if (passes(e, f) && all.size() < limit) all.push_back(e.number);
    return all;
  }
};

class Filters : public ParkingLotTest {
 protected:
  static constexpr int messages = 400;
  const std::vector<ParkReason> reasons{ParkReason::dead_letter, ParkReason::no_id, ParkReason::id_conflict,
                                        ParkReason::undecidable};
  std::mt19937 random{2611};
  Model model;

  int below(int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); }
  static std::string id_of(int n) { return "id" + std::string(1, '\0') + std::to_string(n); }

  void fill() {
    auto other_ledger = store_->ledger({.consumer = "other"});
    auto other = other_ledger->session(settled_);
    for (int n = 1; n <= messages; ++n) {
      const bool is_other = below(3) == 0;
      const ParkReason reason = reasons[static_cast<std::size_t>(below(4))];
      // Conflicts share ids, with each other and with what has been parked; the others have one each.
      const std::string id = reason == ParkReason::no_id         ? ""
                             : reason == ParkReason::id_conflict ? id_of(below(20))
                                                                 : id_of(1'000 + n);
      const std::string topic = below(2) ? "payments" : "refunds";
      ASSERT_EQ(park(is_other ? *other : *session_, message(topic, id, 2 + static_cast<unsigned>(n)), reason),
                Joined::joined);
      model.entries.push_back({n, is_other ? "other" : "consumer", topic, id, reason, start + hours(below(50))});
    }
    other->yield();
    other.reset();
    other_ledger.reset();
    at_rest();
    std::string times = "BEGIN;";
    for (const auto& e : model.entries)
      times += "UPDATE idem_parked SET parked_at = " + std::to_string(e.parked_at.time_since_epoch().count()) +
               " WHERE number = " + std::to_string(e.number) + ";";
    by_hand(path(), times + "COMMIT");
  }

  ParkedFilter any_filter() {
    ParkedFilter f;
    if (below(3) == 0) f.consumer = below(2) ? "consumer" : "other";
    if (below(3) == 0) f.reason = reasons[static_cast<std::size_t>(below(4))];
    if (below(3) == 0) f.topic = below(2) ? "payments" : "refunds";
    if (below(4) == 0) f.id = below(2) ? id_of(below(20)) : id_of(1'000 + below(messages));
    if (below(4) == 0) f.parked_from = start + hours(below(50));
    if (below(4) == 0) f.parked_before = start + hours(below(50));
    if (below(8) == 0) f.number = 1 + below(messages + 5);
    if (below(4) == 0) f.after = below(messages);
    if (below(4) == 0) f.up_to = below(messages);
    return f;
  }

  void compare(ParkingLot& lot, const ParkedFilter& f) {
    const auto limit = static_cast<std::size_t>(1 + below(messages));
    EXPECT_EQ(numbers(lot.list(f, limit)), model.numbers(f, limit));
    std::map<std::pair<std::string, ParkReason>, std::pair<std::size_t, std::int64_t>> expected, counted;
    for (const auto& e : model.entries)
      if (Model::passes(e, f)) {
        auto& [count, last] = expected[{e.consumer, e.reason}];
        ++count;
        last = e.number;
      }
    for (const ParkedCount& c : lot.counts(f)) counted[{c.consumer, c.reason}] = {c.messages, c.last_number};
    EXPECT_EQ(counted, expected);
  }
};

TEST_F(Filters, let_through_what_the_model_does) {
  fill();
  SqliteParkingLot present = lot();
  for (int i = 0; i < 500; ++i) compare(present, any_filter());
  EXPECT_EQ(numbers(present.list({}, messages + 1)), model.numbers({}));
}

TEST_F(Filters, let_through_the_same_of_a_file_without_the_indexes) {
  fill();
  make_schema_5();
  SqliteParkingLot older = lot();
  for (int i = 0; i < 100; ++i) compare(older, any_filter());
}

TEST_F(Filters, drop_what_the_model_does_and_nothing_else) {
  fill();
  SqliteParkingLot present = lot();
  std::size_t audited = 0;
  for (int i = 0; i < 60; ++i) {
    const ParkedFilter f = any_filter();
    if (f == ParkedFilter{}) continue;
    const std::vector<std::int64_t> gone = model.numbers(f);
    if (gone.size() > 40) continue;
    EXPECT_EQ(present.drop(f, by_alice), gone.size());
    std::erase_if(model.entries, [&](const Model::Entry& e) { return Model::passes(e, f); });
    audited += gone.size();
    ASSERT_EQ(numbers(present.list({}, messages)), model.numbers({}));
    EXPECT_EQ(by_hand(path(), "SELECT count(*) FROM idem_audit"), Names{std::to_string(audited)});
  }
  EXPECT_GT(audited, 20u);
}

/// 100,000 rows with a payload each, one in a thousand of another reason.
class ManyParked : public ParkingLotTest {
 protected:
  static constexpr std::int64_t messages = 100'000;
  void SetUp() override {
    SqliteTest::SetUp();
    at_rest();
    by_hand(path(),
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO idem_parked "
            "SELECT i, 1, 'payments', 0, i, NULL, randomblob(200), x'', NULL, CAST(i AS BLOB), randomblob(16), 1, "
            "CASE WHEN i % 1000 = 0 THEN 'unresolved' ELSE 'dead_letter' END, '', 1, i FROM n");
  }
  static std::vector<std::int64_t> pages(ParkingLot& lot, ParkedFilter filter, std::size_t size) {
    std::vector<std::int64_t> all;
    for (;;) {
      const auto page = numbers(lot.list(filter, size));
      all.insert(all.end(), page.begin(), page.end());
      if (page.size() < size) return all;
      filter.after = page.back();
    }
  }
  std::string plan(const ParkedFilter& filter, std::optional<std::string> id_key = {}) {
    sqlite::Connection connection({.path = path(), .access = sqlite::Connection::Settings::Access::reader});
    const sqlite::ParkedChoice chosen(filter, 1, std::move(id_key), true);
    sqlite::Statement explain(connection, "EXPLAIN QUERY PLAN SELECT number FROM " + chosen.sql() + " ORDER BY number");
    chosen.bind(explain, 1);
    std::string steps;
    for (sqlite::Statement::Rows rows(explain); rows.next();) steps += std::string(rows.text(3)) + "\n";
    return steps;
  }
};

TEST_F(ManyParked, pages_are_complete_and_without_doubles) {
  SqliteParkingLot present = lot();
  std::vector<std::int64_t> all(messages);
  for (std::int64_t i = 0; i < messages; ++i) all[static_cast<std::size_t>(i)] = i + 1;
  EXPECT_EQ(pages(present, {}, 1'000), all);
  std::vector<std::int64_t> thousands;
  for (std::int64_t i = 1'000; i <= messages; i += 1'000) thousands.push_back(i);
  EXPECT_EQ(pages(present, {.reason = ParkReason::unresolved}, 7), thousands);
}

TEST_F(ManyParked, no_row_is_read_to_be_passed_over) {
  EXPECT_EQ(plan({.reason = ParkReason::unresolved, .topic = "payments", .parked_from = start}),
            "SEARCH idem_parked USING COVERING INDEX idem_parked_in_order (number>? AND number<?)\n");
  EXPECT_EQ(plan({}, std::string(16, 'k')), "SEARCH idem_parked USING INDEX idem_parked_id (id_key=? AND rowid>? AND "
                                            "rowid<?)\n");
}

// --- Dropping ---------------------------------------------------------------------------------------------------

TEST_F(ParkingLotTest, what_is_dropped_is_in_the_audit_without_its_payload) {
  park("a");
  park("b", ParkReason::undecidable);
  at_rest();
  EXPECT_EQ(lot().drop({.number = 2}, by_alice), 1u);
  EXPECT_EQ(by_hand(path(), "SELECT who, why, what, consumer, parked, reason, topic, partition, position, id, "
                            "abs(at - 1000 * unixepoch()) < 60000 FROM idem_audit"),
            Names{"alice|paid by hand|drop|1|2|undecidable|payments|0|1|b|1"});
  EXPECT_EQ(by_hand(path(), "SELECT group_concat(number) FROM idem_parked"), Names{"1"});
  EXPECT_EQ(lot().drop({.number = 2}, by_alice), 0u) << "it is gone";
  EXPECT_EQ(by_hand(path(), "SELECT count(*) FROM idem_audit"), Names{"1"});
}

TEST_F(ParkingLotTest, a_copy_of_what_was_dropped_is_a_duplicate) {
  park("a");
  at_rest();
  ASSERT_EQ(lot().drop({.id = "a"}, by_alice), 1u);
  EXPECT_EQ(state("a"), State::parked);
  open();
  const Item& copy = message("payments", "a");
  EXPECT_EQ(look_up(copy), Seen::duplicate);
  EXPECT_EQ(session_->finish(copy.record, skipped()), Joined::joined);
  session_->yield();
  EXPECT_TRUE(ledger_->parked().empty());
}

TEST_F(ParkingLotTest, a_conflict_that_was_dropped_is_not_parked_again) {
  ASSERT_EQ(run(message("payments", "a", 1)), Joined::joined);
  park("a", ParkReason::id_conflict, 2);
  at_rest();
  ASSERT_EQ(lot().drop({.reason = ParkReason::id_conflict}, by_alice), 1u);
  open();
  park("a", ParkReason::id_conflict, 2);
  EXPECT_TRUE(ledger_->parked().empty());
  park("a", ParkReason::id_conflict, 3);
  EXPECT_EQ(ledger_->parked().size(), 1u) << "other content is another conflict";
}

TEST_F(ParkingLotTest, nothing_is_dropped_without_a_filter_and_a_name) {
  park("a");
  at_rest();
  EXPECT_THROW(lot().drop({}, by_alice), std::invalid_argument);
  EXPECT_THROW(lot().drop({.number = 1}, {.why = "nobody says who"}), std::invalid_argument);
  EXPECT_EQ(lot().list({}, 10).size(), 1u);
}

#ifdef IDEM_FAILPOINTS
TEST_F(ParkingLotTest, killed_between_audit_and_delete_it_leaves_neither) {
  for (const char* id : {"a", "b", "c"}) park(id);
  at_rest();
  const pid_t child = ::fork();
  if (child == 0) {
    failpoint::arm("parked.drop:kill");
    lot().drop({.topic = "payments"}, by_alice);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_EQ(lot().list({}, 10).size(), 3u);
  EXPECT_EQ(by_hand(path(), "SELECT count(*) FROM idem_audit"), Names{"0"});

  failpoint::arm("parked.drop:error");
  EXPECT_NE(refusal([&] { lot().drop({.topic = "payments"}, by_alice); }), "");
  EXPECT_EQ(lot().list({}, 10).size(), 3u);
  EXPECT_EQ(by_hand(path(), "SELECT count(*) FROM idem_audit"), Names{"0"});

  EXPECT_EQ(lot().drop({.topic = "payments"}, by_alice), 3u);
  EXPECT_EQ(by_hand(path(), "SELECT count(*) FROM idem_audit"), Names{"3"});
}
#endif

struct OpenGroup : ParkingLotTest {
  void SetUp() override {
    options_.group_age = std::chrono::hours(1);  // or it is committed where the machine is slow
    SqliteTest::SetUp();
  }
};

TEST_F(OpenGroup, beside_the_owner_is_read_and_not_changed) {
  park("a");
  session_->yield();
  park("b");  // in the open group
  EXPECT_EQ(lot().list({}, 10).size(), 1u);
  EXPECT_EQ(state("a"), State::parked);
  EXPECT_EQ(state("b"), State::not_remembered) << "not committed yet";
  const std::string why = refusal([&] { lot().drop({.number = 1}, by_alice); });
  EXPECT_NE(why.find("is owned by process " + std::to_string(::getpid())), std::string::npos) << why;
  session_->yield();
  EXPECT_EQ(ledger_->parked().size(), 2u);
  EXPECT_EQ(lot().list({}, 10).size(), 2u);
  at_rest();
  EXPECT_EQ(lot().drop({.number = 1}, by_alice), 1u);
  open();
  EXPECT_EQ(ledger_->parked().size(), 1u) << "and the owner's lock is free again";
}

// --- Ids ----------------------------------------------------------------------------------------------------------

TEST_F(ParkingLotTest, an_id_is_in_one_of_four_states) {
  ASSERT_EQ(run(message("payments", "done", 1)), Joined::joined);
  park("parked");
  park("done", ParkReason::id_conflict, 2);
  const Item& called = message("payments", "claimed");
  look_up(called);
  ASSERT_EQ(session_->claim(called.record), Joined::joined);
  at_rest();
  EXPECT_EQ(state("claimed"), State::claimed);
  EXPECT_EQ(state("never seen"), State::not_remembered);
  const RememberedId parked = lot().look_up("consumer", "parked"), done = lot().look_up("consumer", "done");
  EXPECT_EQ(parked.state, State::parked);
  EXPECT_EQ(parked.parked, std::vector<std::int64_t>{1});
  EXPECT_EQ(done.state, State::done) << "a conflict under its id says nothing of it";
  EXPECT_EQ(done.parked, std::vector<std::int64_t>{2});
  ASSERT_EQ(lot().drop({.id = "parked"}, by_alice), 1u);
  const RememberedId dropped = lot().look_up("consumer", "parked");
  EXPECT_EQ(dropped.state, State::parked);
  EXPECT_TRUE(dropped.parked.empty());
  EXPECT_EQ(dropped.dropped, std::vector<std::int64_t>{1});
}

struct FewInMemory : ParkingLotTest {
  void SetUp() override {
    options_.ids_in_memory = 1'000;
    SqliteTest::SetUp();
  }
};

TEST_F(FewInMemory, ids_are_found_in_runs_and_in_the_tail) {
  constexpr int ids = 5'000;
  for (int n = 0; n < ids; ++n) {
    ASSERT_EQ(run(message("payments", std::to_string(n))), Joined::joined);
    if (n % 100 == 99) session_->yield();
  }
  at_rest();
  EXPECT_NE(by_hand(path(), "SELECT count(*) FROM idem_id_run"), Names{"0"}) << "nothing was sealed";
  SqliteParkingLot present = lot();
  for (int n = 0; n < ids; n += 37)
    EXPECT_EQ(present.look_up("consumer", std::to_string(n)).state, State::done) << n;
  for (int n = ids; n < ids + 200; ++n)
    EXPECT_EQ(present.look_up("consumer", std::to_string(n)).state, State::not_remembered) << n;
}

TEST_F(ParkingLotTest, an_id_is_remembered_in_its_generation_until_that_is_forgotten) {
  for (int h = 0; h < 24; ++h) {  // with a retention of 8 h
    Item& i = message("payments", std::to_string(h));
    i.record.time = start + hours(h);
    ledger_->advance(i.record.time);
    ASSERT_EQ(run(i), Joined::joined);
    session_->yield();
    if (h != 0) continue;
    EXPECT_EQ(lot().look_up("consumer", "0").forgotten_until, std::nullopt);
  }
  Item& of_the_same = message("payments", "of the same generation");
  of_the_same.record.time = start + hours(23) + std::chrono::minutes(5);
  ASSERT_EQ(run(of_the_same), Joined::joined);
  at_rest();
  const RememberedId newest = lot().look_up("consumer", "23"), oldest = lot().look_up("consumer", "0");
  EXPECT_EQ(newest.state, State::done);
  ASSERT_TRUE(newest.from && newest.to && newest.generation);
  EXPECT_LE(*newest.from, start + hours(23));
  EXPECT_EQ(*newest.to, of_the_same.record.time) << "the newest of its generation, not its own";
  EXPECT_EQ(oldest.state, State::not_remembered);
  EXPECT_EQ(oldest.generation, std::nullopt);
  ASSERT_TRUE(oldest.forgotten_until);
  EXPECT_GE(*oldest.forgotten_until, start);
}

TEST_F(ParkingLotTest, ids_are_any_bytes) {
  const Names ids{std::string("nul\0in it", 9), "\xff\xfe not UTF-8", "\x1b]0;title\a", std::string(1 << 20, 'x'),
                  std::string((1 << 20) - 1, 'x')};
  for (const std::string& id : ids) park(id);
  at_rest();
  SqliteParkingLot present = lot();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto found = present.list({.id = ids[i]}, 10);
    ASSERT_EQ(found.size(), 1u) << i;
    EXPECT_EQ(found[0].message.id, ids[i]);
    EXPECT_EQ(present.look_up("consumer", ids[i]).parked, std::vector<std::int64_t>{found[0].message.number});
  }
  EXPECT_EQ(state("nul"), State::not_remembered);
}

// --- What is shown of a message ---------------------------------------------------------------------------------

TEST_F(ParkingLotTest, the_payload_comes_only_when_it_is_asked_for) {
  Item& i = message("payments", "a");
  i.payload = "secret";
  i.message.payload = i.payload;
  ASSERT_EQ(park(*session_, i, ParkReason::dead_letter), Joined::joined);
  Item& tombstone = message("payments", "b");
  tombstone.message.payload = std::nullopt;
  ASSERT_EQ(park(*session_, tombstone, ParkReason::dead_letter), Joined::joined);
  at_rest();
  SqliteParkingLot present = lot();
  EXPECT_EQ(present.find(1)->message.payload, std::nullopt);
  EXPECT_EQ(present.find(1)->payload_bytes, 6u);
  EXPECT_EQ(present.find(1, Payloads::included)->message.payload, "secret");
  EXPECT_EQ(present.find(2, Payloads::included)->message.payload, std::nullopt);
  EXPECT_EQ(present.find(2)->payload_bytes, std::nullopt);
  EXPECT_EQ(present.find(3), std::nullopt);
  const Parked parked = present.list({}, 1).at(0);
  EXPECT_EQ(parked.consumer, "consumer");
  EXPECT_EQ(parked.message.why, "because");
  EXPECT_EQ(parked.message.attempts, 3);
}

// --- Files --------------------------------------------------------------------------------------------------------

TEST_F(ParkingLotTest, reading_leaves_the_file_as_it_is) {
  park("a");
  at_rest();
  for (const bool older : {false, true}) {
    if (older) make_schema_5();
    const auto before = files_in(scratch_.path());
    lot().list({.consumer = "consumer"}, 10, Payloads::included);
    lot().counts({});
    lot().look_up("consumer", "a");
    EXPECT_EQ(files_in(scratch_.path()), before);
  }
}

TEST_F(ParkingLotTest, what_a_killed_service_left_in_its_log_is_read) {
  park("a");
  session_->yield();
  const Scratch copy("parked");
  for (const char* name : {"store.db", "store.db-wal"}) std::filesystem::copy(scratch_ / name, copy / name);
  const auto before = files_in(copy.path());
  EXPECT_EQ(SqliteParkingLot(copy / "store.db").list({}, 10).size(), 1u);
  auto after = files_in(copy.path());
  after.erase("store.db-shm");
  EXPECT_EQ(after, before);
  EXPECT_EQ(SqliteParkingLot(copy / "store.db").drop({.number = 1}, by_alice), 1u);
}

TEST_F(ParkingLotTest, a_file_of_schema_5_is_read_and_dropping_says_what_to_do) {
  park("a");
  at_rest();
  make_schema_5();
  const std::string present = std::to_string(sqlite::migrations().size());
  EXPECT_EQ(lot().list({.id = "a"}, 10).size(), 1u);
  EXPECT_EQ(state("a"), State::parked);
  const std::string why = refusal([&] { lot().drop({.number = 1}, by_alice); });
  EXPECT_NE(why.find("older idem (schema 5, this one has " + present + ")"), std::string::npos) << why;
  EXPECT_EQ(by_hand(path(), "SELECT schema_version FROM idem_store"), Names{"5"});
  open();  // the service migrates it
  EXPECT_EQ(ledger_->parked().size(), 1u);
  at_rest();
  EXPECT_EQ(by_hand(path(), "SELECT schema_version FROM idem_store"), Names{present});
  EXPECT_EQ(lot().list({.id = "a"}, 10).size(), 1u) << "by the index that was made of what was there";
  EXPECT_EQ(lot().drop({.number = 1}, by_alice), 1u);
}

TEST_F(ParkingLotTest, files_of_every_older_schema_are_listed) {
  for (std::size_t version = 1; version < sqlite::migrations().size(); ++version) {
    const std::string file = scratch_ / ("schema" + std::to_string(version) + ".db");
    std::ofstream{file};
    {
      sqlite::Connection connection({.path = file, .cache_bytes = 1 << 20});
      sqlite::bring_up_to_date(connection, sqlite::migrations().first(version));
      connection.exec("INSERT INTO idem_consumer VALUES (1, 'consumer', 0)");
      connection.exec(
          "INSERT INTO idem_parked VALUES (7, 1, 't', 0, 1, NULL, x'41', x'', NULL, x'42', x'43', 1, 'no_id', '', 1, 5)");
    }
    SqliteParkingLot older(file);
    EXPECT_EQ(numbers(older.list({.reason = ParkReason::no_id}, 10)), std::vector<std::int64_t>{7}) << version;
    const std::string why = refusal([&] { older.look_up("consumer", "B"); });
    EXPECT_EQ(why.find("service of this version") != std::string::npos, version < 4) << version << ": " << why;
    EXPECT_NE(refusal([&] { older.drop({.number = 7}, by_alice); }), "") << version;
    EXPECT_EQ(by_hand(file, "SELECT schema_version FROM idem_store"), Names{std::to_string(version)});
  }
}

TEST_F(ParkingLotTest, what_cannot_be_read_is_named_with_what_to_do) {
  at_rest();
  const auto opening = [&](const std::string& file) { return refusal([&] { SqliteParkingLot lot(file); }); };
  const std::string text = scratch_ / "text.db", empty = scratch_ / "empty.db", mine = scratch_ / "mine.db";
  std::ofstream(text) << std::string(5'000, 'x');
  std::ofstream{empty};
  by_hand(mine, "CREATE TABLE mine (x)");
  const auto before = files_in(scratch_.path());
  EXPECT_EQ(opening(scratch_ / "missing.db"), "there is no file " + (scratch_ / "missing.db").string());
  EXPECT_NE(opening("/no/such/directory/x.db").find("there is no directory /no/such/directory"), std::string::npos);
  EXPECT_NE(opening(scratch_.path()).find("is not a file"), std::string::npos);
  EXPECT_NE(opening(text).find("not a database"), std::string::npos);
  EXPECT_NE(opening(empty).find("there is no store of idem's in it"), std::string::npos);
  EXPECT_NE(opening(mine).find("there is no store of idem's in it"), std::string::npos);
  EXPECT_EQ(files_in(scratch_.path()), before);
  EXPECT_NE(refusal([&] { lot().list({.consumer = "consumr"}, 1); }).find("\"consumr\" in it; there is: consumer"),
            std::string::npos);
  by_hand(path(), "UPDATE idem_store SET schema_version = 99");
  EXPECT_NE(opening(path()).find("newer version of idem (schema 99"), std::string::npos);
}

TEST_F(ParkingLotTest, a_file_that_became_something_else_is_not_made_a_store_by_dropping) {
  park("a");
  at_rest();
  SqliteParkingLot present = lot();
  for (const char* suffix : {"", "-owner"}) std::filesystem::remove(path() + suffix);
  by_hand(path(), "CREATE TABLE mine (x)");
  const std::string before = contents(path());
  EXPECT_NE(refusal([&] { present.drop({.number = 1}, by_alice); }), "");
  EXPECT_EQ(contents(path()), before);
}

}  // namespace
}  // namespace idem::test
