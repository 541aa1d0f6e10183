// What a handler may do with its transaction, and what it may not.
#include <sqlite3.h>

#include <thread>

#include "sqlite_fixture.h"

namespace idem::test {
namespace {

class HandlerSql : public SqliteTest {
 protected:
  Transaction& begin(const std::string& id = "id") {
    current_ = &item(id);
    look_up(*current_);
    return session_->begin(current_->record);
  }
  Joined finish() { return session_->finish(current_->record, {}); }
  Item* current_ = nullptr;
};

TEST_F(HandlerSql, reads_its_own_writes_by_type) {
  Transaction& tx = begin();
  tx.exec("CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB)");
  EXPECT_EQ(tx.exec("INSERT INTO t VALUES ($1, $2, $3, $4)", 42, 1.5, "text", Blob{std::string_view("\0x", 2)}), 1);
  EXPECT_EQ(tx.exec("INSERT INTO t VALUES ($1, $1, $2, $2)", std::nullopt, nullptr), 1);
  auto rows = tx.query<std::optional<std::int64_t>, std::optional<double>, std::optional<std::string>,
                       std::optional<std::string>>("SELECT * FROM t ORDER BY i DESC");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(std::get<0>(rows[0]), 42);
  EXPECT_EQ(std::get<1>(rows[0]), 1.5);
  EXPECT_EQ(std::get<2>(rows[0]), "text");
  EXPECT_EQ(std::get<3>(rows[0]), std::string("\0x", 2));
  EXPECT_EQ(std::get<0>(rows[1]), std::nullopt);
  EXPECT_EQ(tx.query_value<std::int64_t>("SELECT count(*) FROM t"), 2);
  EXPECT_EQ(tx.query_value<std::int64_t>("SELECT i FROM t WHERE i = 7"), std::nullopt);
  EXPECT_THROW(tx.query<std::int64_t>("SELECT i FROM t WHERE i IS NULL"), TransactionError);
  EXPECT_EQ(finish(), Joined::joined);
}

TEST_F(HandlerSql, an_empty_value_is_not_null) {
  Transaction& tx = begin();
  EXPECT_EQ(tx.query_value<bool>("SELECT $1 IS NULL OR $2 IS NULL", std::string_view{}, Blob{}), false);
}

TEST_F(HandlerSql, parameters_are_numbered_and_counted) {
  Transaction& tx = begin();
  EXPECT_EQ(tx.query_value<std::string>("SELECT $2 || $1 || $2", "a", "b"), "bab");
  EXPECT_EQ(tx.query_value<std::string>("SELECT ? || ?", "a", "b"), "ab");
  EXPECT_EQ(tx.query_value<std::string>("SELECT ?2 || ?1", "a", "b"), "ba");
  EXPECT_THROW(tx.exec("INSERT INTO effects VALUES ($1)"), TransactionError);
  EXPECT_THROW(tx.exec("INSERT INTO effects VALUES ($1)", 1, 2), TransactionError);
  EXPECT_THROW(tx.exec("INSERT INTO effects VALUES (:name)", 1), TransactionError);
}

TEST_F(HandlerSql, counts_the_rows_it_changed) {
  Transaction& tx = begin();
  EXPECT_EQ(tx.exec("INSERT INTO effects VALUES (1), (2), (3)"), 3);
  EXPECT_EQ(tx.exec("CREATE TABLE t (x)"), 0);
  EXPECT_EQ(tx.exec("SELECT * FROM effects"), 0);
  EXPECT_EQ(tx.exec("UPDATE effects SET name = name + 1 WHERE name > 1"), 2);
  EXPECT_EQ(tx.query<std::int64_t>("DELETE FROM effects WHERE name = 1 RETURNING name").size(), 1u);
}

TEST_F(HandlerSql, one_statement_at_a_time) {
  Transaction& tx = begin();
  EXPECT_THROW(tx.exec("INSERT INTO effects VALUES (1); INSERT INTO effects VALUES (2)"), TransactionError);
  EXPECT_THROW(tx.exec("INSERT INTO effects VALUES (1); nonsense"), TransactionError);
  EXPECT_THROW(tx.exec(""), TransactionError);
  EXPECT_THROW(tx.exec(std::string_view("SELECT 1\0; DELETE FROM effects", 30)), TransactionError);
  EXPECT_NO_THROW(tx.exec("INSERT INTO effects VALUES (3); -- and a remark\n"));
  EXPECT_EQ(finish(), Joined::joined);
  EXPECT_EQ(effects(), Names{"3"});
}

constexpr const char* down = "SELECT CASE WHEN $1 > 0 THEN again($1 - 1) ELSE 'ground' END";

// An SQL function of the application that uses the transaction it is called in.
void again(sqlite3_context* context, int, sqlite3_value** values) {
  auto& tx = *static_cast<Transaction*>(sqlite3_user_data(context));
  const auto found = tx.query_value<std::string>(down, sqlite3_value_int64(values[0]));
  sqlite3_result_text(context, found->c_str(), -1, SQLITE_TRANSIENT);
}

TEST_F(HandlerSql, a_statement_inside_itself) {
  Transaction& tx = begin();
  sqlite3_create_function(static_cast<sqlite3*>(tx.native_handle()), "again", 1, SQLITE_UTF8, &tx, again, nullptr,
                          nullptr);
  EXPECT_EQ(tx.query_value<std::string>(down, 0), "ground");
  EXPECT_EQ(tx.query_value<std::string>(down, 3), "ground");
  EXPECT_EQ(finish(), Joined::joined);
}

TEST_F(HandlerSql, a_failed_statement_leaves_nothing_and_the_handler_goes_on) {
  Transaction& tx = begin();
  tx.exec("CREATE TABLE t (x INTEGER UNIQUE)");
  tx.exec("INSERT INTO t VALUES (1)");
  EXPECT_THROW(tx.exec("INSERT INTO t VALUES (2), (1)"), TransactionError);
  EXPECT_EQ(tx.query_value<std::int64_t>("SELECT count(*) FROM t"), 1);
  EXPECT_THROW(tx.exec("INSERT INTO nowhere VALUES (1)"), TransactionError);
  effect(tx, "id");
  EXPECT_EQ(finish(), Joined::joined);
  EXPECT_EQ(effects(), Names{"id"});
}

TEST_F(HandlerSql, may_not_end_the_transaction_nor_change_the_connection) {
  Transaction& tx = begin();
  for (const char* sql :
       {"COMMIT", "END", "ROLLBACK", "BEGIN", "SAVEPOINT s", "RELEASE idem_message", "ROLLBACK TO idem_message",
        "PRAGMA synchronous=OFF", "PRAGMA journal_mode=DELETE", "ATTACH 'other.db' AS other", "DETACH main", "VACUUM"})
    EXPECT_THROW(tx.exec(sql), TransactionError) << sql;
  effect(tx, "id");
  EXPECT_EQ(finish(), Joined::joined);
  EXPECT_EQ(effects(), Names{"id"});
}

TEST_F(HandlerSql, may_read_but_not_write_what_idem_remembers) {
  Transaction& tx = begin();
  for (const char* sql :
       {"DELETE FROM idem_parked", "UPDATE idem_store SET sequence = 0", "INSERT INTO idem_horizon VALUES (1, 't', 1)",
        "DROP TABLE idem_ids_1", "ALTER TABLE idem_partition RENAME TO mine", "CREATE INDEX i ON idem_parked (topic)",
        "CREATE TRIGGER t AFTER INSERT ON idem_ids_1 BEGIN SELECT 1; END", "CREATE TABLE idem_ids_2 (key)"})
    EXPECT_THROW(tx.exec(sql), TransactionError) << sql;
  EXPECT_EQ(tx.query_value<std::string>("SELECT name FROM idem_consumer"), "consumer");
}

// The native handle knows no Transaction: only the hooks stand between it and the group.
TEST_F(HandlerSql, the_native_handle_may_not_commit_either) {
  Transaction& tx = begin();
  auto* native = static_cast<sqlite3*>(tx.native_handle());
  EXPECT_EQ(sqlite3_exec(native, "INSERT INTO effects VALUES ('id')", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(native, "COMMIT", nullptr, nullptr, nullptr), SQLITE_AUTH);
  EXPECT_EQ(finish(), Joined::joined);
  EXPECT_EQ(effects(), Names{"id"});
}

TEST_F(HandlerSql, a_write_after_the_transaction_was_ended_does_not_commit_by_itself) {
  Transaction& tx = begin();
  tx.exec("CREATE TABLE t (x INTEGER UNIQUE)");
  auto* native = static_cast<sqlite3*>(tx.native_handle());
  sqlite3_exec(native, "INSERT INTO t VALUES (1)", nullptr, nullptr, nullptr);
  EXPECT_EQ(sqlite3_exec(native, "INSERT OR ROLLBACK INTO t VALUES (1)", nullptr, nullptr, nullptr),
            SQLITE_CONSTRAINT_UNIQUE);
  EXPECT_NE(sqlite3_exec(native, "INSERT INTO effects VALUES ('outside')", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ(finish(), Joined::interrupted);
  EXPECT_TRUE(effects().empty());
}

TEST_F(HandlerSql, a_statement_left_open_does_not_break_the_commit) {
  Transaction& tx = begin();
  tx.exec("INSERT INTO effects VALUES (1), (2), (3)");
  auto* native = static_cast<sqlite3*>(tx.native_handle());
  sqlite3_stmt* reading = nullptr;
  sqlite3_stmt* writing = nullptr;
  sqlite3_prepare_v2(native, "SELECT * FROM effects", -1, &reading, nullptr);
  sqlite3_prepare_v2(native, "INSERT INTO effects VALUES (4), (5) RETURNING name", -1, &writing, nullptr);
  ASSERT_EQ(sqlite3_step(reading), SQLITE_ROW);
  ASSERT_EQ(sqlite3_step(writing), SQLITE_ROW);
  EXPECT_EQ(finish(), Joined::joined);
  session_->yield();
  EXPECT_TRUE(durable(*current_));
  EXPECT_EQ(effects().size(), 5u);
  sqlite3_finalize(reading);
  sqlite3_finalize(writing);
}

TEST_F(HandlerSql, is_over_when_the_handler_has_returned) {
  Transaction& tx = begin();
  effect(tx, "in time");
  EXPECT_EQ(finish(), Joined::joined);
  EXPECT_THROW(effect(tx, "late"), TransactionError);
  EXPECT_THROW(tx.native_handle(), TransactionError);
  look_up(item("other"));
  session_->begin(items_.back().record);
  EXPECT_EQ(session_->roll_back(), Joined::joined);
  EXPECT_THROW(effect(tx, "later"), TransactionError);
  EXPECT_EQ(effects(), Names{"in time"});
}

TEST_F(HandlerSql, belongs_to_its_own_thread) {
  Transaction& tx = begin();
  std::thread([&] { EXPECT_THROW(effect(tx, "from elsewhere"), TransactionError); }).join();
  effect(tx, "id");
  EXPECT_EQ(finish(), Joined::joined);
  EXPECT_EQ(effects(), Names{"id"});
}

TEST_F(HandlerSql, many_different_statements_do_not_pile_up) {
  Transaction& tx = begin();
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 1'000; ++i) EXPECT_EQ(tx.query_value<std::int64_t>("SELECT " + std::to_string(i)), i);
  int alive = 0;
  auto* native = static_cast<sqlite3*>(tx.native_handle());
  for (sqlite3_stmt* s = sqlite3_next_stmt(native, nullptr); s; s = sqlite3_next_stmt(native, s)) ++alive;
  EXPECT_LT(alive, 300);
}

TEST_F(HandlerSql, an_exception_out_of_a_row_callback_leaves_the_statement_usable) {
  Transaction& tx = begin();
  tx.exec("INSERT INTO effects VALUES (NULL), ('x')");
  for (int i = 0; i < 2; ++i) EXPECT_THROW(tx.query<std::string>("SELECT name FROM effects"), TransactionError);
  EXPECT_EQ(finish(), Joined::joined);
}

}  // namespace
}  // namespace idem::test
