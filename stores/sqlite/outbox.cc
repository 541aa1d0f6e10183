#include "sqlite/outbox.h"

#include <sqlite3.h>

#include <chrono>
#include <stdexcept>
#include <utility>

#include "publishers/message_id.h"
#include "runtime/failpoint.h"
#include "sqlite/header_bytes.h"
#include "sqlite/writer.h"

namespace idem::sqlite {
namespace {

constexpr std::size_t reader_cache = 4 << 20;

std::optional<Blob> blob(const std::optional<std::string>& bytes) {
  return bytes ? std::optional(Blob{*bytes}) : std::nullopt;
}

std::optional<std::string> owned(const Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(std::string(row.text(column)));
}

/// id, key, payload, headers, from this column on.
OutgoingMessage message_of(const Row& row, int first) {
  OutgoingMessage message;
  message.id = row.text(first);
  message.key = owned(row, first + 1);
  message.payload = owned(row, first + 2);
  message.headers = decode_headers(row.text(first + 3));
  return message;
}

std::size_t size_of(const OutgoingMessage& m) {
  std::size_t size = m.id.size() + (m.key ? m.key->size() : 0) + (m.payload ? m.payload->size() : 0);
  for (const auto& [name, value] : m.headers) size += name.size() + (value ? value->size() : 0);
  return size;
}

}  // namespace

Outbox::Outbox(Writer& writer)
    : writer_(writer),
      insert_(writer.connection(),
              "INSERT INTO idem_outbox (number, destination, id, key, payload, headers) VALUES (?, ?, ?, ?, ?, ?)"),
      remove_(writer.connection(), "DELETE FROM idem_outbox WHERE number = ?"),
      park_(writer.connection(),
            "INSERT INTO idem_outbox_parked (number, destination, id, key, payload, headers, why, parked_at) "
            "SELECT number, destination, id, key, payload, headers, ?, ? FROM idem_outbox WHERE number = ?"),
      last_number_(last_number()),
      reader_(writer.database().settings_of_reader(reader_cache)),
      read_(reader_,
            "SELECT number, id, key, payload, headers FROM idem_outbox WHERE number > ? AND destination = ? "
            "ORDER BY number LIMIT ?"),
      parked_(reader_,
              "SELECT number, destination, id, key, payload, headers, why, parked_at FROM idem_outbox_parked "
              "WHERE number > ? ORDER BY number LIMIT ?"),
      waiting_(reader_, "SELECT destination, count(*) FROM idem_outbox GROUP BY destination") {}

// Parked ones count: a number names a row for people, too.
std::int64_t Outbox::last_number() {
  Statement last(writer_.connection(),
                 "SELECT max(coalesce((SELECT max(number) FROM idem_outbox), 0), "
                 "coalesce((SELECT max(number) FROM idem_outbox_parked), 0))");
  auto rows = last.rows();
  rows.next();
  return rows.integer(0);
}

// --- destinations --------------------------------------------------------------------------------------------------

void Outbox::open(const std::string& destination, std::function<void()> on_commit) {
  std::lock_guard lock(known_mutex_);
  Known& known = known_[destination];
  if (known.on_commit)
    throw std::logic_error("idem: rows for \"" + destination + "\" are sent by another relay of this store already");
  known.on_commit = std::move(on_commit);
}

void Outbox::close(const std::string& destination) noexcept {
  std::lock_guard lock(known_mutex_);
  if (const auto found = known_.find(destination); found != known_.end()) found->second.on_commit = nullptr;
}

bool Outbox::is_open(const std::string& destination) const {
  std::lock_guard lock(known_mutex_);
  return known_.contains(destination);
}

// --- writing -------------------------------------------------------------------------------------------------------

std::string Outbox::insert_into(Outbox* outbox, std::string_view destination, OutgoingMessage message) {
  if (!outbox)
    throw TransactionError("publish(\"" + std::string(destination) +
                           "\"): no idem::Relay has a destination in this store; add it before the runtime runs");
  return outbox->insert(destination, std::move(message));
}

std::string Outbox::insert(std::string_view destination, OutgoingMessage message) {
  {
    std::lock_guard lock(known_mutex_);
    const auto found = known_.find(destination);
    if (found == known_.end()) {
      std::string names;
      for (const auto& [name, known] : known_) names += (names.empty() ? "\"" : ", \"") + name + "\"";
      throw TransactionError("publish(\"" + std::string(destination) + "\"): no relay has this destination; there are " +
                             (names.empty() ? "none" : names));
    }
    found->second.written = true;
  }
  if (message.id.empty()) message.id = publish::new_message_id();
  const UserSqlGuard::Ours ours(writer_.database().guard());
  insert_.run(last_number_ + 1, destination, Blob{message.id}, blob(message.key), blob(message.payload),
              Blob{encode_headers(message.headers)});
  ++last_number_;
  writer_.group().take_part(*this);
  (void)IDEM_FAILPOINT("outbox.inserted");
  return std::move(message.id);
}

void Outbox::remove(std::span<const std::int64_t> numbers) {
  Writer::Hold hold(writer_);
  to_remove_.insert(to_remove_.end(), numbers.begin(), numbers.end());
  writer_.group().take_part(*this);
  writer_.commit_soon();
}

void Outbox::park(std::int64_t number, const std::string& why) {
  Writer::Hold hold(writer_);
  writer_.run_alone([&] {
    park_.run(why, std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())
                       .time_since_epoch()
                       .count(),
              number);
    remove_.run(number);
  });
}

// Just before COMMIT. Those of a group that is lost go with the next one that has rows of the outbox.
void Outbox::write() {
  for (const std::int64_t number : to_remove_) remove_.run(number);
}

void Outbox::committed() noexcept {
  to_remove_.clear();
  std::lock_guard lock(known_mutex_);
  for (auto& [name, known] : known_)
    if (std::exchange(known.written, false) && known.on_commit) known.on_commit();
}

void Outbox::lost() noexcept {
  std::lock_guard lock(known_mutex_);
  for (auto& [name, known] : known_) known.written = false;
}

// --- reading -------------------------------------------------------------------------------------------------------

// It has no part in the writer's fate: what fails here is tried again, on a connection opened anew.
template <class Work>
auto Outbox::reading(Work work) {
  std::lock_guard lock(reader_mutex_);
  try {
    if (IDEM_FAILPOINT("outbox.read")) throw SqlError(SQLITE_BUSY, "failpoint outbox.read");
    return work();
  } catch (const SqlError& e) {
    std::string why = std::string("reading the outbox: ") + e.what();
    try {
      reader_.reopen();
    } catch (const SqlError& again) {
      why += std::string("; ") + again.what();
    }
    throw StoreError(why, true);
  }
}

std::vector<OutboxTable::Row> Outbox::read(const std::string& destination, std::int64_t after, std::size_t messages,
                                           std::size_t bytes) {
  return reading([&] {
    std::vector<OutboxTable::Row> found;
    auto rows = read_.rows(after, destination, messages);
    for (std::size_t taken = 0; (found.empty() || taken < bytes) && rows.next();) {
      OutboxTable::Row row{rows.integer(0), message_of(rows, 1)};
      taken += size_of(row.message);
      if (taken > bytes && !found.empty()) break;
      found.push_back(std::move(row));
    }
    return found;
  });
}

std::vector<ParkedOutgoing> Outbox::parked(std::int64_t after, std::size_t limit) {
  return reading([&] {
    std::vector<ParkedOutgoing> found;
    for (auto rows = parked_.rows(after, limit); rows.next();)
      found.push_back({rows.integer(0), std::string(rows.text(1)), message_of(rows, 2), std::string(rows.text(6)),
                       Timestamp(std::chrono::milliseconds(rows.integer(7)))});
    return found;
  });
}

std::map<std::string, std::size_t> Outbox::waiting() {
  return reading([&] {
    std::map<std::string, std::size_t> found;
    for (auto rows = waiting_.rows(); rows.next();)
      found.emplace(rows.text(0), static_cast<std::size_t>(rows.integer(1)));
    return found;
  });
}

}  // namespace idem::sqlite
