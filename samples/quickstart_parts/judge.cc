#include "judge.h"

#include <sqlite3.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>

namespace quickstart {
namespace {

template <auto destroy>
struct Destroy {
  void operator()(auto* what) const { destroy(what); }
};
using Database = std::unique_ptr<sqlite3, Destroy<sqlite3_close>>;
using Statement = std::unique_ptr<sqlite3_stmt, Destroy<sqlite3_finalize>>;

Database open_to_read(const std::filesystem::path& path) {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
  Database database(opened);
  if (result != SQLITE_OK) throw std::runtime_error("cannot open " + path.string());
  sqlite3_busy_timeout(database.get(), 5'000);
  return database;
}

void for_each_row(sqlite3* database, const char* sql, const std::function<void(sqlite3_stmt*)>& on_row) {
  sqlite3_stmt* prepared = nullptr;
  int result = sqlite3_prepare_v2(database, sql, -1, &prepared, nullptr);
  const Statement statement(prepared);
  while (result == SQLITE_OK || result == SQLITE_ROW) {
    result = sqlite3_step(prepared);
    if (result == SQLITE_ROW) on_row(prepared);
  }
  if (result != SQLITE_DONE) throw std::runtime_error(std::string(sql) + ": " + sqlite3_errmsg(database));
}

struct Sent {
  std::int64_t account = 0, cents = 0;
  std::size_t bookings = 0;
};

}  // namespace

Verdict judge(const std::filesystem::path& ledger, const std::filesystem::path& database) {
  Verdict verdict;
  std::unordered_map<std::string, Sent> payments;
  struct Balance {
    std::int64_t due = 0, found = 0;
  };
  std::map<std::int64_t, Balance> balances;

  std::ifstream lines(ledger);
  if (!lines) throw std::runtime_error("cannot read " + ledger.string());
  std::string id;
  Sent payment;
  while (lines >> id >> payment.account >> payment.cents) {
    ++verdict.sent;
    const auto [known, first] = payments.emplace(id, payment);
    if (first)
      balances[payment.account].due += payment.cents;
    else if (known->second.account != payment.account || known->second.cents != payment.cents)
      throw std::runtime_error("the sender used id " + id + " for two payments");
  }
  if (!lines.eof()) throw std::runtime_error(ledger.string() + " has a line that is no payment");
  verdict.distinct = payments.size();

  const Database opened = open_to_read(database);
  for_each_row(opened.get(), "SELECT payment, account, cents FROM booking", [&](sqlite3_stmt* row) {
    ++verdict.effects;
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(row, 0));
    const auto found = payments.find(text ? text : "");
    if (found == payments.end() || found->second.account != sqlite3_column_int64(row, 1) ||
        found->second.cents != sqlite3_column_int64(row, 2))
      ++verdict.foreign;
    else if (++found->second.bookings > 1)
      ++verdict.doubled;
  });
  for_each_row(opened.get(), "SELECT id, cents FROM account", [&](sqlite3_stmt* row) {
    balances[sqlite3_column_int64(row, 0)].found = sqlite3_column_int64(row, 1);
  });

  for (const auto& [_, sent] : payments) verdict.lost += sent.bookings == 0;
  verdict.accounts = balances.size();
  for (const auto& [_, balance] : balances) verdict.wrong_balances += balance.due != balance.found;
  return verdict;
}

std::size_t count_bookings(const std::filesystem::path& database) try {
  std::size_t count = 0;
  for_each_row(open_to_read(database).get(), "SELECT coalesce(max(rowid), 0) FROM booking",
               [&](sqlite3_stmt* row) { count = static_cast<std::size_t>(sqlite3_column_int64(row, 0)); });
  return count;
} catch (const std::runtime_error&) {
  return 0;  // not there yet
}

}  // namespace quickstart
