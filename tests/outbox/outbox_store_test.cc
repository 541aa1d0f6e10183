// The SQLite store's outbox beyond the rules that every store keeps.
#include <sqlite3.h>

#include <thread>

#include <idem/memory_source.h>
#include <idem/runtime.h>

#include "sqlite/connection.h"
#include "sqlite/header_bytes.h"
#include "sqlite/sqlite_fixture.h"

namespace idem::test {
namespace {

using namespace std::chrono_literals;

class OutboxStore : public SqliteTest {
 protected:
  void SetUp() override {
    SqliteTest::SetUp();
    open_destination();
  }
  OutboxTable& table() { return *store_->outbox(); }
  void open_destination() {
    table().open("to", [this] { ++commits_; });
  }
  std::vector<OutboxTable::Row> rows(std::int64_t after = 0) { return table().read("to", after, 1'000, 1 << 20); }
  Names payloads() {
    Names found;
    for (const auto& row : rows()) found.push_back(*row.message.payload);
    return found;
  }
  Joined run_and_publish(const Item& i) {
    EXPECT_EQ(look_up(i), Seen::fresh);
    Transaction& tx = session_->begin(i.record);
    effect(tx, i.id);
    tx.publish("to", {.payload = i.id});
    return session_->finish(i.record, {});
  }
  std::int64_t count_packs() {
    std::int64_t packs = -1;
    store_->transact([&](Transaction& tx) { packs = *tx.query_value<std::int64_t>("SELECT count(*) FROM idem_outbox"); });
    return packs;
  }
  /// A session is told once why a group that it had looked at was lost.
  void hear_of_the_loss() {
    EXPECT_THROW(look_up(item("any")), StoreError);
  }
  int commits_ = 0;
};

TEST_F(OutboxStore, rows_of_a_span_that_is_undone_go_and_the_others_come_again) {
  std::vector<const Record*> records;
  std::vector<Item*> run;
  for (const char* id : {"a", "b", "c", "d"}) run.push_back(&item(id));
  for (Item* i : run) records.push_back(&i->record);
  std::vector<Seen> seen(4);
  session_->look_up(records, seen);
  const auto write = [&](Item* i) { session_->begin(i->record).publish("to", {.payload = i->id}); };
  for (int n = 0; n < 3; ++n) {
    write(run[n]);
    ASSERT_EQ(session_->finish(run[n]->record, {}), Joined::joined);
  }
  write(run[3]);
  const Joined undone = session_->roll_back();
  const std::size_t again = undone == Joined::again ? session_->taken_back() : 0;
  for (std::size_t n = 3 - again; n < 3; ++n) {
    write(run[n]);
    ASSERT_EQ(session_->finish(run[n]->record, {}), Joined::joined);
  }
  session_->yield();
  EXPECT_TRUE(durable(*run[2]));
  EXPECT_EQ(payloads(), (Names{"a", "b", "c"}));
}

TEST_F(OutboxStore, numbers_are_not_used_again_while_it_runs) {
  run_and_publish(item("a"));
  session_->yield();
  const std::int64_t first = rows().at(0).number;
  table().remove({&first, 1});
  while (!rows().empty()) std::this_thread::sleep_for(1ms);
  run_and_publish(item("b"));
  session_->yield();
  EXPECT_GT(rows().at(0).number, first) << "or a relay that has read up to there would pass over it";
}

TEST_F(OutboxStore, the_application_can_publish_in_its_own_transaction) {
  store_->transact([](Transaction& tx) { tx.publish("to", {.payload = "by hand"}); });
  EXPECT_EQ(payloads(), Names{"by hand"});
  EXPECT_EQ(commits_, 1);
  EXPECT_THROW(store_->transact([](Transaction& tx) {
    tx.publish("to", {.payload = "no"});
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  EXPECT_EQ(payloads(), Names{"by hand"});
}

TEST_F(OutboxStore, the_tables_are_not_for_the_sql_of_handlers) {
  store_->transact([](Transaction& tx) {
    EXPECT_THROW(tx.exec("DELETE FROM idem_outbox"), TransactionError);
    tx.publish("to", {.payload = "x"});
    EXPECT_THROW(tx.exec("UPDATE idem_outbox SET pack = x'00'"), TransactionError);
  });
  EXPECT_EQ(payloads(), Names{"x"});
}

TEST_F(OutboxStore, a_statement_outside_its_scope_is_an_error) {
  const Item& i = item("a");
  look_up(i);
  Transaction& tx = session_->begin(i.record);
  tx.publish("to", {.payload = "x"});
  ASSERT_EQ(session_->finish(i.record, {}), Joined::joined);
  EXPECT_THROW(tx.publish("to", {.payload = "late"}), TransactionError);
  session_->yield();
  EXPECT_EQ(payloads(), Names{"x"});
}

TEST_F(OutboxStore, a_store_that_nobody_relays_for_says_so) {
  reopen();
  const Item& i = item("b");
  look_up(i);
  try {
    session_->begin(i.record).publish("to", {});
    FAIL();
  } catch (const TransactionError& e) {
    EXPECT_NE(std::string(e.what()).find("Relay"), std::string::npos) << e.what();
  }
}

TEST_F(OutboxStore, a_wrong_name_is_told_with_the_right_ones) {
  try {
    store_->transact([](Transaction& tx) { tx.publish("too", {}); });
    FAIL();
  } catch (const TransactionError& e) {
    for (const char* part : {"\"too\"", "\"to\""}) EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST_F(OutboxStore, dead_letters_need_a_destination_that_somebody_has) {
  MemoryLog log("topic", 1);
  MemorySource source(log);
  struct Nothing : Handler {
    Outcome handle(const Message&, Transaction&) override { return done(); }
  } handler;
  RuntimeOptions options;
  options.consumer = "dead";
  options.identity = id_from_position();
  options.dead_letter_destination = "graveyard";
  Runtime runtime(options);
  runtime.add(source, *store_, handler);
  try {
    (void)runtime.run_until_caught_up();
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_NE(std::string(e.what()).find("graveyard"), std::string::npos) << e.what();
  }
}

#ifdef IDEM_FAILPOINTS
TEST_F(OutboxStore, rows_to_remove_that_a_lost_group_took_along_are_removed_later) {
  run_and_publish(item("a"));
  session_->yield();
  const std::int64_t number = rows().at(0).number;
  failpoint::arm("store.commit_refused:error");
  table().remove({&number, 1});
  run_and_publish(item("b"));
  session_->yield();
  failpoint::arm("");
  EXPECT_EQ(payloads(), Names{"a"}) << "nothing of that group took place";
  hear_of_the_loss();
  run_and_publish(item("c"));
  session_->yield();
  EXPECT_EQ(payloads(), Names{"c"});
}

TEST_F(OutboxStore, reading_that_fails_is_worth_another_try) {
  run_and_publish(item("a"));
  session_->yield();
  failpoint::arm("outbox.read:error");
  try {
    rows();
    FAIL();
  } catch (const StoreError& e) {
    EXPECT_TRUE(e.transient());
  }
  failpoint::arm("");
  EXPECT_EQ(payloads(), Names{"a"});
}
#endif

TEST_F(OutboxStore, a_full_disk_takes_the_rows_with_their_group) {
  const Item& i = item("a");
  fault_vfs::arm(fault_vfs::Step::write, fault_vfs::Fault::disk_full, 1, /*lasting=*/true);
  run_and_publish(i);
  session_->yield();
  EXPECT_TRUE(lost(i));
  fault_vfs::disarm();
  EXPECT_EQ(payloads(), Names{});
  EXPECT_EQ(commits_, 0);
  hear_of_the_loss();
  run_and_publish(item("a"));
  session_->yield();
  EXPECT_EQ(payloads(), Names{"a"});
}

TEST_F(OutboxStore, what_is_sent_of_a_pack_stays_sent_and_the_last_takes_the_pack_along) {
  store_->transact([](Transaction& tx) {
    for (const char* payload : {"a", "b", "c", "d"}) tx.publish("to", {.payload = payload});
  });
  const auto packed = rows();
  ASSERT_EQ(packed.size(), 4u);
  EXPECT_EQ(count_packs(), 1);
  const auto remove = [&](std::size_t n) {
    table().remove({&packed[n].number, 1});
    store_->transact([](Transaction&) {});
  };
  remove(2);
  remove(2);
  EXPECT_EQ(payloads(), (Names{"a", "b", "d"}));
  EXPECT_EQ(table().waiting().at("to"), 3u);
  reopen();
  open_destination();
  remove(0);
  EXPECT_EQ(payloads(), (Names{"b", "d"}));
  table().park(packed[3].number, "why");
  EXPECT_EQ(payloads(), Names{"b"});
  EXPECT_EQ(rows(packed[0].number).size(), 1u);
  EXPECT_EQ(rows(packed[1].number).size(), 0u);
  EXPECT_EQ(table().parked(0, 10).at(0).message.payload, "d");
  remove(1);
  EXPECT_EQ(count_packs(), 0);
  store_->transact([](Transaction& tx) { tx.publish("to", {.payload = "e"}); });
  EXPECT_GT(rows().at(0).number, packed[3].number);
}

TEST_F(OutboxStore, a_pack_whose_last_message_is_parked_goes) {
  store_->transact([](Transaction& tx) { tx.publish("to", {.payload = "a"}); });
  const std::int64_t number = rows().at(0).number;
  table().park(number, "why");
  EXPECT_EQ(count_packs(), 0);
  table().park(number, "again");
  table().remove({&number, 1});
  EXPECT_EQ(table().parked(0, 10).size(), 1u);
}

TEST_F(OutboxStore, a_pack_does_not_grow_without_end) {
  const std::string large(200'000, 'x');
  store_->transact([&](Transaction& tx) {
    for (int i = 0; i < 5; ++i) tx.publish("to", {.payload = large + std::to_string(i)});
  });
  EXPECT_GT(count_packs(), 1);
  const auto all = table().read("to", 0, 1'000, 100 << 20);
  ASSERT_EQ(all.size(), 5u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(*all[i].message.payload, large + std::to_string(i));
}

// Up to schema 4 every message was a row.
TEST_F(OutboxStore, what_waits_in_an_older_file_is_sent) {
  store_->transact([](Transaction& tx) {
    tx.publish("to", {.key = "k", .payload = "given", .id = "id", .headers = {{"h", "v"}}});
    tx.publish("to", {.payload = "made"});
  });
  const auto before = rows();
  close();
  {
    sqlite::Connection connection({.path = path(), .cache_bytes = 1 << 20});
    connection.exec(
        "DROP TABLE idem_outbox; DROP TABLE idem_outbox_marks; DROP TABLE idem_returning; DROP TABLE idem_audit; "
        "DROP TABLE idem_results_1; ALTER TABLE idem_claim DROP COLUMN forgotten; "
        "DROP INDEX idem_parked_in_order; DROP INDEX idem_parked_id; UPDATE idem_store SET schema_version = 4;"
        "CREATE TABLE idem_outbox (number INTEGER PRIMARY KEY, destination INTEGER NOT NULL, id ANY NOT NULL, key BLOB, "
        "payload BLOB, headers BLOB) STRICT");
    sqlite::Statement insert(connection, "INSERT INTO idem_outbox VALUES (?, 1, ?, ?, ?, ?)");
    const std::string headers = sqlite::encode_headers(before[0].message.headers);
    insert.run(before[0].number, "id", Blob{"k"}, Blob{"given"}, Blob{headers});
    std::string uuid;
    for (const char c : before[1].message.id)
      if (c != '-') uuid += c;
    connection.exec("INSERT INTO idem_outbox VALUES (" + std::to_string(before[1].number) + ", 1, x'" + uuid +
                    "', NULL, x'6d616465', NULL)");
  }
  open();
  open_destination();
  const auto after = rows();
  ASSERT_EQ(after.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(after[i].number, before[i].number);
    EXPECT_EQ(after[i].message.id, before[i].message.id);
    EXPECT_EQ(after[i].message.key, before[i].message.key);
    EXPECT_EQ(after[i].message.payload, before[i].message.payload);
    EXPECT_EQ(after[i].message.headers, before[i].message.headers);
  }
}

// A file that was made before there was an outbox.
TEST_F(OutboxStore, a_file_without_the_tables_gets_them) {
  run_and_publish(item("kept"));
  session_->yield();
  close();
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle,
                         "DROP TABLE idem_outbox; DROP TABLE idem_outbox_destination; DROP TABLE idem_outbox_parked; "
                         "DROP TABLE idem_outbox_marks; DROP TABLE idem_claim; DROP TABLE idem_id_run; DROP TABLE idem_returning; DROP TABLE idem_audit; "
                         "DROP TABLE idem_results_1; "
                         "DROP INDEX idem_parked_in_order; DROP INDEX idem_parked_id; UPDATE idem_store SET schema_version = 1; "
                         "CREATE TABLE ids (key BLOB NOT NULL PRIMARY KEY, fingerprint INTEGER NOT NULL, "
                         "state INTEGER NOT NULL) STRICT, WITHOUT ROWID; "
                         "INSERT INTO ids SELECT substr(ids, 1, 16), 1, 1 FROM idem_ids_1; "
                         "DROP TABLE idem_ids_1; ALTER TABLE ids RENAME TO idem_ids_1",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(handle);
  open();
  open_destination();
  EXPECT_EQ(look_up(item("kept")), Seen::duplicate) << "and keeps what it knows";
  run_and_publish(item("new"));
  session_->yield();
  EXPECT_EQ(payloads(), Names{"new"});
}

}  // namespace
}  // namespace idem::test
