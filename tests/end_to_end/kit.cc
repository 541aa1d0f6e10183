#include "kit.h"

#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <stdexcept>

namespace idem::test {
namespace {

std::optional<std::string> column(sqlite3_stmt* row, int number) {
  if (sqlite3_column_type(row, number) == SQLITE_NULL) return std::nullopt;
  const void* bytes = sqlite3_column_blob(row, number);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, number));
  return size ? std::string(static_cast<const char*>(bytes), size) : std::string();
}

// A connection of its own, which shares no code with the store.
void read(const std::filesystem::path& file, const std::string& sql,
          const std::function<void(sqlite3_stmt*)>& on_row) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(opened, sqlite3_close);
  auto fail = [&] { throw std::runtime_error(file.string() + ": " + sqlite3_errmsg(db.get()) + ": " + sql); };
  if (code != SQLITE_OK) fail();
  sqlite3_busy_timeout(db.get(), 30'000);
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(db.get(), sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) fail();
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(prepared, sqlite3_finalize);
  int step;
  while ((step = sqlite3_step(statement.get())) == SQLITE_ROW) on_row(statement.get());
  if (step != SQLITE_DONE) fail();
}

}  // namespace

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

Outcome Recorder::handle(const Message& message, Transaction& tx) {
  ++calls_;
  if (before_)
    if (auto answer = before_(message, tx)) return *answer;
  auto blob = [](std::optional<std::string_view> bytes) -> std::optional<Blob> {
    if (!bytes) return std::nullopt;
    return Blob{*bytes};
  };
  tx.exec("INSERT INTO effects (id, topic, part, pos, key, payload) VALUES ($1, $2, $3, $4, $5, $6)",
          Blob{message.id}, message.topic, message.partition, message.offset, blob(message.key),
          blob(message.payload));
  return done();
}

std::unique_ptr<SqliteStore> open_store(SqliteOptions options) {
  auto store = std::make_unique<SqliteStore>(std::move(options));
  store->transact([](Transaction& tx) {
    tx.exec(
        "CREATE TABLE IF NOT EXISTS effects (n INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB, topic TEXT, "
        "part INTEGER, pos INTEGER, key BLOB, payload BLOB)");
  });
  return store;
}

std::unique_ptr<SqliteStore> open_store(const std::filesystem::path& file) {
  return open_store(SqliteOptions{.path = file.string()});
}

std::vector<Effect> effects_in(const std::filesystem::path& file) {
  std::vector<Effect> effects;
  if (!std::filesystem::exists(file)) return effects;
  if (value_in(file, "SELECT count(*) FROM sqlite_master WHERE name = 'effects'") == "0") return effects;
  read(file, "SELECT id, topic, part, pos, key, payload FROM effects ORDER BY n", [&](sqlite3_stmt* row) {
    effects.push_back({column(row, 0).value_or(""), column(row, 1).value_or(""), sqlite3_column_int(row, 2),
                       sqlite3_column_int64(row, 3), column(row, 4), column(row, 5)});
  });
  return effects;
}

std::string value_in(const std::filesystem::path& file, const std::string& sql) {
  std::optional<std::string> value;
  read(file, sql, [&](sqlite3_stmt* row) {
    if (!value) value = column(row, 0).value_or("NULL");
  });
  return value.value_or("no row");
}

std::ostream& operator<<(std::ostream& out, const Account& account) {
  auto list = [&out](const char* name, const std::vector<std::string>& ids) {
    out << name << ' ' << ids.size();
    for (std::size_t i = 0; i < std::min<std::size_t>(ids.size(), 5); ++i)
      out << (i ? ", " : " (") << ids[i].substr(0, 40);
    if (!ids.empty()) out << (ids.size() > 5 ? ", …)" : ")");
    out << ' ';
  };
  list("lost", account.lost);
  list("doubled", account.doubled);
  list("never sent", account.never_sent);
  return out;
}

Account account(const std::vector<std::string>& sent, const std::vector<Effect>& effects) {
  std::map<std::string, int> count;
  for (const auto& id : sent) count[id] = 0;
  Account result;
  for (const auto& effect : effects) {
    auto known = count.find(effect.id);
    if (known == count.end())
      result.never_sent.push_back(effect.id);
    else if (++known->second == 2)
      result.doubled.push_back(effect.id);
  }
  for (const auto& [id, times] : count)
    if (times == 0) result.lost.push_back(id);
  return result;
}

RuntimeOptions quick(const std::string& consumer) {
  RuntimeOptions options;
  options.consumer = consumer;
  options.identity = id_from_header("id");
  options.retry = {.attempts = 5, .first_backoff = 5ms, .max_backoff = 50ms, .jitter = 0.2};
  options.workers = 4;
  options.commit_interval = 50ms;
  options.report_interval = 0ms;
  return options;
}

Background::~Background() {
  if (exit_.valid()) runtime_.stop();
}

Exit Background::exit() {
  if (exit_.wait_for(90s) == std::future_status::timeout) {
    ADD_FAILURE() << "the run did not end by itself";
    runtime_.stop();
  }
  return exit_.get();
}

Exit Background::stop() {
  runtime_.stop();
  return exit();
}

}  // namespace idem::test
