#include "kills/witness.h"

#include <idem/sqlite_store.h>
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "core/siphash.h"

namespace idem::kills {
namespace {

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

// A query on the file, opened for reading only. Missing file or table: no rows.
class Query {
 public:
  Query(const std::filesystem::path& file, const char* sql) {
    sqlite3* database = nullptr;
    const int opened = sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READONLY, nullptr);
    database_.reset(database);
    if (opened != SQLITE_OK) return;
    sqlite3_busy_timeout(database, 1'000);
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) != SQLITE_OK) {
      const std::string why = sqlite3_errmsg(database);
      if (why.find("no such table") == std::string::npos) throw std::runtime_error(file.string() + ": " + why);
    }
    statement_.reset(statement);
  }

  bool next() {
    if (!statement_) return false;
    const int result = sqlite3_step(statement_.get());
    if (result != SQLITE_ROW && result != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(database_.get()));
    return result == SQLITE_ROW;
  }
  std::int64_t integer(int column) { return sqlite3_column_int64(statement_.get(), column); }
  std::string text(int column) {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
    return bytes ? std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))) : "";
  }

 private:
  std::unique_ptr<sqlite3, Close> database_;
  std::unique_ptr<sqlite3_stmt, Close> statement_;
};

class Nobody final : public SettleListener {
  void on_settled(std::span<const Settlement>) noexcept override {}
};

// What the store knows of the sent ids, asked the way a worker asks.
void ask(Ledger& ledger, const std::vector<Sent>& sent, Evidence& evidence) {
  constexpr std::size_t at_once = 512;
  std::set<std::string> ids;
  for (const Sent& message : sent)
    if (!message.id.empty()) ids.insert(message.id);

  Nobody nobody;
  const auto session = ledger.session(nobody);
  auto& remembered = evidence.remembered.emplace();
  for (auto it = ids.begin(); it != ids.end();) {
    std::vector<Record> records;
    std::vector<const std::string*> names;
    for (; it != ids.end() && records.size() < at_once; ++it) {
      Record record;
      record.id = core::siphash128(ledger.hash_key(), *it);
      records.push_back(record);
      names.push_back(&*it);
    }
    Message message;
    message.topic = "asked by the kill harness";
    std::vector<const Record*> asked;
    for (Record& record : records) {
      record.message = &message;
      asked.push_back(&record);
    }
    std::vector<Seen> seen(asked.size(), Seen::fresh);
    session->look_up(asked, seen);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (seen[i] == Seen::duplicate) remembered.insert(*names[i]);
      if (seen[i] == Seen::claimed || seen[i] == Seen::claim_conflict) evidence.claimed.insert(*names[i]);
    }
  }
  session->yield();
}

// Where the message lay: its position, or what it says itself if it came from a queue.
std::int64_t place_of(const ParkedMessage& message) {
  for (const auto& [name, value] : message.headers)
    if (name == "place") return std::stoll(value.value_or("-1"));
  return message.offset;
}

std::vector<ParkedAt> parked_in(Ledger& ledger) {
  std::vector<ParkedAt> parked;
  std::int64_t after = 0;
  for (;;) {
    const auto page = ledger.parked(after);
    if (page.empty()) return parked;
    for (const ParkedMessage& message : page)
      parked.push_back({message.id, message.partition.partition, place_of(message)});
    after = page.back().number;
  }
}

}  // namespace

std::vector<Effect> effects_in(const std::filesystem::path& store) {
  std::vector<Effect> effects;
  Query query(store, "SELECT id, partition, position, key, amount FROM effects ORDER BY rowid");
  while (query.next())
    effects.push_back({query.text(0), static_cast<std::int32_t>(query.integer(1)), query.integer(2), query.text(3),
                       query.integer(4)});
  return effects;
}

Evidence gather(const Place& place, Broker& broker, const std::vector<Sent>& sent, bool idem,
                std::chrono::milliseconds retention) {
  Evidence evidence;
  // The broker first: it may only ever be behind the store.
  Told told = broker.told(place.group, place.topic);
  evidence.committed = std::move(told.committed);
  evidence.left = told.left;
  evidence.effects = effects_in(place.store);
  if (!idem || !std::filesystem::exists(place.store)) return evidence;

  SqliteStore store({.path = place.store});
  const auto ledger = store.ledger({"kill", retention});
  ask(*ledger, sent, evidence);
  evidence.remembers_from = (ledger->stream_time() - retention).time_since_epoch().count();
  evidence.parked = parked_in(*ledger);
  for (std::int32_t partition = 0; partition < broker.partitions() && !evidence.left; ++partition) {
    const auto opened = ledger->open({place.topic, partition});
    if (opened.progress.started()) evidence.progress[partition] = opened.progress;
  }
  return evidence;
}

std::string integrity(const std::filesystem::path& store) {
  Query query(store, "PRAGMA integrity_check");
  return query.next() ? query.text(0) : "no answer";
}

}  // namespace idem::kills
